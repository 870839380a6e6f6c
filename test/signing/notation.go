package signing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/notaryproject/notation-core-go/signature"
	_ "github.com/notaryproject/notation-core-go/signature/cose" // Registers the format COSE.
	_ "github.com/notaryproject/notation-core-go/signature/jws"  // Registers the format JWS.
	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Types of signatures of notation.
const (
	JWSType  = "application/jose+json"
	COSEType = "application/cose"
)

// Notary is a certificate authority, and a signer with a certificate of it.
type Notary struct {
	authority, certificate *x509.Certificate
	private                *ecdsa.PrivateKey
}

// NewNotary creates an authority that issues a certificate to an organization, which is valid until a time.
func NewNotary(t testing.TB, organization string, until time.Time) *Notary {
	t.Helper()
	g := NewWithT(t)
	begin := time.Now().Add(-48 * time.Hour)
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"Authority"}, CommonName: "authority"},
		NotBefore: begin, NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	authority := issueCertificate(t, template, template, authorityKey, authorityKey)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{organization}, CommonName: "charts"},
		NotBefore: begin, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	return &Notary{authority: authority, certificate: issueCertificate(t, leaf, authority, private, authorityKey), private: private}
}

func issueCertificate(t testing.TB, template, issuer *x509.Certificate, subject, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, subject.Public(), by)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	parsed, err := x509.ParseCertificate(der)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return parsed
}

// Certificates returns the certificate of the authority in PEM.
func (n *Notary) Certificates() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.authority.Raw})
}

// SignManifest returns a signature of a manifest in a format of notation. It was made while the
// certificate was valid.
func (n *Notary) SignManifest(t testing.TB, manifest []byte, format string) []byte {
	t.Helper()
	g := NewWithT(t)
	signer, err := signature.NewLocalSigner([]*x509.Certificate{n.certificate, n.authority}, n.private)
	g.Expect(err).NotTo(HaveOccurred())
	target := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	at := time.Now()
	if at.After(n.certificate.NotAfter) {
		at = n.certificate.NotAfter.Add(-time.Minute)
	}
	envelope, err := signature.NewEnvelope(format)
	g.Expect(err).NotTo(HaveOccurred())
	signed, err := envelope.Sign(&signature.SignRequest{
		Payload: signature.Payload{
			ContentType: "application/vnd.cncf.notary.payload.v1+json", Content: encodeJSON(t, map[string]any{"targetArtifact": target}),
		},
		Signer: signer, SigningTime: at, SigningScheme: signature.SigningSchemeX509, SigningAgent: "test",
	})
	g.Expect(err).NotTo(HaveOccurred())
	return signed
}
