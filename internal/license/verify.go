package license

import (
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxCredentialBytes bounds a credential.
	MaxCredentialBytes = 64 << 10
	// DefaultSkew is how far the clock of the issuer may be from ours.
	DefaultSkew = time.Minute
	// MaxSkew is how far it may be at the most, whatever the terms say.
	MaxSkew = 5 * time.Minute
)

// ErrUnknownKey says that no key of the issuer fits the credential: the key may
// be newer than the key set. Test with errors.Is.
var ErrUnknownKey = errors.New("the key set of the issuer has no key that fits the credential")

// Terms are what a credential must say to be a licence.
type Terms struct {
	// Issuer and Product are compared exactly. A credential is refused where
	// either is empty.
	Issuer  string
	Product string
	// Subject is compared exactly; empty means that anybody may hold the licence.
	Subject string
	// Keys are those of the issuer: a JSON Web Key Set, or a single JSON Web Key.
	Keys []byte
	// Skew is at most MaxSkew; zero or less means DefaultSkew.
	Skew time.Duration
}

// Claims are what a valid credential says. Subject is private to its holder and
// belongs in no status, event or log.
type Claims struct {
	Issuer  string
	Product string
	Subject string
	// Expires is when the licence ends, without the skew.
	Expires time.Time
}

// Check reports what the credential says if it is a licence under the terms at
// the given time. White space around it is ignored.
//
// The credential is a JWS in compact form, signed with RS, PS or ES (256, 384 or
// 512) or EdDSA, by a key of the terms: RSA keys have at least 2048 bits, secret
// and private keys are not used, nor are keys for another purpose or algorithm.
// The header's kid picks the key; without one, each key that fits is tried, at
// most 20. Keys that the header brings or points to are ignored; a header with
// crit is refused. The payload has iss, exp and the product: in product,
// product_id, vc.credentialSubject.product or vc.credentialSubject.productId, and
// everywhere the same. The claims nbf and iat count if they are there; aud does
// not.
//
// Errors are stalled, with LicenseMissing, LicenseExpired, LicenseNotYetValid,
// LicenseKeysUnavailable where the terms hold no key set, and LicenseInvalid for
// all else.
func Check(credential string, terms Terms, now time.Time) (Claims, error) {
	if terms.Issuer == "" || terms.Product == "" {
		return Claims{}, invalidError("the app does not say which product of which issuer is to be bought; ask its developer")
	}
	token, err := parseToken(credential, terms)
	if err != nil {
		return Claims{}, err
	}
	keys, err := readKeys(terms.Keys)
	if err != nil {
		return Claims{}, outcome.Stalled(v1alpha1.ReasonLicenseKeysUnavailable,
			fmt.Errorf("read keys of issuer %q: %w", terms.Issuer, err))
	}
	payload, err := verifySignature(token, keys, terms.Issuer)
	if err != nil {
		return Claims{}, err
	}
	return terms.readClaims(payload, now)
}

// skew is within its bounds.
func (t Terms) allowedSkew() time.Duration {
	if t.Skew <= 0 {
		return DefaultSkew
	}
	return min(t.Skew, MaxSkew)
}

// refuse says why a credential is no licence, and what to do about it.
func invalidError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf("check credential: "+format, args...))
}
