package chartrepo_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/appmarket/operator/internal/chartrepo"
)

var (
	_ manager.Runnable               = (*chartrepo.Service)(nil)
	_ manager.LeaderElectionRunnable = (*chartrepo.Service)(nil)
)

func TestServiceCompletesRequestsInProgress(t *testing.T) {
	g := gomega.NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	began, goOn := make(chan struct{}), make(chan struct{})
	server := chartrepo.NewServer("", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-goOn
		fmt.Fprint(w, "all of it")
	}))
	service := &chartrepo.Service{Server: server, Listener: listener}
	g.Expect(service.NeedLeaderElection()).To(gomega.BeFalse())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Start(ctx) }()

	answered := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		answered <- string(body)
	}()
	<-began
	stop()
	g.Eventually(func() error {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_ = connection.Close()
		}
		return err
	}).Should(gomega.HaveOccurred(), "no new connection")
	close(goOn)
	g.Eventually(answered).Should(gomega.Receive(gomega.Equal("all of it")))
	g.Eventually(ended).Should(gomega.Receive(gomega.BeNil()))
}

func TestServiceReportsUsedAddress(t *testing.T) {
	g := gomega.NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { _ = listener.Close() })
	service := &chartrepo.Service{Server: chartrepo.NewServer(listener.Addr().String(), http.NotFoundHandler())}
	g.Expect(service.Start(t.Context())).To(gomega.HaveOccurred())
}

func TestServerRejectsLargeHeaders(t *testing.T) {
	g := gomega.NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	service := &chartrepo.Service{Server: chartrepo.NewServer("", http.NotFoundHandler()), Listener: listener}
	go func() { ended <- service.Start(ctx) }()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String(), nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	request.Header.Set("X-Market-User", strings.Repeat("a", 64<<10))
	response, err := http.DefaultClient.Do(request)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusRequestHeaderFieldsTooLarge))
	g.Expect(response.Body.Close()).To(gomega.Succeed())
	stop()
	g.Eventually(ended).Should(gomega.Receive(gomega.BeNil()))
}
