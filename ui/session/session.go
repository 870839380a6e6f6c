package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

const (
	// idleTimeout is the time without a request after which a session ends.
	idleTimeout = time.Hour
	// renewalAge is the age after which a cookie is written again, so that an active session does
	// not become idle.
	renewalAge = 5 * time.Minute
	// refreshMargin is the time before the end of a token at which it is replaced.
	refreshMargin = 30 * time.Second
)

// Session is the sign-in of a user.
type Session struct {
	// ID is a random identifier, by which streams and requests of one session are counted.
	ID string `json:"i"`
	// User is the user name of the user.
	User string `json:"u"`
	// Token is the bearer token of the user. It is empty in a local session.
	Token string `json:"t,omitempty"`
	// Refresh is the refresh token of an issuer, with which Token is replaced before TokenExpires.
	Refresh      string    `json:"r,omitempty"`
	TokenExpires time.Time `json:"x,omitzero"`
	// Local reports that the user redeemed a one-time link.
	Local bool `json:"l,omitempty"`
	// Expires is the time at which the session ends, and Seen the time of its last renewal.
	Expires time.Time `json:"e"`
	Seen    time.Time `json:"s"`
}

// New returns a session that starts now. It ends after maxAge, or with the token if the token is a
// JSON Web Token with an earlier end.
func New(user, token string, maxAge time.Duration, now time.Time) Session {
	s := Session{ID: newID(), User: user, Token: token, Local: token == "", Expires: now.Add(maxAge), Seen: now}
	if end := tokenExpiry(token); !end.IsZero() && end.Before(s.Expires) {
		s.Expires = end
	}
	return s
}

// WithTokens returns the session with a token of an issuer. With a refresh token it lasts until end,
// otherwise no longer than the token.
func (s Session) WithTokens(token, refresh string, end time.Time) Session {
	s.Token, s.TokenExpires, s.Expires = token, tokenExpiry(token), end
	if s.Refresh = refresh; s.TokenExpires.IsZero() {
		s.Refresh = ""
	}
	if s.Refresh == "" && !s.TokenExpires.IsZero() && s.TokenExpires.Before(end) {
		s.Expires = s.TokenExpires
	}
	return s
}

// NeedsRefresh reports whether the token must be replaced.
func (s Session) NeedsRefresh(now time.Time) bool {
	return s.Refresh != "" && !now.Before(s.TokenExpires.Add(-refreshMargin))
}

func newID() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // It never returns an error.
	return base64.RawURLEncoding.EncodeToString(random)
}

// tokenExpiry returns the time at which a JSON Web Token expires, zero if it is unknown. The API
// server validates the token; this time only ends the session no later.
func tokenExpiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires <= 0 || claims.Expires > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}

// IsSigned reports whether a token has the form of a signed JSON Web Token. The API server verifies the
// signature.
func IsSigned(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	return json.Unmarshal(text, &header) == nil && header.Algorithm != "" && header.Algorithm != "none"
}

// hasEnded reports whether the session has expired or is idle.
func (s Session) hasEnded(now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Seen) >= idleTimeout
}

// needsRenewal reports whether the cookie must be written again.
func (s Session) needsRenewal(now time.Time) bool { return now.Sub(s.Seen) >= renewalAge }
