package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	// maxCookies and cookieSize bound a session: browsers accept cookies of 4 KiB.
	maxCookies, cookieSize = 3, 3800
	// minKeyBytes is the smallest size of a key file.
	minKeyBytes = 32
)

// Cookies reads and writes the cookies of sessions.
type Cookies struct {
	name   string
	secure bool
	// keys contains the current key and, while keys are rotated, the previous one.
	keys []cipher.AEAD
}

// NewCookies returns the cookies of a name. Secure cookies have the prefix __Host-, so that no
// other host can set them. Each key is a secret of any length of at least 32 bytes; the first one
// seals. Without keys a random one is used, which ends all sessions when the process ends.
func NewCookies(name string, secure bool, keys ...[]byte) (*Cookies, error) {
	c := &Cookies{name: name, secure: secure}
	if secure {
		c.name = "__Host-" + name
	}
	if len(keys) == 0 {
		random := make([]byte, minKeyBytes)
		_, _ = rand.Read(random) // It never returns an error.
		keys = [][]byte{random}
	}
	for _, key := range keys {
		if len(key) < minKeyBytes {
			return nil, fmt.Errorf("session key: must have at least %d bytes", minKeyBytes)
		}
		digest := sha256.Sum256(key)
		block, err := aes.NewCipher(digest[:])
		if err != nil {
			return nil, err
		}
		sealer, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		c.keys = append(c.keys, sealer)
	}
	return c, nil
}

// ReadKeys returns the keys in a file, one for each line that is not empty.
func ReadKeys(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read session keys: %w", err)
	}
	var keys [][]byte
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, []byte(line))
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("read session keys: %s is empty", path)
	}
	return keys, nil
}

// Write sets the cookies of a session. It fails if the session is too large for cookies.
func (c *Cookies) Write(w http.ResponseWriter, s Session) error {
	text, err := c.seal(c.name, s)
	if err != nil {
		return err
	}
	if len(text) > maxCookies*cookieSize {
		return errors.New("the token is too long for a cookie")
	}
	for i := range maxCookies {
		part := text[min(i*cookieSize, len(text)):min((i+1)*cookieSize, len(text))]
		if part == "" {
			http.SetCookie(w, c.newCookie(c.partName(i), "", -1))
			continue
		}
		http.SetCookie(w, c.newCookie(c.partName(i), part, int(time.Until(s.Expires).Seconds())))
	}
	return nil
}

// Clear removes the cookies.
func (c *Cookies) Clear(w http.ResponseWriter) {
	for i := range maxCookies {
		http.SetCookie(w, c.newCookie(c.partName(i), "", -1))
	}
}

func (c *Cookies) newCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	}
}

func (c *Cookies) partName(i int) string {
	if i == 0 {
		return c.name
	}
	return fmt.Sprintf("%s-%d", c.name, i)
}

// Read returns the session of a request, and writes its cookies again if they are old. It returns
// false if the request has no valid session.
func (c *Cookies) Read(w http.ResponseWriter, r *http.Request) (Session, bool) {
	var text strings.Builder
	for i := range maxCookies {
		part, err := r.Cookie(c.partName(i))
		if err != nil {
			break
		}
		text.WriteString(part.Value)
	}
	var s Session
	now := time.Now()
	if !c.unseal(c.name, text.String(), &s) || s.hasEnded(now) {
		return Session{}, false
	}
	if s.needsRenewal(now) {
		s.Seen = now
		if c.Write(w, s) != nil {
			return Session{}, false
		}
	}
	return s, true
}

// seal encrypts a value for the cookie with a name. Cookies with another name do not accept it.
func (c *Cookies) seal(name string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, c.keys[0].NonceSize())
	_, _ = rand.Read(nonce) // It never returns an error.
	return base64.RawURLEncoding.EncodeToString(c.keys[0].Seal(nonce, nonce, plain, []byte(name))), nil
}

// unseal decrypts the value of the cookie with a name. It returns false if no key fits.
func (c *Cookies) unseal(name, text string, value any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || text == "" {
		return false
	}
	for _, key := range c.keys {
		if len(sealed) < key.NonceSize() {
			return false
		}
		plain, err := key.Open(nil, sealed[:key.NonceSize()], sealed[key.NonceSize():], []byte(name))
		if err != nil {
			continue
		}
		return json.Unmarshal(plain, value) == nil
	}
	return false
}
