package session

import (
	"encoding/base64"
	"testing"
	"time"
)

// FuzzToken reads any token with which a user signs in.
func FuzzToken(f *testing.F) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	f.Add(part(`{"alg":"RS256"}`) + "." + part(`{"exp":1796040000}`) + ".x")
	f.Add(part(`{"alg":"none"}`) + "." + part(`{"exp":-1e300}`) + ".")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		IsSigned(token)
		if expiry := tokenExpiry(token); !expiry.IsZero() && expiry.After(time.Unix(1e11, 0)) {
			t.Fatalf("the token expires at %s", expiry)
		}
	})
}
