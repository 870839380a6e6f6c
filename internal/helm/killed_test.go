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

// mortal is a process that may be killed: from then on none of its requests
// arrives, and nothing of what it does goes on.
type mortal struct {
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

// mortalClient acts in a namespace as client does, and is killed before the write
// that is one too many; never if writes is negative.
func mortalClient(t testing.TB, namespace string, writes int, options ...func(*helm.Clients)) *mortal {
	t.Helper()
	m := &mortal{writes: writes}
	var cancel context.CancelFunc
	m.ctx, cancel = context.WithCancel(t.Context())
	t.Cleanup(cancel)
	m.kill = func() {
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		cancel()
	}
	m.chartClient = clientThrough(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !m.lives(request.Method != http.MethodGet) {
			m.kill()
			return nil, errKilled
		}
		return next.RoundTrip(request)
	}, options...)
	return m
}

// lossyClient acts as client does, but the answer to one of its writes is lost: it
// is carried out, and nobody hears of it. lost tells whether that came to pass.
func lossyClient(t testing.TB, namespace string, write int, options ...func(*helm.Clients)) (c *chartClient, lost func() bool) {
	t.Helper()
	var writes atomic.Int64
	c = clientThrough(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
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

// clientThrough acts as client does, and sends its requests as through says.
func clientThrough(
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
	return clientOf(clients, helm.Tenant{Namespace: namespace, ServiceAccount: "installer"})
}

func (m *mortal) lives(write bool) bool {
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

// killedAnywhere does something in a process that is killed before its first
// write, in another that is killed before its second, and so on until one comes to
// the end. try returns what came of it.
func killedAnywhere(t *testing.T, namespace string, try func(run int, m *mortal) error, options ...func(*helm.Clients)) {
	t.Helper()
	for run := range 100 {
		m := mortalClient(t, namespace, run, options...)
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
