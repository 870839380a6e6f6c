package source

import (
	"net/url"
	"sync"

	"github.com/appmarket/operator/internal/netguard"
)

// maxTransports is the maximum number of cached transports, which limits the number of
// idle connections. There is one transport for each policy and TransportConfig.
const maxTransports = 16

// transports caches the transports of all sources. A source is opened for every reconcile,
// and a new transport for each of them would not reuse connections.
var transports = transportPool{byKey: map[transportKey]*netguard.Transport{}}

// transportKey identifies a transport. The field config is the digest of its TransportConfig and of
// the server of the client certificate.
type transportKey struct {
	policy    netguard.Policy
	userAgent string
	config    string
}

type transportPool struct {
	mu    sync.Mutex
	byKey map[transportKey]*netguard.Transport
	// order contains the keys, the least recently used one first.
	order []transportKey
}

// getTransport returns the transport for options and a configuration. Only Policy and UserAgent of the
// options may be set. The server is the URL of the server to which the client certificate is presented.
func (p *transportPool) getTransport(options netguard.TransportOptions, cfg TransportConfig, server *url.URL) (*netguard.Transport, error) {
	id := transportKey{options.Policy, options.UserAgent, cfg.Digest(server)}
	p.mu.Lock()
	defer p.mu.Unlock()
	transport, ok := p.byKey[id]
	if !ok {
		if err := cfg.Apply(&options, server); err != nil {
			return nil, err
		}
		transport = netguard.NewTransport(options)
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
