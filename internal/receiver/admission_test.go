package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
)

func TestRequestsOfTheLargestClientAreDisplaced(t *testing.T) {
	for _, c := range []struct {
		why       string
		addresses []string
		// displaced are the indexes of the requests that end.
		displaced []int
	}{
		{"as many as allowed", []string{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1"}, nil},
		{"the oldest of the client with the most", []string{"10.0.0.2:1", "10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"}, []int{1}},
		{"the oldest if all have as many", []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"}, []int{0}},
		{"the oldest of a proxy", []string{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "10.0.0.1:4", "10.0.0.1:5"}, []int{0, 1}},
		{"a network of IPv6 is one client", []string{"10.0.0.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1"}, []int{1}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			a := &admission{limit: 3}
			var requests []*http.Request
			for _, address := range c.addresses {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/a/b", nil)
				r.RemoteAddr = address
				r, leave := a.admit(httptest.NewRecorder(), r)
				defer leave()
				requests = append(requests, r)
			}
			var displaced []int
			for i, r := range requests {
				if errors.Is(context.Cause(r.Context()), errDisplaced) {
					displaced = append(displaced, i)
				}
			}
			g.Expect(displaced).To(Equal(c.displaced), fmt.Sprint(c.addresses))
			g.Expect(len(a.requests)).To(BeNumerically("<=", 3))
		})
	}
}
