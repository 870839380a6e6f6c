package signature

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/appmarket/operator/hydrate"
)

// simpleSigningType is the media type of the text that older signatures of cosign sign.
const simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json"

// Annotations of the layer with the text.
const (
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	logEntryAnnotation    = "dev.sigstore.cosign/bundle"
)

// simpleEntity is an older signature of cosign, whose parts are annotations of a layer.
type simpleEntity struct {
	verify.BaseSignedEntity
	content  verify.SignatureContent
	material verify.VerificationContent
	entries  []*tlog.Entry
}

// newSimpleEntity parses the annotations of a signature.
func newSimpleEntity(one hydrate.Signature) (*simpleEntity, error) {
	decoded, err := base64.StdEncoding.DecodeString(string(one.Content))
	if err != nil || len(decoded) == 0 {
		return nil, errNoEntity
	}
	sum := sha256.Sum256(one.Payload)
	entity := &simpleEntity{content: bundle.NewMessageSignature(sum[:], "SHA2_256", decoded), material: &bundle.PublicKey{}}
	if encoded := one.Annotations[certificateAnnotation]; encoded != "" {
		block, _ := pem.Decode([]byte(encoded))
		if block == nil {
			return nil, errNoEntity
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		entity.material = bundle.NewCertificate(certificate)
	}
	if encoded := one.Annotations[logEntryAnnotation]; encoded != "" {
		entry, err := parseLogEntry([]byte(encoded))
		if err != nil {
			return nil, err
		}
		entity.entries = []*tlog.Entry{entry}
	}
	return entity, nil
}

// parseLogEntry parses the entry in the transparency log, with the promise of the log to include it.
func parseLogEntry(encoded []byte) (*tlog.Entry, error) {
	var parsed struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if err := json.Unmarshal(encoded, &parsed); err != nil {
		return nil, err
	}
	log, err := hex.DecodeString(parsed.Payload.LogID)
	if err != nil {
		return nil, err
	}
	payload := parsed.Payload
	//nolint:staticcheck // The payload is an entry of Rekor v1, which is what this function parses.
	return tlog.NewEntry(payload.Body, payload.IntegratedTime, payload.LogIndex, log, parsed.SignedEntryTimestamp, nil)
}

// HasInclusionPromise reports whether the signature has an entry in a transparency log.
func (e *simpleEntity) HasInclusionPromise() bool { return len(e.entries) > 0 }

// SignatureContent returns the signature.
func (e *simpleEntity) SignatureContent() (verify.SignatureContent, error) { return e.content, nil }

// VerificationContent returns the certificate, or a key without a name.
func (e *simpleEntity) VerificationContent() (verify.VerificationContent, error) {
	return e.material, nil
}

// TlogEntries returns the entry in the transparency log.
func (e *simpleEntity) TlogEntries() ([]*tlog.Entry, error) { return e.entries, nil }

// Timestamps returns no timestamps of authorities.
func (e *simpleEntity) Timestamps() ([][]byte, error) { return nil, nil }

// Version returns the version of bundles that such a signature is equivalent to.
func (e *simpleEntity) Version() (string, error) { return "v0.1", nil }
