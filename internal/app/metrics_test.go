package app

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// serveMetrics serves metrics with the flags, and returns their address.
func serveMetrics(t *testing.T, server *testenv.Env, flags ...string) string {
	t.Helper()
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	g.Expect(listener.Close()).To(Succeed())
	o, err := parseFlags(append(flags, "--metrics-bind-address="+address))
	g.Expect(err).NotTo(HaveOccurred())
	served, err := metricsserver.NewServer(metricsOptions(o, server.Config), server.Config, http.DefaultClient)
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- served.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		NewWithT(t).Expect(<-ended).To(Succeed())
	})
	g.Eventually(func() error {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return connection.Close()
	}).Should(Succeed())
	return address
}

// statusOf returns the status of the response to a request for metrics.
func statusOf(t *testing.T, url, token string) int {
	t.Helper()
	g := NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	g.Expect(err).NotTo(HaveOccurred())
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	response, err := client.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	return response.StatusCode
}

func TestMetricsWithAuthentication(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	url := "https://" + serveMetrics(t, server, "--metrics-authentication")
	g.Expect(statusOf(t, url, "")).To(Equal(http.StatusUnauthorized))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(t, nil), Name: "stranger"}}
	server.Create(t, account)
	request := &authenticationv1.TokenRequest{}
	g.Expect(server.Client.SubResource("token").Create(t.Context(), account, request)).To(Succeed())
	g.Expect(statusOf(t, url, request.Status.Token)).To(Equal(http.StatusForbidden))
}

func TestMetricsWithoutAuthentication(t *testing.T) {
	server := testenv.Start(t)
	NewWithT(t).Expect(statusOf(t, "http://"+serveMetrics(t, server), "")).To(Equal(http.StatusOK))
}
