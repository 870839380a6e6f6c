package license

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxEntityTagBytes is the maximum size of an ETag that is stored and sent back.
const maxEntityTagBytes = 1 << 10

// keySet is the state of the keys at a URL. It is immutable.
type keySet struct {
	host string
	text []byte
	etag string
	// requestedAt is the time of the last request, confirmedAt the time of the last response
	// with these keys, and refreshAt the time of the next request.
	requestedAt time.Time
	confirmedAt time.Time
	refreshAt   time.Time
	// err is the error of the last request.
	err error
}

// validKeys returns the set, or an error if its keys are too old.
func (s *keySet) validKeys() (*keySet, error) {
	if s.err != nil && time.Since(s.confirmedAt) >= MaxKeySetAge {
		return nil, keysUnavailableError(retryInterval, s.host, s.err)
	}
	return s, nil
}

// confirmedSince reports whether the issuer confirmed the keys at that time or later.
func (s *keySet) confirmedSince(at time.Time) bool { return !s.confirmedAt.Before(at) }

func (s *keySet) checkCredential(credential string, terms Terms) (Claims, error) {
	terms.Keys = s.text
	return Check(credential, terms, time.Now())
}

// keysUnavailableError waits for the keys of an issuer or a host.
func keysUnavailableError(after time.Duration, of string, err error) error {
	return outcome.Waiting(v1alpha1.ReasonLicenseKeysUnavailable, after, fmt.Errorf("get keys of %q: %w", of, err))
}

// cacheLifetime returns how long a response is valid according to its Cache-Control header.
func cacheLifetime(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minKeySetLifetime
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 32); err == nil {
				return min(max(time.Duration(seconds)*time.Second, minKeySetLifetime), MaxKeySetAge)
			}
		}
	}
	return keySetLifetime
}

// entityTag returns the ETag of a response, or an empty string if it is too large.
func entityTag(header http.Header) string {
	tag := header.Get("ETag")
	if len(tag) > maxEntityTagBytes {
		return ""
	}
	return tag
}
