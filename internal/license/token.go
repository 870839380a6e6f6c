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

// rsaAlgorithms are made by RSA keys.
var rsaAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
}

// algorithms are those that sign with a private key that only the issuer has.
var algorithms = slices.Concat(rsaAlgorithms, []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
})

// parseToken reads the form of a credential; its signature is not yet checked.
// What the library says about a token may quote it, and is not passed on.
func parseToken(credential string, terms Terms) (*jose.JSONWebSignature, error) {
	if len(credential) > MaxCredentialBytes {
		return nil, invalidError("it is larger than %d bytes; give the credential that issuer %q sent", MaxCredentialBytes, terms.Issuer)
	}
	credential = strings.TrimSpace(credential)
	if credential == "" {
		return nil, outcome.Stalled(v1alpha1.ReasonLicenseMissing, fmt.Errorf(
			"check credential: there is none; buy product %q from issuer %q and name the Secret with the credential in credentialRef",
			terms.Product, terms.Issuer))
	}
	if !isCompact(credential) {
		return nil, invalidError("it is not a signed token in compact form; give the credential as issuer %q sent it", terms.Issuer)
	}
	token, err := jose.ParseSignedCompact(credential, algorithms)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, invalidError("its signature algorithm is not allowed; ask issuer %q for one with any of %v", terms.Issuer, algorithms)
	}
	if err != nil {
		return nil, invalidError("its header cannot be read; give the credential as issuer %q sent it", terms.Issuer)
	}
	// Both change what a signature covers or means; a credential needs neither.
	extra := token.Signatures[0].Protected.ExtraHeaders
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := extra[name]; ok {
			return nil, invalidError("its header demands %q, which is not supported; ask issuer %q for one without", name, terms.Issuer)
		}
	}
	return token, nil
}

// isCompact reports whether a text is three parts in base64url. The library's own
// decoder also takes line breaks and stray bits at the end of a part.
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

// verify gives the payload if one of the keys signed the token.
func verifySignature(token *jose.JSONWebSignature, keys []jose.JSONWebKey, issuer string) ([]byte, error) {
	header := token.Signatures[0].Protected
	fitting := matchingKeys(keys, header.KeyID, jose.SignatureAlgorithm(header.Algorithm))
	if len(fitting) == 0 {
		return nil, invalidError("%w; ask issuer %q for a new one, or for its present keys", ErrUnknownKey, issuer)
	}
	if len(fitting) > maxMatchingKeys {
		return nil, invalidError("more than %d keys of issuer %q fit; ask for a credential that names its key (kid)", maxMatchingKeys, issuer)
	}
	for _, key := range fitting {
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, invalidError("its signature is not that of issuer %q; give the credential as the issuer sent it", issuer)
}
