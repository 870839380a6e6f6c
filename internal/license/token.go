package license

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// rsaAlgorithms are the algorithms of RSA keys.
var rsaAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
}

// algorithms are the allowed algorithms. All of them use a private key that only the issuer
// has.
var algorithms = slices.Concat(rsaAlgorithms, []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
})

// parseToken parses a credential without verifying its signature. Errors of the library may
// contain parts of the token and are not returned.
func parseToken(credential string, terms Terms) (*jose.JSONWebSignature, error) {
	if len(credential) > MaxCredentialBytes {
		return nil, invalidError("the credential is larger than %d bytes; use the credential that issuer %q sent", MaxCredentialBytes, terms.Issuer)
	}
	credential = strings.TrimSpace(credential)
	if credential == "" {
		return nil, outcome.Stalled(v1alpha1.ReasonLicenseNotFound, fmt.Errorf(
			"check credential: the credential is empty; purchase product %q from issuer %q and store the credential in the Secret of credentialSecretRef",
			terms.Product, terms.Issuer))
	}
	if !isCompact(credential) {
		return nil, invalidError("the credential is not a signed token in compact form; use the credential as issuer %q sent it", terms.Issuer)
	}
	token, err := jose.ParseSignedCompact(credential, algorithms)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, invalidError("the signature algorithm is not allowed; request a credential from issuer %q with one of %v", terms.Issuer, algorithms)
	}
	if err != nil {
		return nil, invalidError("the header cannot be parsed; use the credential as issuer %q sent it", terms.Issuer)
	}
	// Both change what a signature covers. A credential needs neither.
	extra := token.Signatures[0].Protected.ExtraHeaders
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := extra[name]; ok {
			return nil, invalidError("the header parameter %q is not supported; request a credential without it from issuer %q", name, terms.Issuer)
		}
	}
	return token, nil
}

// isCompact reports whether a text is three parts in base64url. The decoder of the library
// also accepts line breaks and extra bits at the end of a part.
func isCompact(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || strings.ContainsAny(text, "\r\n") {
		return false
	}
	for _, part := range parts {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || part == "" {
			return false
		}
	}
	return true
}

// verifySignature returns the payload if one of the keys signed the token.
func verifySignature(token *jose.JSONWebSignature, keys []jose.JSONWebKey, issuer string) ([]byte, error) {
	header := token.Signatures[0].Protected
	fitting := matchingKeys(keys, header.KeyID, jose.SignatureAlgorithm(header.Algorithm))
	if len(fitting) == 0 {
		return nil, invalidError("%w; request a new credential, or the current keys, from issuer %q", ErrUnknownKey, issuer)
	}
	if len(fitting) > maxMatchingKeys {
		return nil, invalidError("more than %d keys of issuer %q match; request a credential with a key ID (kid)", maxMatchingKeys, issuer)
	}
	for _, key := range fitting {
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, invalidError("no key of issuer %q matches the signature; use the credential as the issuer sent it", issuer)
}
