package signing

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"

	"github.com/appmarket/operator/hydrate"
)

// Sigstore is a certificate authority with a transparency log.
type Sigstore struct{ virtual *ca.VirtualSigstore }

// NewSigstore creates an authority.
func NewSigstore(t testing.TB) *Sigstore {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return &Sigstore{virtual}
}

// TrustedRoot returns the trusted root of the authority in JSON.
func (s *Sigstore) TrustedRoot(t testing.TB) []byte {
	t.Helper()
	g := NewWithT(t)
	logs := s.virtual.RekorLogs()
	for id, log := range logs {
		var err error
		log.ID, err = hex.DecodeString(id)
		g.Expect(err).NotTo(HaveOccurred())
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, s.virtual.FulcioCertificateAuthorities(), nil, nil, logs)
	g.Expect(err).NotTo(HaveOccurred())
	text, err := trusted.MarshalJSON()
	g.Expect(err).NotTo(HaveOccurred())
	return text
}

// SignStatement returns the bundle of a statement about a manifest, signed by a subject with a
// proof that the log includes it.
func (s *Sigstore) SignStatement(t testing.TB, subject, issuer string, manifest []byte, predicate string) []byte {
	t.Helper()
	g := NewWithT(t)
	entity, err := s.virtual.AttestAtTime(subject, issuer, Statement(t, manifest, predicate), time.Now().Add(5*time.Minute), true)
	g.Expect(err).NotTo(HaveOccurred())
	material, err := entity.VerificationContent()
	g.Expect(err).NotTo(HaveOccurred())
	content, err := entity.SignatureContent()
	g.Expect(err).NotTo(HaveOccurred())
	entries, err := entity.TlogEntries()
	g.Expect(err).NotTo(HaveOccurred())
	envelope, entry := content.EnvelopeContent().RawEnvelope(), entries[0].TransparencyLogEntry()
	proof := entry.GetInclusionProof()
	return encodeJSON(t, map[string]any{
		"mediaType": BundleType,
		"verificationMaterial": map[string]any{
			"certificate": map[string]any{"rawBytes": material.Certificate().Raw},
			"tlogEntries": []any{map[string]any{
				"logIndex": strconv.FormatInt(entry.GetLogIndex(), 10), "logId": map[string]any{"keyId": entry.GetLogId().GetKeyId()},
				"kindVersion":       map[string]any{"kind": "dsse", "version": "0.0.1"},
				"integratedTime":    strconv.FormatInt(entry.GetIntegratedTime(), 10),
				"inclusionPromise":  map[string]any{"signedEntryTimestamp": s.signEntry(t, entries[0])},
				"canonicalizedBody": entry.GetCanonicalizedBody(),
				"inclusionProof": map[string]any{
					"logIndex": strconv.FormatInt(proof.GetLogIndex(), 10), "rootHash": proof.GetRootHash(),
					"treeSize": strconv.FormatInt(proof.GetTreeSize(), 10), "hashes": proof.GetHashes(),
					"checkpoint": map[string]any{"envelope": proof.GetCheckpoint().GetEnvelope()},
				},
			}},
		},
		"dsseEnvelope": map[string]any{
			"payload": envelope.Payload, "payloadType": envelope.PayloadType,
			"signatures": []any{map[string]any{"sig": envelope.Signatures[0].Sig}},
		},
	})
}

// SignSimple returns a signature of older versions of cosign for a manifest.
func (s *Sigstore) SignSimple(t testing.TB, subject, issuer string, manifest []byte) hydrate.Signature {
	t.Helper()
	g := NewWithT(t)
	payload := SimplePayload(manifest)
	entity, err := s.virtual.Sign(subject, issuer, payload)
	g.Expect(err).NotTo(HaveOccurred())
	material, err := entity.VerificationContent()
	g.Expect(err).NotTo(HaveOccurred())
	content, err := entity.SignatureContent()
	g.Expect(err).NotTo(HaveOccurred())
	entries, err := entity.TlogEntries()
	g.Expect(err).NotTo(HaveOccurred())
	entry := entries[0].TransparencyLogEntry()
	return hydrate.Signature{
		MediaType: SimpleSigningType, Payload: payload, Content: []byte(base64.StdEncoding.EncodeToString(content.Signature())),
		Annotations: map[string]string{
			"dev.sigstore.cosign/certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: material.Certificate().Raw})),
			"dev.sigstore.cosign/bundle": string(encodeJSON(t, map[string]any{
				"SignedEntryTimestamp": s.signEntry(t, entries[0]),
				"Payload": map[string]any{
					"body": entry.GetCanonicalizedBody(), "integratedTime": entry.GetIntegratedTime(), "logIndex": entry.GetLogIndex(),
					"logID": hex.EncodeToString(entry.GetLogId().GetKeyId()),
				},
			})),
		},
	}
}

// signEntry returns the promise of the log to include an entry.
func (s *Sigstore) signEntry(t testing.TB, of *tlog.Entry) []byte {
	t.Helper()
	entry := of.TransparencyLogEntry()
	signed, err := s.virtual.RekorSignPayload(tlog.RekorPayload{
		Body:           base64.StdEncoding.EncodeToString(entry.GetCanonicalizedBody()),
		IntegratedTime: entry.GetIntegratedTime(), LogIndex: entry.GetLogIndex(), LogID: hex.EncodeToString(entry.GetLogId().GetKeyId()),
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return signed
}
