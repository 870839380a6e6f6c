package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"
)

// linkAge is the time for which a one-time link is valid.
const linkAge = 5 * time.Minute

// Link is a one-time link. The code is not stored, only its digest.
type Link struct {
	mu     sync.Mutex
	digest [sha256.Size]byte
	until  time.Time
}

// Renew makes a new code of 256 bits, valid once and for 5 minutes. An earlier code is not valid
// any more.
func (l *Link) Renew(now time.Time) string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // It never returns an error.
	code := base64.RawURLEncoding.EncodeToString(random)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digest, l.until = sha256.Sum256([]byte(code)), now.Add(linkAge)
	return code
}

// Redeem reports whether a code is valid, and makes it invalid.
func (l *Link) Redeem(code string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	digest := sha256.Sum256([]byte(code))
	if !now.Before(l.until) || subtle.ConstantTimeCompare(digest[:], l.digest[:]) != 1 {
		return false
	}
	l.until = time.Time{}
	return true
}
