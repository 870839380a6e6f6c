package source

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"sync"

	"github.com/appmarket/operator/internal/netguard"
)

// maxTransports bounds the transports, and with them the idle connections, that
// are kept; one for each policy and set of certificates.
const maxTransports = 16

// transports are kept for the life of the process: a source is opened for every
// reconcile, and a transport of its own each time would leave its connections
// behind.
var transports = pool{kept: map[key]*http.Transport{}}

// key is the policy and the digest of the certificates.
type key struct {
	policy netguard.Policy
	ca     [sha256.Size]byte
}

type pool struct {
	mu   sync.Mutex
	kept map[key]*http.Transport
	// order has the one used longest ago first.
	order []key
}

// get gives the transport of a policy that trusts the certificates beside those of
// the system.
func (p *pool) get(policy netguard.Policy, ca []byte) (*http.Transport, error) {
	id := key{policy, sha256.Sum256(ca)}
	p.mu.Lock()
	defer p.mu.Unlock()
	transport, ok := p.kept[id]
	if !ok {
		var err error
		if transport, err = newTransport(policy, ca); err != nil {
			return nil, err
		}
		p.kept[id] = transport
	}
	p.used(id)
	return transport, nil
}

// used moves a key to the end, and lets go of the first one if there are too
// many. Who still holds that transport may go on using it.
func (p *pool) used(id key) {
	for i, have := range p.order {
		if have == id {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
	p.order = append(p.order, id)
	if len(p.order) > maxTransports {
		oldest := p.order[0]
		p.order = p.order[1:]
		p.kept[oldest].CloseIdleConnections()
		delete(p.kept, oldest)
	}
}

// newTransport trusts the certificates beside those of the system.
func newTransport(policy netguard.Policy, ca []byte) (*http.Transport, error) {
	options := netguard.TransportOptions{Policy: policy}
	if len(ca) > 0 {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(ca) {
			return nil, errors.New("read CA: no certificate in PEM found")
		}
		options.Roots = roots
	}
	return netguard.NewTransport(options), nil
}
