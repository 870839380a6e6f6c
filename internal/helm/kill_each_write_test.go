package helm_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/helm"
)

// killableClient simulates a process that may be killed. After the kill, its requests fail and its context
// is canceled.
type killableClient struct {
	*chartClient
	ctx  context.Context
	kill func()

	mu     sync.Mutex
	writes int
	dead   bool
}

var (
	errKilled = errors.New("killed")
	errLost   = errors.New("answer lost")
)

// newKillableClient returns a client like client, which is killed instead of its next write after the
// given number of writes. If writes is negative, it is never killed.
func newKillableClient(t testing.TB, namespace string, writes int, options ...func(*helm.Clients)) *killableClient {
	t.Helper()
	m := &killableClient{writes: writes}
	var cancel context.CancelFunc
	m.ctx, cancel = context.WithCancel(t.Context())
	t.Cleanup(cancel)
	m.kill = func() {
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		cancel()
	}
	m.chartClient = newInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !m.isAlive(request.Method != http.MethodGet) {
			m.kill()
			return nil, errKilled
		}
		return next.RoundTrip(request)
	}, options...)
	return m
}

// newLossyClient returns a client like client, which loses the response to one of its writes: the
// write succeeds, but the client gets an error. lost reports whether this has happened.
func newLossyClient(t testing.TB, namespace string, write int, options ...func(*helm.Clients)) (c *chartClient, lost func() bool) {
	t.Helper()
	var writes atomic.Int64
	c = newInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if request.Method == http.MethodGet || writes.Add(1) != int64(write) {
			return next.RoundTrip(request)
		}
		response, err := next.RoundTrip(request)
		if err == nil {
			err = errors.Join(response.Body.Close(), errLost)
		}
		return nil, err
	}, options...)
	return c, func() bool { return writes.Load() >= int64(write) }
}

// newInterceptedClient returns a client like client, which sends its requests with through.
func newInterceptedClient(
	t testing.TB, namespace string, through func(*http.Request, http.RoundTripper) (*http.Response, error),
	options ...func(*helm.Clients),
) *chartClient {
	t.Helper()
	cfg := rest.CopyConfig(apiServer.config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(request *http.Request) (*http.Response, error) { return through(request, next) })
	})
	clients, err := helm.NewClients(cfg, apiServer.mapper)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, option := range options {
		option(clients)
	}
	return newClientFor(clients, helm.Tenant{Namespace: namespace, ServiceAccount: "installer"})
}

func (m *killableClient) isAlive(write bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead || write && m.writes == 0 {
		return false
	}
	if write {
		m.writes--
	}
	return true
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// killAtEachWrite runs an operation in a process that is killed before its first write, then in a
// process that is killed before its second write, and so on until the operation completes. try
// returns the error of the operation.
func killAtEachWrite(t *testing.T, namespace string, try func(run int, m *killableClient) error, options ...func(*helm.Clients)) {
	t.Helper()
	for run := range 100 {
		m := newKillableClient(t, namespace, run, options...)
		if err := try(run, m); err == nil {
			if run < 4 {
				t.Fatalf("it came to the end with %d writes", run)
			}
			t.Logf("killed before each of %d writes", run)
			return
		}
	}
	t.Fatal("it never came to the end")
}
