package source

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"sync"

	"github.com/appmarket/operator/internal/netguard"
)

// maxTransports bounds the transports, and with them the idle connections, that
// are kept; one for each policy and set of certificates.
const maxTransports = 16

// transports are kept for the life of the process: a source is opened for every
// reconcile, and a transport of its own each time would leave its connections
// behind.
var transports = transportPool{byKey: map[transportKey]*netguard.Transport{}}

// key is what transports differ in; ca is the digest of the certificates.
type transportKey struct {
	policy    netguard.Policy
	userAgent string
	ca        [sha256.Size]byte
}

type transportPool struct {
	mu    sync.Mutex
	byKey map[transportKey]*netguard.Transport
	// order has the one used longest ago first.
	order []transportKey
}

// get gives the transport of options that trusts the certificates beside those of the
// system. Of the options, Policy and UserAgent may be set.
func (p *transportPool) getTransport(options netguard.TransportOptions, ca []byte) (*netguard.Transport, error) {
	id := transportKey{options.Policy, options.UserAgent, sha256.Sum256(ca)}
	p.mu.Lock()
	defer p.mu.Unlock()
	transport, ok := p.byKey[id]
	if !ok {
		var err error
		if transport, err = newTransport(options, ca); err != nil {
			return nil, err
		}
		p.byKey[id] = transport
	}
	p.markUsed(id)
	return transport, nil
}

// used moves a key to the end, and lets go of the first one if there are too
// many. Who still holds that transport may go on using it.
func (p *transportPool) markUsed(id transportKey) {
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
		p.byKey[oldest].CloseIdleConnections()
		delete(p.byKey, oldest)
	}
}

// newTransport trusts the certificates beside those of the system.
func newTransport(options netguard.TransportOptions, ca []byte) (*netguard.Transport, error) {
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
