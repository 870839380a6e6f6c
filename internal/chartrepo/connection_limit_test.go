package chartrepo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chartrepo"
)

// serveWithLimit runs a server with a limit of connections, and returns its address.
func serveWithLimit(t *testing.T, connections int, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	service := &chartrepo.Service{Server: chartrepo.NewServer("", handler), Listener: listener, Connections: connections}
	go func() { ended <- service.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		NewWithT(t).Expect(<-ended).To(Succeed())
	})
	return listener.Addr().String()
}

// dialServer opens a connection that the test closes.
func dialServer(t *testing.T, address string) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// sendRequest sends a request on a connection that stays open, and returns the status.
func sendRequest(connection net.Conn) (int, error) {
	if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: repository\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// TestIdleConnectionsDoNotBlockClients opens thousands of connections that send nothing, a
// part of a request, or a single request, while another client reads continuously.
func TestIdleConnectionsDoNotBlockClients(t *testing.T) {
	const connections, clients = 300, 3000
	for why, first := range map[string]func(net.Conn) error{
		"nothing sent": func(net.Conn) error { return nil },
		"half a request": func(c net.Conn) error {
			_, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: rep")
			return err
		},
		"a whole request": func(c net.Conn) error {
			_, err := sendRequest(c)
			return err
		},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			var now, most atomic.Int64
			server := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
			before := runtime.NumGoroutine()
			address := serveWithLimit(t, connections, server)
			done := make(chan struct{})
			var reader sync.WaitGroup
			var answers atomic.Int64
			reader.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					connection, err := net.Dial("tcp", address)
					g.Expect(err).NotTo(HaveOccurred())
					status, err := sendRequest(connection)
					g.Expect(err).NotTo(HaveOccurred(), "a new client is served")
					g.Expect(status).To(Equal(http.StatusOK))
					g.Expect(connection.Close()).To(Succeed())
					answers.Add(1)
				}
			})
			open := make([]net.Conn, clients)
			for i := range open {
				open[i] = dialServer(t, address)
				_ = first(open[i]) // It may have been closed to make room.
				if now.Store(int64(runtime.NumGoroutine())); now.Load() > most.Load() {
					most.Store(now.Load())
				}
			}
			close(done)
			reader.Wait()
			g.Expect(answers.Load()).To(BeNumerically(">", 2))
			g.Expect(most.Load()-int64(before)).To(BeNumerically("<", 3*connections), "goroutines of connections")
		})
	}
}

// TestBusyConnectionsAreNotClosed uses all connections for requests in progress: the next
// client waits until one has ended.
func TestBusyConnectionsAreNotClosed(t *testing.T) {
	g := NewWithT(t)
	const connections = 20
	goOn := make(chan struct{})
	var busy atomic.Int64
	address := serveWithLimit(t, connections, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		busy.Add(1)
		<-goOn
		w.WriteHeader(http.StatusOK)
	}))
	statuses := make(chan int, connections+5)
	for range connections + 5 {
		connection := dialServer(t, address)
		go func() {
			status, err := sendRequest(connection)
			if err != nil {
				status = 0
			}
			statuses <- status
		}()
	}
	g.Eventually(busy.Load).Should(Equal(int64(connections)))
	g.Consistently(busy.Load, "200ms").Should(Equal(int64(connections)), "not more than the limit")
	close(goOn)
	for range connections + 5 {
		g.Eventually(statuses, "20s").Should(Receive(Equal(http.StatusOK)), "all are served")
	}
}

// TestServiceStopsAtConnectionLimit checks that a server at its limit still stops.
func TestServiceStopsAtConnectionLimit(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	service := &chartrepo.Service{
		Listener: listener, Connections: 1,
		Server: chartrepo.NewServer("", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			once.Do(func() { close(reached) })
			<-goOn
		})),
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Start(ctx) }()
	first, second := dialServer(t, listener.Addr().String()), dialServer(t, listener.Addr().String())
	go func() { _, _ = sendRequest(first) }()
	<-reached
	go func() { _, _ = sendRequest(second) }()
	time.AfterFunc(50*time.Millisecond, stop)
	time.AfterFunc(100*time.Millisecond, func() { close(goOn) })
	g.Eventually(ended, "5s").Should(Receive(BeNil()))
}

// TestIdleConnectionsTakeBoundedMemory measures the memory of this process with the default
// limit of idle connections, including the client side.
func TestIdleConnectionsTakeBoundedMemory(t *testing.T) {
	g := NewWithT(t)
	used := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapInuse + stats.StackInuse
	}
	address := serveWithLimit(t, 0, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	before := used()
	open := make([]net.Conn, chartrepo.DefaultConnections)
	for i := range open {
		open[i] = dialServer(t, address)
		status, err := sendRequest(open[i])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(status).To(Equal(http.StatusOK))
	}
	each := (used() - before) / chartrepo.DefaultConnections
	t.Logf("%d bytes for each of %d idle connections", each, len(open))
	g.Expect(each).To(BeNumerically("<", 60_000))
}
