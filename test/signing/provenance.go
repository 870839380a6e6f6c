// Package signing signs charts for tests as helm, cosign and notation do, with keys, certificate authorities and a
// transparency log that it creates.
package signing

import (
	"bytes"
	"crypto"
	"fmt"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
)

// ProvenanceKey is an OpenPGP key that signs provenance files.
type ProvenanceKey struct {
	entity *openpgp.Entity
	now    time.Time
}

// NewProvenanceKey creates a key.
func NewProvenanceKey(t testing.TB) *ProvenanceKey {
	t.Helper()
	return newProvenanceKeyAt(t, time.Now(), 0)
}

// NewExpiredProvenanceKey creates a key that has expired after it signed.
func NewExpiredProvenanceKey(t testing.TB) *ProvenanceKey {
	t.Helper()
	return newProvenanceKeyAt(t, time.Now().Add(-2*time.Hour), 3600)
}

func newProvenanceKeyAt(t testing.TB, now time.Time, lifetime uint32) *ProvenanceKey {
	t.Helper()
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return now }, KeyLifetimeSecs: lifetime}
	entity, err := openpgp.NewEntity("Charts", "", "charts@example.com", config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return &ProvenanceKey{entity: entity, now: now}
}

// Fingerprint returns the fingerprint of the key.
func (k *ProvenanceKey) Fingerprint() string {
	return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint)
}

// Keyring returns the public key.
func (k *ProvenanceKey) Keyring(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	NewWithT(t).Expect(k.entity.Serialize(&out)).To(Succeed())
	return out.Bytes()
}

// ArmoredKeyring returns the public key in ASCII armor.
func (k *ProvenanceKey) ArmoredKeyring(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(k.entity.Serialize(writer)).To(Succeed())
	NewWithT(t).Expect(writer.Close()).To(Succeed())
	return out.Bytes()
}

// SignArchive returns the provenance file of an archive.
func (k *ProvenanceKey) SignArchive(t testing.TB, archive []byte) []byte {
	t.Helper()
	return k.SignText(t, "apiVersion: v2\nname: web\nversion: 1.0.0\n\n...\nfiles:\n  web-1.0.0.tgz: "+chart.Digest(archive)+"\n")
}

// SignText returns a signed text.
func (k *ProvenanceKey) SignText(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	config := &packet.Config{DefaultHash: crypto.SHA256, Time: func() time.Time { return k.now }}
	writer, err := clearsign.Encode(&out, k.entity.PrivateKey, config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	_, err = writer.Write([]byte(text))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(writer.Close()).To(Succeed())
	return out.Bytes()
}
