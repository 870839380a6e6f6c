package helmtest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	helmrelease "github.com/appmarket/operator/internal/helm/release"
	plain "github.com/appmarket/operator/internal/release"
)

// KillableClient simulates a process that may be killed. After the kill, its requests fail and its context
// is canceled.
type KillableClient struct {
	*ChartClient
	// Ctx ends when the client is killed.
	Ctx context.Context
	// Kill kills the client.
	Kill func()

	mu     sync.Mutex
	writes int
	dead   bool
}

var (
	errKilled = errors.New("killed")
	errLost   = errors.New("answer lost")
)

// NewKillableClient returns a client like client, which is killed instead of its next write after the
// given number of writes. If writes is negative, it is never killed.
func NewKillableClient(t testing.TB, namespace string, writes int, options ...func(*helmrelease.Clients)) *KillableClient {
	t.Helper()
	m := &KillableClient{writes: writes}
	var cancel context.CancelFunc
	m.Ctx, cancel = context.WithCancel(t.Context())
	t.Cleanup(cancel)
	m.Kill = func() {
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		cancel()
	}
	m.ChartClient = NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !m.isAlive(request.Method != http.MethodGet) {
			m.Kill()
			return nil, errKilled
		}
		return next.RoundTrip(request)
	}, options...)
	return m
}

// NewLossyClient returns a client like client, which loses the response to one of its writes: the
// write succeeds, but the client gets an error. lost reports whether this has happened.
func NewLossyClient(t testing.TB, namespace string, write int, options ...func(*helmrelease.Clients)) (c *ChartClient, lost func() bool) {
	t.Helper()
	var writes atomic.Int64
	c = NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
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

// NewInterceptedClient returns a client like client, which sends its requests with through.
func NewInterceptedClient(
	t testing.TB, namespace string, through func(*http.Request, http.RoundTripper) (*http.Response, error),
	options ...func(*helmrelease.Clients),
) *ChartClient {
	t.Helper()
	cfg := rest.CopyConfig(Server.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(request *http.Request) (*http.Response, error) { return through(request, next) })
	})
	clients, err := helmrelease.NewClients(cfg, Server.Mapper)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, option := range options {
		option(clients)
	}
	return NewClientFor(clients, plain.Tenant{Namespace: namespace, ServiceAccount: "installer"})
}

func (m *KillableClient) isAlive(write bool) bool {
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

// KillAtEachWrite runs an operation in a process that is killed before its first write, then in a
// process that is killed before its second write, and so on until the operation completes. try
// returns the error of the operation.
func KillAtEachWrite(t *testing.T, namespace string, try func(run int, m *KillableClient) error, options ...func(*helmrelease.Clients)) {
	t.Helper()
	for run := range 100 {
		m := NewKillableClient(t, namespace, run, options...)
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
