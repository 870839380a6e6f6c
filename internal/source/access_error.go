package source

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// accessError returns the error for a request without a response of the server. The field is the field
// of the spec with the references to the Secrets, or empty.
func accessError(about, field string, err error) error {
	failed := fmt.Errorf("get %s: %w", about, normalizeError(err))
	if _, isRefused := errors.AsType[netguard.Refused](err); isRefused {
		return outcome.Stalled(v1alpha1.ReasonNotAllowed, failed)
	}
	if status, ok := errors.AsType[netguard.ProxyStatus](err); ok && status == http.StatusProxyAuthRequired {
		return outcome.Failed(v1alpha1.ReasonUnauthorized, withAdvice(failed, field, "proxySecretRef", "the credentials"))
	}
	if isCertificateAlert(rejectedHandshake(err)) {
		return outcome.Failed(v1alpha1.ReasonUnauthorized, withAdvice(failed, field, "certSecretRef", "the client certificate"))
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, failed)
}

// withAdvice adds to an error which Secret may be wrong.
func withAdvice(err error, field, reference, what string) error {
	if field == "" {
		return err
	}
	return fmt.Errorf("%w: check %s in the Secret of %s.%s", err, what, field, reference)
}

// isCertificateAlert reports whether an alert can mean that a server requires another client certificate. The
// standard library has no constants for alerts.
func isCertificateAlert(alert error) bool {
	if alert == nil {
		return false
	}
	text := alert.Error()
	return strings.Contains(text, "certificate") || strings.Contains(text, "access denied") || strings.Contains(text, "handshake failure")
}

// rejectedHandshake returns the alert with which a server ended a TLS connection. The standard library defines
// its text. It is nil for other errors.
func rejectedHandshake(err error) error {
	operation, ok := errors.AsType[*net.OpError](err)
	for ok && operation.Op != "remote error" {
		operation, ok = errors.AsType[*net.OpError](operation.Err)
	}
	if !ok {
		return nil
	}
	return operation.Err
}
