package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// Reasons why an inspection failed. Test with errors.Is. The texts of the errors are short
// and the same for each attempt, because they become part of a status.
var (
	// ErrUnreachable indicates that the connection failed or timed out.
	ErrUnreachable = errors.New("unreachable")
	// ErrDenied indicates that the registry requires other credentials. Some registries also
	// respond this way for a repository that does not exist.
	ErrDenied = images.ErrDenied
	// ErrRateLimited indicates that the rate limit of the registry was reached.
	ErrRateLimited = errors.New("rate limit exceeded")
	// ErrUnusableResponse indicates a response that cannot be used: a server error, a
	// response that is not a manifest or exceeds a limit, or content with another digest.
	ErrUnusableResponse = errors.New("unusable response")
)

// unavailableError is the error if a registry did not return the details of an image. Its
// text does not contain the cause, which often contains addresses, ports and parts of URLs.
type unavailableError struct {
	registry string
	kind     error
	text     string
	cause    error
	// retryAfter is the delay that the registry requested, or zero.
	retryAfter time.Duration
}

func (s *unavailableError) Error() string   { return "registry " + s.registry + ": " + s.text }
func (s *unavailableError) Unwrap() []error { return []error{s.kind, s.cause} }

// toError converts an error of the library to an error of this package. ctx is the context of
// the caller; if it is done, the registry is not the cause.
func (p endpoint) toError(ctx context.Context, err error, after time.Duration) error {
	if ctx.Err() != nil {
		return fmt.Errorf("inspect image in registry %s: %w", p.registry, ctx.Err())
	}
	if isNotFound(err) {
		return outcome.Stalled(v1alpha1.ReasonImageNotFound,
			&unavailableError{registry: p.registry, kind: errNotFound, text: fmt.Sprintf("image %q not found; check its name and tag", p.image), cause: err})
	}
	text, kind := p.classifyError(err)
	return &unavailableError{registry: p.registry, kind: kind, text: text, cause: err, retryAfter: after}
}

// errNotFound is the kind of an image that does not exist. Callers use the reason
// ImageNotFound.
var errNotFound = errors.New("image not found")

// classifyError returns the text and the kind of an error. A registry that allows plain http
// is accessed over https first, so the error can contain both failures.
func (p endpoint) classifyError(err error) (text string, kind error) {
	if isUntrusted(err) {
		return "certificate is not trusted", ErrUnreachable
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return p.classifyResponse(answer)
	}
	if status, ok := errors.AsType[netguard.ProxyStatus](err); ok {
		return status.Error(), ErrUnreachable
	}
	if _, isRefused := errors.AsType[netguard.Refused](err); isRefused {
		return "address is not allowed", ErrUnusableResponse
	}
	switch _, isLost := errors.AsType[*connectionError](err); {
	case errors.Is(err, netguard.ErrTooLarge):
		return errTooLarge.Error(), ErrUnusableResponse
	case errors.Is(err, netguard.ErrRedirects):
		return netguard.ErrRedirects.Error(), ErrUnusableResponse
	case errors.Is(err, netguard.ErrTokenServer):
		return netguard.ErrTokenServer.Error(), ErrUnusableResponse
	case errors.Is(err, errPlainHTTP) && (p.plainHTTP || !isLost):
		return "plain http is not allowed", ErrUnusableResponse
	case isLost, errors.Is(err, context.DeadlineExceeded):
		return ErrUnreachable.Error(), ErrUnreachable
	}
	return "response is not the requested manifest", ErrUnusableResponse
}

// credentialTexts are parts of messages about the owner of credentials.
type credentialTexts struct{ owner, advice string }

var (
	sourceTexts = credentialTexts{"the source", "set spec.registrySecretRef of the source"}
	userTexts   = credentialTexts{"the docker config", "sign in with docker login"}
)

func (p endpoint) classifyResponse(answer *transport.Error) (text string, kind error) {
	switch {
	case answer.StatusCode == http.StatusTooManyRequests, hasCode(answer, transport.TooManyRequestsErrorCode):
		return ErrRateLimited.Error(), ErrRateLimited
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden,
		hasCode(answer, transport.UnauthorizedErrorCode, transport.DeniedErrorCode):
		if p.authenticated {
			return fmt.Sprintf("access to %q denied with the credentials of %s, or the repository does not exist", p.image, p.texts.owner), ErrDenied
		}
		return fmt.Sprintf("access to %q requires credentials, or the repository does not exist; %s", p.image, p.texts.advice), ErrDenied
	}
	return fmt.Sprintf("unexpected HTTP status %d", answer.StatusCode), ErrUnusableResponse
}

// isNotFound reports whether an image does not exist. A 404 without error code counts only
// for the request of a manifest; otherwise the server may not be a registry.
func isNotFound(err error) bool {
	answer, ok := errors.AsType[*transport.Error](err)
	if !ok {
		return false
	}
	if hasCode(answer, transport.ManifestUnknownErrorCode, transport.NameUnknownErrorCode) {
		return true
	}
	return answer.StatusCode == http.StatusNotFound &&
		answer.Request != nil && strings.Contains(answer.Request.URL.Path, "/manifests/")
}

func hasCode(answer *transport.Error, codes ...transport.ErrorCode) bool {
	for _, diagnostic := range answer.Errors {
		for _, code := range codes {
			if diagnostic.Code == code {
				return true
			}
		}
	}
	return false
}

func isUntrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
