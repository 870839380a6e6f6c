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
			g.Expect(sent.closed).To(Equal(!passes), "the body of a rejected request is closed")
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

// pausingTransport calls stop before it sends a request.
type pausingTransport struct {
	next http.RoundTripper
	stop func()
}

func (s pausingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	s.stop()
	return s.next.RoundTrip(request)
}

// repeatingTransport sends every request twice, as a transport does after a broken connection.
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
		{"sent immediately", 0, false},
		{"sent in time", 9*time.Second - 1, false},
		{"requested in time and sent too late", 9 * time.Second, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			for name, next := range map[string]func(stop func()) http.RoundTripper{
				"after a pause": func(stop func()) http.RoundTripper { return pausingTransport{okTransport{}, stop} },
				"sent again":    func(stop func()) http.RoundTripper { return repeatingTransport{stop} },
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
