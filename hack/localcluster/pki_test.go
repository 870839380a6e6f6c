package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCertificatesAreTrustedByTheirAuthorityOnly(t *testing.T) {
	now := time.Now().Add(-time.Minute)
	ours, theirs := must(newAuthority("ours", now)), must(newAuthority("theirs", now))
	client := parse(t, must(ours.client("ann", "people", "admins")))
	server := parse(t, must(ours.server("apiserver", serviceIP, "kubernetes")))

	for _, c := range []struct {
		why         string
		certificate *x509.Certificate
		authority   *authority
		usage       x509.ExtKeyUsage
		host        string
		trusted     bool
	}{
		{"a client is trusted as one", client, ours, x509.ExtKeyUsageClientAuth, "", true},
		{"a client may not serve", client, ours, x509.ExtKeyUsageServerAuth, "", false},
		{"another authority knows nothing of it", client, theirs, x509.ExtKeyUsageClientAuth, "", false},
		{"a server answers for loopback", server, ours, x509.ExtKeyUsageServerAuth, loopback, true},
		{"a server answers for a name", server, ours, x509.ExtKeyUsageServerAuth, "kubernetes", true},
		{"a server answers for its service", server, ours, x509.ExtKeyUsageServerAuth, serviceIP, true},
		{"a server answers for no other address", server, ours, x509.ExtKeyUsageServerAuth, "127.0.0.2", false},
	} {
		roots := x509.NewCertPool()
		roots.AddCert(c.authority.certificate)
		_, err := c.certificate.Verify(x509.VerifyOptions{
			Roots: roots, DNSName: c.host, KeyUsages: []x509.ExtKeyUsage{c.usage},
		})
		if (err == nil) != c.trusted {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	if got := client.Subject; got.CommonName != "ann" || len(got.Organization) != 2 {
		t.Errorf("the API server reads user and groups from the subject, got %s", got)
	}
}

func TestAuthorityThatIsReadIssuesTrustedCertificates(t *testing.T) {
	dir := t.TempDir()
	ours := must(newAuthority("ours", time.Now().Add(-time.Minute)))
	if err := ours.pair.write(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	read := must(readAuthority(dir, "ca"))
	roots := x509.NewCertPool()
	roots.AddCert(ours.certificate)
	kubelet := parse(t, must(read.server("system:node:"+nodeName, nodeAddress)))
	if _, err := kubelet.Verify(x509.VerifyOptions{Roots: roots, DNSName: nodeAddress}); err != nil {
		t.Error(err)
	}
	if _, err := readAuthority(dir, "none"); err == nil {
		t.Error("an authority that does not exist was read")
	}
}

func TestKeysAreReadableByTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	issued := must(must(newAuthority("ours", time.Now())).client("ann"))
	if err := issued.write(dir, "ann"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "ann.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "ann.crt"), filepath.Join(dir, "ann.key")); err != nil {
		t.Errorf("the files are no pair: %v", err)
	}
}

func parse(t *testing.T, p pair) *x509.Certificate {
	t.Helper()
	loaded, err := tls.X509KeyPair(p.certificate, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Leaf
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
