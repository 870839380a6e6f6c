package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
)

// TransportConfig configures the connections to the servers of a source.
type TransportConfig struct {
	// CA contains certificates in PEM that are trusted in addition to the certificates of the
	// system.
	CA []byte
	// Certificate and Key are a client certificate and its private key in PEM. The certificate is
	// presented only to the server of the source.
	Certificate, Key []byte
	// Proxy is used for all requests of the source. If not set, the proxy of the environment is used.
	Proxy ProxyConfig
}

// ProxyConfig configures a proxy.
type ProxyConfig struct {
	// Address is the http or https URL of the proxy.
	Address string
	// Username and Password are sent only to the proxy.
	Username, Password string
}

// Keys of the Secrets with a TransportConfig.
const (
	caKey           = "ca.crt"
	certificateKey  = "tls.crt"
	privateKeyKey   = "tls.key"
	proxyAddressKey = "address"
)

// ForOtherServer returns the configuration for servers other than the server of the source, to which
// the client certificate is not presented.
func (c TransportConfig) ForOtherServer() TransportConfig {
	c.Certificate, c.Key = nil, nil
	return c
}

// IsEmpty reports whether nothing is configured.
func (c TransportConfig) IsEmpty() bool {
	return len(c.CA)+len(c.Certificate)+len(c.Key) == 0 && c.Proxy == ProxyConfig{}
}

// Digest returns the digest of the configuration and of the server of the client certificate.
func (c TransportConfig) Digest(server *url.URL) string {
	host := ""
	if server != nil && len(c.Certificate) > 0 {
		host = server.Host
	}
	return chart.Digest(fmt.Appendf(nil, "%q", []any{c.CA, c.Certificate, c.Key, c.Proxy, host}))
}

// Apply sets Roots, Certificate and Proxy of the options of a transport. The error begins with the field of the reference to the
// Secret.
func (c TransportConfig) Apply(options *netguard.TransportOptions, server *url.URL) error {
	roots, certificate, err := c.parseCertificates()
	if err != nil {
		return fmt.Errorf("certSecretRef: the Secret is invalid: %w", err)
	}
	options.Roots = roots
	if certificate != nil && server != nil {
		options.Certificate = &netguard.ClientCertificate{Certificate: *certificate, Server: server}
	}
	if options.Proxy, err = c.Proxy.parse(); err != nil {
		return fmt.Errorf("proxySecretRef: the Secret is invalid: %w", err)
	}
	return nil
}

// parseCertificates returns the trusted certificates, nil for the certificates of the system, and the client
// certificate, nil if there is none. Errors name the keys of the Secret and quote no value.
func (c TransportConfig) parseCertificates() (*x509.CertPool, *tls.Certificate, error) {
	var roots *x509.CertPool
	if len(c.CA) > 0 {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(c.CA) {
			return nil, nil, fmt.Errorf("key %q contains no certificate in PEM: add one", caKey)
		}
	}
	switch {
	case len(c.Certificate) == 0 && len(c.Key) == 0:
		return roots, nil, nil
	case len(c.Key) == 0:
		return nil, nil, fmt.Errorf("key %q is missing: add the private key of the certificate in %q", privateKeyKey, certificateKey)
	case len(c.Certificate) == 0:
		return nil, nil, fmt.Errorf("key %q is missing: add the certificate of the private key in %q", certificateKey, privateKeyKey)
	}
	pair, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		// The text of the library describes the content of the private key.
		return nil, nil, fmt.Errorf("keys %q and %q are not a certificate in PEM and its private key without a passphrase", certificateKey, privateKeyKey)
	}
	return roots, &pair, nil
}

// parse returns the URL of the proxy with its credentials, nil if there is none. Errors name the key of
// the Secret and quote no value, because users also write credentials into the URL.
func (p ProxyConfig) parse() (*url.URL, error) {
	if p == (ProxyConfig{}) {
		return nil, nil
	}
	address, err := url.Parse(p.Address)
	switch {
	case err != nil || !isServerURL(address):
		return nil, fmt.Errorf("key %q must be the http or https URL of a proxy, such as http://proxy.example:3128", proxyAddressKey)
	case address.User != nil:
		return nil, fmt.Errorf("key %q must not contain credentials: put them into the keys %q and %q", proxyAddressKey, "username", "password")
	case p.Username == "" && p.Password != "":
		return nil, errors.New(`key "username" is missing: add it, or remove the key "password"`)
	}
	if p.Username != "" {
		address.User = url.UserPassword(p.Username, p.Password)
	}
	return address, nil
}

// isServerURL reports whether a URL is the http or https URL of a server, without a path and a query.
func isServerURL(u *url.URL) bool {
	isHTTP := u.Scheme == "http" || u.Scheme == "https"
	return isHTTP && u.Hostname() != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}
