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

// maxEntityTagBytes bounds the ETag that is kept and sent back.
const maxEntityTagBytes = 1 << 10

// keySet is what is known of the keys at a URL. It does not change.
type keySet struct {
	host string
	text []byte
	etag string
	// asked is when the issuer was last asked, confirmed when they last answered
	// with these keys, and due when they are to be asked again.
	requestedAt time.Time
	confirmedAt time.Time
	refreshAt   time.Time
	// err is why the last question had no answer.
	err error
}

// usable is the set, unless it has no keys that are still good.
func (s *keySet) validKeys() (*keySet, error) {
	if s.err != nil && time.Since(s.confirmedAt) >= MaxKeySetAge {
		return nil, keysUnavailableError(retryInterval, s.host, s.err)
	}
	return s, nil
}

// since reports whether the issuer confirmed the keys at that time or later.
func (s *keySet) confirmedSince(at time.Time) bool { return !s.confirmedAt.Before(at) }

func (s *keySet) checkCredential(credential string, terms Terms) (Claims, error) {
	terms.Keys = s.text
	return Check(credential, terms, time.Now())
}

// unavailable waits for keys: of an issuer, or from a host.
func keysUnavailableError(after time.Duration, of string, err error) error {
	return outcome.Waiting(v1alpha1.ReasonLicenseKeysUnavailable, after, fmt.Errorf("get keys of %q: %w", of, err))
}

// lifetime is how long an answer is good, by its Cache-Control.
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

// entityTag is the ETag of an answer, empty if it is of no use.
func entityTag(header http.Header) string {
	tag := header.Get("ETag")
	if len(tag) > maxEntityTagBytes {
		return ""
	}
	return tag
}
