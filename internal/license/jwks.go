package license

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// MaxKeySetBytes is the maximum size of a key set, and maxKeys the maximum number of its
	// keys.
	MaxKeySetBytes = 256 << 10
	maxKeys        = 100
	// maxMatchingKeys is the maximum number of keys that a signature is verified with.
	maxMatchingKeys = 20
	// minRSABits is the minimum size of a secure RSA key.
	minRSABits = 2048
)

var (
	errNoKeys      = errors.New("empty; set a JSON Web Key Set")
	errNoKeySet    = errors.New("not a JSON Web Key Set")
	errKeySetSize  = fmt.Errorf("larger than %d bytes", MaxKeySetBytes)
	errTooManyKeys = fmt.Errorf("more than %d keys", maxKeys)
)

// readKeys parses a key set or a single key. As RFC 7517 requires, it ignores keys that are
// not supported or must not be used, so the result can be empty.
func readKeys(text []byte) ([]jose.JSONWebKey, error) {
	switch {
	case len(text) == 0:
		return nil, errNoKeys
	case len(text) > MaxKeySetBytes:
		return nil, errKeySetSize
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
		Type string            `json:"kty"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errNoKeySet
	}
	switch {
	case set.Keys == nil && set.Type == "":
		return nil, errNoKeySet
	case set.Keys == nil:
		set.Keys = []json.RawMessage{text}
	case len(set.Keys) > maxKeys:
		return nil, errTooManyKeys
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		if key, ok := readKey(raw); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// readKey parses a public key for signatures. It returns false for any other key.
func readKey(text []byte) (jose.JSONWebKey, bool) {
	var about struct {
		Use        string          `json:"use"`
		Operations []string        `json:"key_ops"`
		Private    json.RawMessage `json:"d"`
		Secret     json.RawMessage `json:"k"`
	}
	if err := json.Unmarshal(text, &about); err != nil {
		return jose.JSONWebKey{}, false
	}
	// Everyone who can read a secret key could sign as the issuer.
	if about.Private != nil || about.Secret != nil {
		return jose.JSONWebKey{}, false
	}
	if about.Use != "" && about.Use != "sig" {
		return jose.JSONWebKey{}, false
	}
	if about.Operations != nil && !slices.Contains(about.Operations, "verify") {
		return jose.JSONWebKey{}, false
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil || !key.IsPublic() || !key.Valid() {
		return jose.JSONWebKey{}, false
	}
	if public, ok := key.Key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
		return jose.JSONWebKey{}, false
	}
	return key, true
}

// matchingKeys returns the keys that can have made a signature: the keys with the name, or if
// there is none, the keys without a name. Without a name, all keys match.
func matchingKeys(keys []jose.JSONWebKey, name string, algorithm jose.SignatureAlgorithm) []jose.JSONWebKey {
	var named, nameless []jose.JSONWebKey
	for _, key := range keys {
		switch {
		case !matchesAlgorithm(key, algorithm):
		case name == "" || key.KeyID == name:
			named = append(named, key)
		case key.KeyID == "":
			nameless = append(nameless, key)
		}
	}
	if len(named) == 0 {
		return nameless
	}
	return named
}

// matchesAlgorithm reports whether a key can be used for an algorithm.
func matchesAlgorithm(key jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return slices.Contains(rsaAlgorithms, algorithm)
	case *ecdsa.PublicKey:
		return curves[public.Curve.Params().BitSize] == algorithm
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	}
	return false
}

// curves are the algorithms by the size of their curve in bits.
var curves = map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}
