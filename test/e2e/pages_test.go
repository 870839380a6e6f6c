//go:build e2e

package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/coder/websocket"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// shellProgram is the program in the image of the app with a shell. The node needs it, too.
const shellProgram = "/bin/busybox"

func pageSteps() {
	It("opens a terminal in a container with the pages of the chart", func(ctx SpecContext) {
		pushApp("shell:1.0", layerWith("bin/sh", shellProgram), layerWith("bin/busybox", shellProgram))
		t, _ := newTenant(ctx, podChart("shell", "image: samples.appmarket.io/shell:1.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "shell")
		certificate := createCertificate(ctx, "pages")
		runHelm(ctx, "upgrade", "appmarket", chartReference, "--plain-http", "--version", versionOf(releasedChart()), "--namespace", system,
			"--reset-then-reuse-values", "--set", "ui.enabled=true,ui.terminal.enabled=true,ui.tlsSecret=pages", "--wait", "--timeout", "80s")
		pages := "https://" + cluster.Kubectl(ctx, "get", "service", "appmarket-ui", "--namespace", system, "--output", "jsonpath={.spec.clusterIP}")

		browser := signIn(ctx, pages, t.Token(ctx), certificate)
		pod := cluster.Kubectl(ctx, "get", "pods", "--namespace", t.Namespace, "--output", "jsonpath={.items[*].metadata.name}")
		address := pages + "/instances/" + t.Namespace + "/shell/terminal/stream?pod=" + pod + "&container=app&width=90&height=30"
		conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: browser, HTTPHeader: http.Header{"Origin": {pages}}})
		Expect(err).NotTo(HaveOccurred())
		defer conn.CloseNow() //nolint:errcheck // The server closes it.
		expectOutput(ctx, conn, "$ ")
		enter(ctx, conn, "echo $((6*7)) as $(busybox id -u)")
		expectOutput(ctx, conn, "42 as 65532")
		enter(ctx, conn, "busybox stty size")
		expectOutput(ctx, conn, "30 90")
		Expect(conn.Write(ctx, websocket.MessageText, []byte(`{"size":{"width":132,"height":50}}`))).To(Succeed())
		Eventually(func() string {
			enter(ctx, conn, "busybox stty size; echo end")
			return readUntil(ctx, conn, "\r\nend")
		}).WithContext(ctx).Should(ContainSubstring("50 132"))

		cluster.Kubectl(ctx, "delete", "pod", pod, "--namespace", t.Namespace, "--wait=false", "--grace-period=1")
		ended := readUntil(ctx, conn, `{"ended":`)
		addLine("%s", ended[strings.LastIndex(ended, `{"ended":`):])
	})
}

// createCertificate creates a Secret with the certificate of example.com that httptest uses, and returns it.
func createCertificate(ctx context.Context, name string) *x509.Certificate {
	GinkgoHelper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	Expect(err).NotTo(HaveOccurred())
	Expect(cluster.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		},
	})).To(Succeed())
	return server.Certificate()
}

// signIn returns a client with a session of the pages for the user of a token. It trusts the certificate.
func signIn(ctx context.Context, pages, token string, trusted *x509.Certificate) *http.Client {
	GinkgoHelper()
	jar, err := cookiejar.New(nil)
	Expect(err).NotTo(HaveOccurred())
	authorities := x509.NewCertPool()
	authorities.AddCert(trusted)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, ServerName: "example.com"}}
	DeferCleanup(transport.CloseIdleConnections)
	browser := &http.Client{Jar: jar, Timeout: timeout, Transport: transport}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, pages+"/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", pages)
	response, err := browser.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	Expect(response.Request.URL.Path).To(Equal("/apps"), "the page after signing in: %s", response.Status)
	return browser
}

// enter types a line.
func enter(ctx context.Context, conn *websocket.Conn, line string) {
	GinkgoHelper()
	Expect(conn.Write(ctx, websocket.MessageBinary, []byte(line+"\r"))).To(Succeed())
}

// expectOutput reads messages until their text contains a text.
func expectOutput(ctx context.Context, conn *websocket.Conn, text string) {
	GinkgoHelper()
	Expect(readUntil(ctx, conn, text)).To(ContainSubstring(text))
}

// readUntil reads messages until their text contains a text, and returns them.
func readUntil(ctx context.Context, conn *websocket.Conn, text string) string {
	GinkgoHelper()
	var read strings.Builder
	for !strings.Contains(read.String(), text) {
		_, content, err := conn.Read(ctx)
		Expect(err).NotTo(HaveOccurred(), "after %q, expected %q", read.String(), text)
		read.Write(content)
	}
	return read.String()
}
