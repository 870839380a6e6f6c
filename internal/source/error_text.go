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

// reworded is an error with a text of our own.
type normalizedError struct {
	text string
	err  error
}

func (r *normalizedError) Error() string { return r.text }
func (r *normalizedError) Unwrap() error { return r.err }

// plain rewords what the network says, so that the text is the same each time:
// without the ports of our own end, the addresses that a name stood for, the
// present time, or a URL with its query.
func normalizeError(err error) error {
	return &normalizedError{text: describeError(err), err: err}
}

func describeError(err error) string {
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	if refused := policyError(err); refused != nil {
		return refused.Error()
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return describeLookup(name)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "certificate has expired or is not yet valid"
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "connection was closed before the end of the answer"
	}
	return describeResponse(err)
}

// describeAnswer has words of our own: those of the libraries quote the first line, a
// header or the certificate of an answer, which may be that of any server inside.
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
	return "answer is not understood"
}

// policy is our own refusal that err comes from, nil if it is none.
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
		return "name server gave no answer in time"
	}
	return "name server failed"
}
