package netguard

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// maxLookupTime is the time limit for the lookup of a name that a proxy resolves.
	maxLookupTime = 2 * time.Second
	// maxNames is the number of names whose result is kept, and nameTTL for how long. Without
	// it, a name server that does not respond would delay each request.
	maxNames = 256
	nameTTL  = time.Minute
)

// lookupFunc returns the addresses of a name. The network is ip.
type lookupFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

// nameChecker checks names that a proxy resolves. The proxy resolves them again, so the check does
// not replace the rules of the proxy. It prevents that a name is used to send a proxy to an address
// to which the operator itself would not connect. A name that only the proxy can resolve is allowed.
type nameChecker struct {
	lookup lookupFunc
	known  *cache.LRUExpireCache
}

func newNameChecker(lookup lookupFunc) *nameChecker {
	return &nameChecker{lookup: lookup, known: cache.NewLRUExpireCache(maxNames)}
}

// nameKey identifies a result.
type nameKey struct {
	host   string
	policy Policy
}

// check returns an error of type Refused if a name has an address that must not be connected to.
func (c *nameChecker) check(ctx context.Context, host string, policy Policy) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil // CheckURL has checked it.
	}
	key := nameKey{strings.ToLower(host), policy}
	if known, ok := c.known.Get(key); ok {
		err, _ := known.(error)
		return err
	}
	limited, cancel := context.WithTimeout(ctx, maxLookupTime)
	defer cancel()
	addresses, err := c.lookup(limited, "ip", host)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused error
	if err == nil {
		refused = policy.checkAddresses(addresses)
	}
	c.known.Add(key, refused, nameTTL)
	return refused
}

// checkAddresses returns the error for the first address that must not be connected to.
func (p Policy) checkAddresses(addresses []netip.Addr) error {
	for _, address := range addresses {
		if err := p.CheckAddress(address); err != nil {
			return err
		}
	}
	return nil
}
