package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// signaturePrefix is the algorithm of signatures.
const signaturePrefix = "sha256="

// isAuthentic reports whether the sender of a request knows the token. All comparisons take the same time for
// any content.
func isAuthentic(kind v1alpha1.ReceiverType, r *http.Request, body, token []byte) bool {
	switch kind {
	case v1alpha1.ReceiverGitHub:
		return hasSignature(r.Header.Get("X-Hub-Signature-256"), body, token)
	case v1alpha1.ReceiverGeneric:
		return hasSignature(r.Header.Get("X-Signature"), body, token)
	case v1alpha1.ReceiverGitLab:
		return isToken(r.Header.Get("X-Gitlab-Token"), token)
	case v1alpha1.ReceiverHarbor:
		return isToken(r.Header.Get("Authorization"), token)
	case v1alpha1.ReceiverDockerHub:
		return isToken(r.URL.Query().Get("token"), token)
	}
	return false
}

// hasSignature reports whether a header contains the HMAC of a body.
func hasSignature(header string, body, token []byte) bool {
	sum := hmac.New(sha256.New, token)
	sum.Write(body)
	given, err := hex.DecodeString(strings.TrimPrefix(header, signaturePrefix))
	return hmac.Equal(sum.Sum(nil), given) && err == nil && strings.HasPrefix(header, signaturePrefix)
}

// isToken compares the digests of two tokens, so that the time does not depend on the length.
func isToken(given string, token []byte) bool {
	left, right := sha256.Sum256([]byte(given)), sha256.Sum256(token)
	return subtle.ConstantTimeCompare(left[:], right[:]) == 1 && given != ""
}
