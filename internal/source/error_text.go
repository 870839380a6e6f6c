package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/appmarket/operator/internal/netguard"
)

// normalizedError is an error with another text.
type normalizedError struct {
	text string
	err  error
}

func (r *normalizedError) Error() string { return r.text }
func (r *normalizedError) Unwrap() error { return r.err }

// normalizeError replaces the text of a network error, so that the same failure always has
// the same text: without the local port, the addresses that a name resolves to, the current
// time, and the query of a URL.
func normalizeError(err error) error {
	return &normalizedError{text: describeError(err), err: err}
}

// describeError returns the text for a network error.
func describeError(err error) string {
	if status, ok := errors.AsType[netguard.ProxyStatus](err); ok {
		return status.Error()
	}
	if netguard.IsProxyError(err) {
		return "proxy: " + describeConnectionError(err)
	}
	return describeConnectionError(err)
}

// describeConnectionError returns the text for a failed connection to a server or a proxy.
func describeConnectionError(err error) string {
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if refused := policyError(err); refused != nil {
		return refused.Error()
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return describeLookup(name)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "server did not respond in time"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "certificate has expired or is not yet valid"
	}
	if rejected := rejectedHandshake(err); rejected != nil {
		return "server rejected the TLS connection: " + strings.TrimPrefix(rejected.Error(), "tls: ")
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "connection was closed before the end of the response"
	}
	return describeResponse(err)
}

// describeResponse returns a text that does not quote the response. The texts of the
// libraries quote its first line, a header or the certificate, and the response may come
// from a server that the user cannot reach.
func describeResponse(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "certificate is for another host"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "certificate signed by unknown authority"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate is not trusted"
	}
	if outer, ok := errors.AsType[*url.Error](err); ok && strings.HasSuffix(outer.Error(), "server gave HTTP response to HTTPS client") {
		return "server gave HTTP response to HTTPS client"
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return "connection failed"
	}
	return "invalid response"
}

// policyError returns the error of package netguard that err wraps, or nil if there is none.
func policyError(err error) error {
	if address, ok := errors.AsType[netguard.Refused](err); ok {
		return address
	}
	for _, known := range []error{netguard.ErrDowngrade, netguard.ErrRedirects, netguard.ErrScheme} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

func describeLookup(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "DNS server did not respond in time"
	}
	return "DNS lookup failed"
}
