package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is longer than any development cluster is kept.
const certificateLife = 365 * 24 * time.Hour

// An authority signs certificates. A cluster has two: one that the API server trusts for people and programs, and one
// for etcd alone, so that no credential of the cluster opens its database.
type authority struct {
	certificate *x509.Certificate
	pair        pair
	key         *ecdsa.PrivateKey
}

// A pair is a certificate and its key as PEM.
type pair struct {
	certificate, key []byte
}

// newAuthority makes a self-signed authority that knows no other.
func newAuthority(name string, now time.Time) (*authority, error) {
	template, err := certificateTemplate(pkix.Name{CommonName: name}, now)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority %q: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse authority %q: %w", name, err)
	}
	encoded, err := encodePair(der, key)
	return &authority{certificate: certificate, key: key, pair: encoded}, err
}

// readAuthority reads the authority that was written to dir as NAME.crt and NAME.key.
func readAuthority(dir, name string) (*authority, error) {
	loaded, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, fmt.Errorf("read authority %q: %w", name, err)
	}
	key, ok := loaded.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read authority %q: its key is a %T", name, loaded.PrivateKey)
	}
	encoded, err := encodePair(loaded.Leaf.Raw, key)
	return &authority{certificate: loaded.Leaf, key: key, pair: encoded}, err
}

// client issues a certificate that the API server reads as this user in these groups.
func (a *authority) client(user string, groups ...string) (pair, error) {
	return a.issue(pkix.Name{CommonName: user, Organization: groups}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, nil)
}

// server issues a certificate for loopback and the given names and addresses. It is a client's as well, since etcd
// calls itself with it.
func (a *authority) server(user string, hosts ...string) (pair, error) {
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return a.issue(pkix.Name{CommonName: user}, usage, append(hosts, "localhost", loopback))
}

func (a *authority) issue(name pkix.Name, usage []x509.ExtKeyUsage, hosts []string) (pair, error) {
	template, err := certificateTemplate(name, a.certificate.NotBefore)
	if err != nil {
		return pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = usage
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign certificate for %q: %w", name.CommonName, err)
	}
	return encodePair(der, key)
}

func certificateTemplate(name pkix.Name, from time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choose serial number: %w", err)
	}
	return &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: from, NotAfter: from.Add(certificateLife)}, nil
}

func encodePair(der []byte, key *ecdsa.PrivateKey) (pair, error) {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, fmt.Errorf("encode key: %w", err)
	}
	return pair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

// write puts the pair into dir as NAME.crt and NAME.key, readable by the owner only.
func (p pair) write(dir, name string) error {
	for suffix, data := range map[string][]byte{".crt": p.certificate, ".key": p.key} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), data, 0o600); err != nil {
			return fmt.Errorf("write certificate: %w", err)
		}
	}
	return nil
}
