package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
)

// mountCertificate writes a new certificate for 127.0.0.1 into a directory as the kubelet
// does for a Secret: by replacing a link. It returns the pool that trusts it.
func mountCertificate(t *testing.T, dir, version string) *x509.CertPool {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	g.Expect(err).NotTo(HaveOccurred())
	private, err := x509.MarshalPKCS8PrivateKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	g.Expect(os.Mkdir(filepath.Join(dir, version), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(dir, version, "tls.crt"), certificate, 0o644)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(dir, version, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)).To(Succeed())
	g.Expect(os.Symlink(version, filepath.Join(dir, "..data_tmp"))).To(Succeed())
	g.Expect(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))).To(Succeed())
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); !os.IsExist(err) {
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return pool
}

func TestRepositoryIsServedOverHTTPS(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	first := mountCertificate(t, dir, "..1")
	o, err := parseFlags([]string{"--repository-cert-dir=" + dir, "--repository-bind-address=127.0.0.1:0"})
	g.Expect(err).NotTo(HaveOccurred())
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	service, certificate, err := repositoryService(o, hello, logr.Discard())
	g.Expect(err).NotTo(HaveOccurred())
	service.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	address := service.Listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- service.Start(ctx) }()
	go func() { ended <- certificate.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		NewWithT(t).Expect(<-ended).To(Succeed())
		NewWithT(t).Expect(<-ended).To(Succeed())
	})
	ask := func(trusted *x509.CertPool) (string, error) {
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: trusted},
		}}
		response, err := client.Get("https://" + address + "/")
		if err != nil {
			return "", err
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	g.Expect(ask(first)).To(Equal("HTTP/1.1"))
	response, err := http.Get("http://" + address + "/")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.StatusCode).To(Equal(http.StatusBadRequest), "plain HTTP")
	g.Expect(response.Body.Close()).To(Succeed())

	second := mountCertificate(t, dir, "..2")
	g.Eventually(ask).WithArguments(second).WithTimeout(30*time.Second).Should(Equal("HTTP/1.1"), "the new certificate")
	_, err = ask(first)
	g.Expect(err).To(HaveOccurred(), "the old certificate is no longer served")
}

func TestRepositoryRequiresItsCertificate(t *testing.T) {
	g := NewWithT(t)
	o, err := parseFlags([]string{"--repository-cert-dir=" + t.TempDir()})
	g.Expect(err).NotTo(HaveOccurred())
	_, _, err = repositoryService(o, http.NotFoundHandler(), logr.Discard())
	g.Expect(err).To(MatchError(And(ContainSubstring("--repository-cert-dir"), ContainSubstring("tls.crt"))))
}

func TestRepositoryURL(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                       "http://localhost:8879",
		"--repository-bind-address=127.0.0.1:90": "http://127.0.0.1:90",
		"--repository-cert-dir=/certs":           "https://localhost:8879",
		"--repository-cert-dir=/certs --repository-url=http://charts.example/x/": "http://charts.example/x",
	} {
		o, err := parseFlags(strings.Fields(flags))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(repositoryURL(o)).To(Equal(want), flags)
	}
}

func TestConnectionsMustBePositive(t *testing.T) {
	for _, flag := range []string{"--repository-connections=0", "--repository-connections=-1"} {
		_, err := parseFlags([]string{flag})
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring("--repository-connections")))
	}
}
