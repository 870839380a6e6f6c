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
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// Why a registry gave no answer. Test with errors.Is; the texts of the errors
// are short and the same at every attempt, because they become part of a status.
var (
	// ErrUnreachable says that the registry could not be connected to, or not in
	// time.
	ErrUnreachable = errors.New("not reachable")
	// ErrDenied says that the registry wants other credentials. Some answer this
	// way also for a repository that does not exist.
	ErrDenied = errors.New("access denied")
	// ErrRateLimited says that the registry was asked too often.
	ErrRateLimited = errors.New("rate limit reached")
	// ErrAnswer says that the registry answered with something of no use: an
	// error of its own, no manifest, one that exceeds a bound, another one than
	// asked for.
	ErrUnusableResponse = errors.New("no usable answer")
)

// silence is the error of a registry that did not tell about an image. Its text
// leaves out the cause, which often holds addresses, ports and parts of URLs.
type unavailableError struct {
	registry string
	kind     error
	text     string
	cause    error
	// after is when the registry wants to be asked again, zero if it does not say so.
	retryAfter time.Duration
}

func (s *unavailableError) Error() string   { return "registry " + s.registry + ": " + s.text }
func (s *unavailableError) Unwrap() []error { return []error{s.kind, s.cause} }

// explain turns what the library returned into what the caller may rely on. The
// context is the caller's: that they gave up says nothing of the registry.
func (p endpoint) toError(ctx context.Context, err error, after time.Duration) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask registry %s: %w", p.registry, ctx.Err())
	}
	if isNotFound(err) {
		return outcome.Stalled(v1alpha1.ReasonImageNotFound,
			&unavailableError{registry: p.registry, kind: errNotFound, text: fmt.Sprintf("has no image %q", p.image), cause: err})
	}
	text, kind := p.classifyError(err)
	return &unavailableError{registry: p.registry, kind: kind, text: text, cause: err, retryAfter: after}
}

// errNotFound is told to callers by its reason, ImageNotFound.
var errNotFound = errors.New("no such image")

// classify has to bear in mind that a registry which may be asked over plain http
// is tried over https first, and that both failures are then in the error.
func (p endpoint) classifyError(err error) (text string, kind error) {
	if isUntrusted(err) {
		return "its certificate is not trusted", ErrUnreachable
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return p.classifyResponse(answer)
	}
	if _, isRefused := errors.AsType[netguard.Refused](err); isRefused {
		return "points to an address that is not allowed", ErrUnusableResponse
	}
	switch _, isLost := errors.AsType[*connectionError](err); {
	case errors.Is(err, netguard.ErrTooLarge):
		return errTooLarge.Error(), ErrUnusableResponse
	case errors.Is(err, netguard.ErrRedirects):
		return netguard.ErrRedirects.Error(), ErrUnusableResponse
	case errors.Is(err, errPlainHTTP) && (p.plainHTTP || !isLost):
		return "points to plain http, which is not allowed", ErrUnusableResponse
	case isLost, errors.Is(err, context.DeadlineExceeded):
		return ErrUnreachable.Error(), ErrUnreachable
	}
	return "the answer is not a manifest, or not the one asked for", ErrUnusableResponse
}

func (p endpoint) classifyResponse(answer *transport.Error) (text string, kind error) {
	switch {
	case answer.StatusCode == http.StatusTooManyRequests, hasCode(answer, transport.TooManyRequestsErrorCode):
		return ErrRateLimited.Error(), ErrRateLimited
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden,
		hasCode(answer, transport.UnauthorizedErrorCode, transport.DeniedErrorCode):
		return fmt.Sprintf("access to %q denied, or no such repository", p.image), ErrDenied
	}
	return fmt.Sprintf("answered with HTTP status %d", answer.StatusCode), ErrUnusableResponse
}

// isNotFound takes a plain 404 for an answer only where a manifest was asked
// for; elsewhere it is the sign of something that is no registry.
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
