package leaderfence

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestFenceAllowsReads(t *testing.T) {
	for method, passes := range map[string]bool{
		"": true, http.MethodGet: true, http.MethodHead: true, http.MethodOptions: true,
		http.MethodPost: false, http.MethodPut: false, http.MethodPatch: false, http.MethodDelete: false, "PURGE": false,
	} {
		t.Run("method "+method, func(t *testing.T) {
			g := NewWithT(t)
			sent := &closeRecorder{Reader: strings.NewReader("text")}
			request, err := http.NewRequest(http.MethodGet, "https://cluster.example/", sent)
			g.Expect(err).NotTo(HaveOccurred())
			request.Method = method
			_, err = New().wrapTransport(okTransport{}).RoundTrip(request)
			g.Expect(errors.Is(err, ErrFenced)).To(Equal(!passes))
			g.Expect(sent.closed).To(Equal(!passes), "who refuses a request closes its body")
		})
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return nil
}

// stopping comes to a stop before it sends a request, for as long as it is told.
type pausingTransport struct {
	next http.RoundTripper
	stop func()
}

func (s pausingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	s.stop()
	return s.next.RoundTrip(request)
}

// again sends every request twice, as over a connection that was found broken.
type repeatingTransport struct{ between func() }

func (a repeatingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if _, err := (okTransport{}).RoundTrip(request); err != nil {
		return nil, err
	}
	a.between()
	body, err := request.GetBody()
	if err != nil {
		return nil, err
	}
	second := request.Clone(request.Context())
	second.Body = body
	return okTransport{}.RoundTrip(second)
}

func TestFenceIsCheckedWhenARequestIsSent(t *testing.T) {
	for _, c := range []struct {
		why     string
		waits   time.Duration
		refused bool
	}{
		{"it leaves at once", 0, false},
		{"it leaves in time", 9*time.Second - 1, false},
		{"it leaves too late, though it was asked for in time", 9 * time.Second, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			for name, next := range map[string]func(stop func()) http.RoundTripper{
				"after a wait": func(stop func()) http.RoundTripper { return pausingTransport{okTransport{}, stop} },
				"once more":    func(stop func()) http.RoundTripper { return repeatingTransport{stop} },
			} {
				t.Run(name, func(t *testing.T) {
					g := NewWithT(t)
					s := newFixture()
					g.Expect(s.renewLease()).To(Succeed())
					request, err := http.NewRequest(http.MethodPost, "https://cluster.example/", strings.NewReader("text"))
					g.Expect(err).NotTo(HaveOccurred())
					before := *request
					_, err = s.fence.wrapTransport(next(func() { s.advanceClocks(c.waits) })).RoundTrip(request)
					g.Expect(errors.Is(err, ErrFenced)).To(Equal(c.refused), "%v", err)
					g.Expect(request.Body).To(BeIdenticalTo(before.Body), "the request is not changed")
				})
			}
		})
	}
}
