package receiver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// errDisplaced is the cause of the end of a request that made room for another one.
var errDisplaced = errors.New("displaced by another request")

// admission limits the requests in progress. If there are too many, the oldest one of the client address with the
// most ends, so that requests that are sent slowly or rejected keep out no others. Behind a proxy, all
// requests have one address, and the oldest one of all ends.
type admission struct {
	limit int

	mu sync.Mutex
	// requests contains the requests in progress, the oldest first.
	requests []*admittedRequest
}

type admittedRequest struct {
	address string
	end     func()
}

// admit returns a request with a context that ends if the request is displaced, and a function that must be called at
// its end.
func (a *admission) admit(w http.ResponseWriter, r *http.Request) (*http.Request, func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	controller := http.NewResponseController(w)
	own := &admittedRequest{address: clientAddress(r), end: func() {
		cancel(errDisplaced)
		_ = controller.SetReadDeadline(time.Unix(1, 0)) // A connection that is closed is not read either.
	}}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, own)
	if len(a.requests) > a.limit {
		oldest := oldestOfLargest(a.requests)
		a.removeRequest(oldest)
		oldest.end()
	}
	return r.WithContext(ctx), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.removeRequest(own)
		cancel(nil)
	}
}

// removeRequest removes a request, if it has not been removed.
func (a *admission) removeRequest(one *admittedRequest) {
	a.requests = slices.DeleteFunc(a.requests, func(other *admittedRequest) bool { return other == one })
}

// oldestOfLargest returns the oldest request of the address with the most requests.
func oldestOfLargest(requests []*admittedRequest) *admittedRequest {
	counts := map[string]int{}
	for _, r := range requests {
		counts[r.address]++
	}
	found := requests[0]
	for _, r := range requests {
		if counts[r.address] > counts[found.address] {
			found = r
		}
	}
	return found
}

// clientAddress returns the address of the client, or its network of 64 bits for IPv6. Headers in which proxies report the
// address of their clients are not used, because every client can send them.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || address.Unmap().Is4() {
		return host
	}
	network, err := address.Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
