package source

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
)

func TestTransportsAreShared(t *testing.T) {
	g, server := NewWithT(t), &url.URL{Host: "charts.example"}
	kept := transportPool{byKey: map[transportKey]*netguard.Transport{}}
	get := func(ca []byte) *netguard.Transport {
		transport, err := kept.getTransport(netguard.TransportOptions{}, TransportConfig{CA: ca}, server)
		g.Expect(err).NotTo(HaveOccurred())
		return transport
	}
	plain, first := get(nil), newCertificate(t)
	g.Expect(get(nil)).To(BeIdenticalTo(plain))
	market, err := kept.getTransport(netguard.TransportOptions{Policy: netguard.Policy{Private: true}}, TransportConfig{}, server)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(market).NotTo(BeIdenticalTo(plain), "sources of different policies do not share connections")
	own := get(first)
	g.Expect(own).NotTo(BeIdenticalTo(plain))
	g.Expect(get(first)).To(BeIdenticalTo(own))
	for range maxTransports - 1 {
		get(newCertificate(t))
		get(nil)
	}
	g.Expect(kept.byKey).To(HaveLen(maxTransports))
	g.Expect(kept.order).To(HaveLen(maxTransports))
	g.Expect(get(nil)).To(BeIdenticalTo(plain), "it was used recently")
	g.Expect(get(first)).NotTo(BeIdenticalTo(own), "it was the least recently used")
	_, err = kept.getTransport(netguard.TransportOptions{}, TransportConfig{CA: []byte("no certificate")}, server)
	g.Expect(err).To(HaveOccurred())
	g.Expect(kept.byKey).To(HaveLen(maxTransports))
}

// newCertificate returns a new self-signed certificate in PEM.
func newCertificate(t *testing.T) []byte {
	t.Helper()
	g := NewWithT(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	g.Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
