package license

import (
	"errors"
	"fmt"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxCredentialBytes is the maximum size of a credential.
	MaxCredentialBytes = 64 << 10
	// DefaultSkew is the default tolerance for differences of the issuer's clock.
	DefaultSkew = time.Minute
	// MaxSkew is the maximum tolerance.
	MaxSkew = 5 * time.Minute
)

// ErrUnknownKey is the error if no key of the issuer matches the credential. The key can be
// newer than the key set. Test with errors.Is.
var ErrUnknownKey = errors.New("the key set of the issuer has no matching key")

// Terms are the requirements that a credential must meet.
type Terms struct {
	// Issuer and Product are compared exactly. If either is empty, no credential is valid.
	Issuer  string
	Product string
	// Subject is compared exactly. If empty, any subject is valid.
	Subject string
	// Keys are the keys of the issuer: a JSON Web Key Set, or a single JSON Web Key.
	Keys []byte
	// Skew is the tolerance for clock differences, at most MaxSkew. Defaults to DefaultSkew.
	Skew time.Duration
}

// Claims are the claims of a valid credential. Subject is confidential and must not be
// written to a status, event or log.
type Claims struct {
	Issuer  string
	Product string
	Subject string
	// Expires is the end of the license, without the skew.
	Expires time.Time
}

// Check returns the claims of the credential if it is a valid license under the terms at the
// given time. Surrounding white space is ignored.
//
// The credential is a JWS in compact form, signed with RS, PS or ES (256, 384 or 512) or
// EdDSA, by a key of the terms. RSA keys must have at least 2048 bits. Secret and private
// keys are not used, nor are keys for another purpose or algorithm. The header's kid selects
// the key; without kid, each matching key is tried, at most 20. Keys in the header are
// ignored; a header with crit is rejected. The payload has iss, exp and the product: in
// product, product_id, vc.credentialSubject.product or vc.credentialSubject.productId, with
// the same value in each. The claims nbf and iat are verified if present; aud is ignored.
//
// Errors are stalled, with LicenseNotFound, LicenseExpired, LicenseNotYetValid,
// LicenseKeysUnavailable if the terms contain no key set, and LicenseInvalid otherwise.
func Check(credential string, terms Terms, now time.Time) (Claims, error) {
	if terms.Issuer == "" || terms.Product == "" {
		return Claims{}, invalidError("the app does not specify the issuer and the product of its license; contact its developer")
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

// allowedSkew returns the skew within its limits.
func (t Terms) allowedSkew() time.Duration {
	if t.Skew <= 0 {
		return DefaultSkew
	}
	return min(t.Skew, MaxSkew)
}

// invalidError returns the error for an invalid credential.
func invalidError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf("check credential: "+format, args...))
}
