package source

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/appmarket/operator/internal/netguard"
)

// maxTransports bounds the transports, and with them the idle connections, that
// are kept; one for each set of certificates.
const maxTransports = 16

// transports are kept for the life of the process: a source is opened for every
// reconcile, and a transport of its own each time would leave its connections
// behind.
var transports = pool{kept: map[key]*http.Transport{}}

// key is the digest of the certificates.
type key [sha256.Size]byte

type pool struct {
	mu   sync.Mutex
	kept map[key]*http.Transport
	// order has the one used longest ago first.
	order []key
}

// get gives the transport that trusts the certificates beside those of the
// system.
func (p *pool) get(ca []byte) (*http.Transport, error) {
	id := key(sha256.Sum256(ca))
	p.mu.Lock()
	defer p.mu.Unlock()
	transport, ok := p.kept[id]
	if !ok {
		var err error
		if transport, err = newTransport(ca); err != nil {
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

// Transport is what other requests to servers that users name may go through: it
// refuses the same addresses and bounds the same waits as for sources.
func Transport() (http.RoundTripper, error) { return transports.get(nil) }

// newTransport bounds every wait for an answer; the whole of a request is bounded
// by its context.
func newTransport(ca []byte) (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: netguard.Control}
	transport := &http.Transport{
		Proxy:                  netguard.Proxy,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if len(ca) == 0 {
		return transport, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("read CA: no certificate in PEM found")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}
