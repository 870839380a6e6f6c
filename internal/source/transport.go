package source

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"sync"

	"github.com/appmarket/operator/internal/netguard"
)

// maxTransports is the maximum number of cached transports, which limits the number of
// idle connections. There is one transport for each policy and set of certificates.
const maxTransports = 16

// transports caches the transports of all sources. A source is opened for every reconcile,
// and a new transport for each of them would not reuse connections.
var transports = transportPool{byKey: map[transportKey]*netguard.Transport{}}

// transportKey identifies a transport. The field ca is the digest of the certificates.
type transportKey struct {
	policy    netguard.Policy
	userAgent string
	ca        [sha256.Size]byte
}

type transportPool struct {
	mu    sync.Mutex
	byKey map[transportKey]*netguard.Transport
	// order contains the keys, the least recently used one first.
	order []transportKey
}

// getTransport returns the transport for options that trusts the certificates in addition
// to the certificates of the system. Only Policy and UserAgent of the options may be set.
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

// markUsed marks a key as the most recently used one, and removes the least recently used
// transport if there are too many. Sources that have this transport can still use it.
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

// newTransport returns a transport that trusts the certificates in addition to the
// certificates of the system.
func newTransport(options netguard.TransportOptions, ca []byte) (*netguard.Transport, error) {
	if len(ca) > 0 {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(ca) {
			return nil, errors.New("key ca.crt of the Secret contains no certificate in PEM: add one")
		}
		options.Roots = roots
	}
	return netguard.NewTransport(options), nil
}
