package netguard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ClientCertificate is a certificate that is presented to one server only.
type ClientCertificate struct {
	tls.Certificate
	// Server is the URL of the server. Only its host and port are used.
	Server *url.URL
}

// certifiedTransport sends the requests to the server of a client certificate.
type certifiedTransport struct {
	*http.Transport
	server string
}

// newCertifiedTransport returns a transport with the settings of another one that presents a
// certificate.
func newCertifiedTransport(d *dialer, base *http.Transport, certificate ClientCertificate) *certifiedTransport {
	without := base.TLSClientConfig
	with := without.Clone()
	with.Certificates = []tls.Certificate{certificate.Certificate}
	own := base.Clone()
	own.TLSClientConfig = with
	// By default, the certificate would also be presented to a proxy with TLS.
	own.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		config := with
		if d.isProxy(address) {
			config = without
		}
		return d.dialTLS(ctx, network, address, config, base.TLSHandshakeTimeout)
	}
	return &certifiedTransport{Transport: own, server: hostPort(&url.URL{Scheme: "https", Host: certificate.Server.Host})}
}

// isFor reports whether a request is for the server of the certificate.
func (t *certifiedTransport) isFor(request *http.Request) bool {
	return t != nil && request.URL.Scheme == "https" && hostPort(request.URL) == t.server
}

// dialTLS opens a connection and performs the handshake.
func (d *dialer) dialTLS(ctx context.Context, network, address string, config *tls.Config, timeout time.Duration) (net.Conn, error) {
	connection, err := d.dialChecked(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		return nil, errors.Join(fmt.Errorf("parse address: %w", err), connection.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	secure := tls.Client(connection, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return secure, nil
}
