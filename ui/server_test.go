package ui

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/live"
)

// TestSlowClientsDoNotBlockOthers opens all connections that the server accepts, and sends no
// complete request on them.
func TestSlowClientsDoNotBlockOthers(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "ok")
	})
	go func() { done <- serveHTTP(ctx, &options{connections: 4}, handler, listener, live.NewHub(1), nil) }()
	address := listener.Addr().String()
	for _, text := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nA: ", "GET / HTTP/1.1\r\nHost: x\r\n"} {
		slow, err := net.Dial("tcp", address)
		g.Expect(err).NotTo(HaveOccurred())
		defer slow.Close()
		_, err = slow.Write([]byte(text))
		g.Expect(err).NotTo(HaveOccurred())
	}
	client := &http.Client{Timeout: headerTimeout + 20*time.Second}
	begun := time.Now()
	response, err := client.Get("http://" + address)
	g.Expect(err).NotTo(HaveOccurred(), "the slow connections were closed")
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	g.Expect(time.Since(begun)).To(BeNumerically(">", time.Second), "all connections were in use")
	client.CloseIdleConnections()
	cancel()
	g.Eventually(done, "20s").Should(Receive(BeNil()))
}
