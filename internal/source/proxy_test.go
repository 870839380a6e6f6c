package source_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/mutualtls"
	"github.com/appmarket/operator/test/proxyserver"
)

// startProxy starts a proxy that requires credentials, and returns its configuration.
func startProxy(t *testing.T) (*proxyserver.Proxy, source.ProxyConfig) {
	proxy := proxyserver.Start(t, nil)
	proxy.Username, proxy.Password = "me", "pw"
	return proxy, source.ProxyConfig{Address: proxy.URL, Username: "me", Password: "pw"}
}

// hostOf returns the host and port of a server.
func hostOf(server *httptest.Server) string { return server.Listener.Addr().String() }

// TestProxyOfARepository has a repository whose name only the proxy can resolve, and an index that refers to
// other servers.
func TestProxyOfARepository(t *testing.T) {
	g := NewWithT(t)
	proxy, cfg := startProxy(t)
	server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		respondWith(200, nil, indexYAML)(w, r)
	})
	registry := startRegistry(t)
	archive := registry.push(t, "charts/web", "1.0.0", web("1.0.0"))
	proxy.Hosts["charts.example"], proxy.Hosts["charts.example:80"] = hostOf(server), hostOf(server)
	proxy.Hosts["files.example:80"] = hostOf(server)
	opened := openHelm(t, source.HelmConfig{URL: "http://charts.example", TransportConfig: source.TransportConfig{Proxy: cfg}})
	_, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: "http://files.example/a.tgz"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(proxy.TakeRequests()).To(Equal([]string{"GET charts.example", "GET files.example"}))

	content, err := opened.Fetch(t.Context(), hydrate.Offer{URL: "oci://" + registry.host + "/charts/web:1.0.0", Version: "1.0.0"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).To(Equal(archive))
	g.Expect(proxy.TakeRequests()).To(ContainElement("GET "+registry.host), "a registry in the index")

	dependencies, ok := opened.(hydrate.DependencyFetcher)
	g.Expect(ok).To(BeTrue())
	_, err = dependencies.FetchDependencies(t.Context(), []chart.Dependency{{Name: "web", Version: "1.0.0", Repository: "http://files.example"}}, 1<<20)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(proxy.TakeRequests()).To(Equal([]string{"GET files.example", "GET files.example"}), "a repository of dependencies")
}

func TestProxyOfOtherTypes(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	proxy, cfg := startProxy(t)
	transport := newTransportConfig(t, authority, authority)
	transport.Proxy = cfg
	config := authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "registry.example", "git.example")

	plain := startRegistry(t)
	plain.push(t, "charts/web", "1.0.0", web("1.0.0"))
	registry := startCertifiedServer(t, config, forwardTo(t, "http://"+plain.host))
	proxy.Hosts["registry.example:443"] = hostOf(registry.Server)
	opened, err := source.Open(source.Config{OCI: &source.OCIConfig{URL: "oci://registry.example/charts/web", TransportConfig: transport}, Network: netguard.Policy{Loopback: true}})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(proxy.TakeRequests()).To(And(Not(BeEmpty()), HaveEach("CONNECT registry.example:443")))

	opened, err = source.Open(source.Config{
		OCI:     &source.OCIConfig{URL: "oci://registry.example/charts/web", TransportConfig: transport.ForOtherServer()},
		Network: netguard.Policy{Loopback: true},
	})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = opened.List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, false, v1alpha1.ReasonUnauthorized)
	g.Expect(err).To(MatchError(ContainSubstring("check the client certificate in the Secret of spec.oci.certSecretRef")))

	proxy.TakeRequests()
	server := startGitServer(t)
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	git := startCertifiedServer(t, config, server.Repository)
	proxy.Hosts["git.example:443"] = hostOf(git.Server)
	listing, err = server.open(t, source.GitConfig{URL: "https://git.example/team/charts.git", TransportConfig: transport}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(proxy.TakeRequests()).To(And(Not(BeEmpty()), HaveEach("CONNECT git.example:443")))
}

func TestFailuresOfAProxy(t *testing.T) {
	proxy, valid := startProxy(t)
	wrong, down := valid, valid
	wrong.Password = "s3cr3t"
	closed := httptest.NewServer(http.NotFoundHandler())
	down.Address, down.Password = closed.URL, "s3cr3t"
	closed.Close()
	for _, c := range []struct {
		why, url string
		proxy    source.ProxyConfig
		policy   netguard.Policy
		stalled  bool
		reason   string
		text     string
	}{
		{"wrong credentials", "http://charts.example", wrong, netguard.Policy{Loopback: true}, false, v1alpha1.ReasonUnauthorized,
			"get http://charts.example/index.yaml: the proxy returned 407 Proxy Authentication Required: check the credentials in the Secret of spec.helm.proxySecretRef"},
		{"wrong credentials for TLS", "https://charts.example", wrong, netguard.Policy{Loopback: true}, false, v1alpha1.ReasonUnauthorized,
			"get https://charts.example/index.yaml: the proxy returned 407 Proxy Authentication Required: check the credentials in the Secret of spec.helm.proxySecretRef"},
		{"the proxy cannot connect", "https://127.0.0.1:1", valid, netguard.Policy{Loopback: true}, false, v1alpha1.ReasonFetchFailed,
			"get https://127.0.0.1:1/index.yaml: the proxy returned 502 Bad Gateway"},
		{"the proxy is down", "https://charts.example", down, netguard.Policy{Loopback: true}, false, v1alpha1.ReasonFetchFailed,
			"get https://charts.example/index.yaml: proxy: connection refused"},
		{"the proxy has an address that is not allowed", "https://charts.example", wrong, netguard.Policy{Private: true}, true, v1alpha1.ReasonNotAllowed,
			"get https://charts.example/index.yaml: proxy: address not allowed (loopback): use another host"},
		{"a private address behind the proxy", "https://10.0.0.1", wrong, netguard.Policy{Loopback: true}, true, v1alpha1.ReasonNotAllowed,
			"get https://10.0.0.1/index.yaml: address not allowed (private): use another host"},
		{"a metadata service behind the proxy", "http://169.254.169.254", wrong, netguard.Policy{Loopback: true, Private: true}, true, v1alpha1.ReasonNotAllowed,
			"get http://169.254.169.254/index.yaml: address not allowed (link-local): use another host"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			proxy.TakeRequests()
			opened, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: c.url, TransportConfig: source.TransportConfig{Proxy: c.proxy}}, Network: c.policy})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = opened.List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, c.stalled, c.reason)
			g.Expect(err).To(MatchError(HavePrefix(c.text)))
			if c.stalled {
				g.Expect(proxy.TakeRequests()).To(BeEmpty())
			} else {
				g.Expect(len(proxy.TakeRequests())).To(BeNumerically("<=", 1), "credentials that the proxy rejects are not sent again")
			}
		})
	}
}

// TestFailuresOfAProxyOfARegistry has a proxy that rejects the credentials.
func TestFailuresOfAProxyOfARegistry(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		g := NewWithT(t)
		_, cfg := startProxy(t)
		cfg.Password = "s3cr3t"
		opened, err := source.Open(source.Config{
			OCI:     &source.OCIConfig{URL: "oci://registry.example/charts/web", Insecure: insecure, TransportConfig: source.TransportConfig{Proxy: cfg}},
			Network: netguard.Policy{Loopback: true},
		})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = opened.List(t.Context(), hydrate.Cursor{})
		expectOutcome(g, err, false, v1alpha1.ReasonUnauthorized)
		g.Expect(err).To(MatchError(ContainSubstring("check the credentials in the Secret of spec.oci.proxySecretRef")))
	}
}

func TestSSHWithAProxyIsRejected(t *testing.T) {
	_, cfg := startProxy(t)
	_, err := source.Open(source.Config{Git: &source.GitConfig{URL: "ssh://git@git.example/a.git", TransportConfig: source.TransportConfig{Proxy: cfg}}})
	g := NewWithT(t)
	expectOutcome(g, err, true, v1alpha1.ReasonInvalidSpec)
	g.Expect(strings.HasPrefix(err.Error(), "spec.git.proxySecretRef: SSH does not use a proxy")).To(BeTrue(), err.Error())
}

// TestHostileProxies has proxies that respond with text that must not be quoted, or not at all.
func TestHostileProxies(t *testing.T) {
	endless := func(w io.Writer) {
		for line := []byte("S3cr3t: " + strings.Repeat("s3cr3t", 100) + "\r\n"); ; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		why     string
		respond func(w net.Conn)
		text    string
	}{
		{"no response", func(w net.Conn) { _, _ = io.Copy(io.Discard, w) }, "server did not respond in time"},
		{"the connection is closed", func(net.Conn) {}, "connection was closed before the end of the response"},
		{"endless headers", func(w net.Conn) { fmt.Fprint(w, "HTTP/1.1 200 OK\r\n"); endless(w) }, ""},
		{"another protocol", func(w net.Conn) { fmt.Fprint(w, "SSH-2.0-s3cr3t\r\n") }, ""},
		{"an invalid status", func(w net.Conn) { fmt.Fprint(w, "HTTP/1.1 s3cr3t\r\n\r\n") }, ""},
		{"a status with a text", func(w net.Conn) { fmt.Fprint(w, "HTTP/1.1 599 s3cr3t\r\nContent-Length: 6\r\n\r\ns3cr3t") }, "the proxy returned 599"},
		{"a redirect", func(w net.Conn) {
			fmt.Fprint(w, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/s3cr3t\r\nContent-Length: 0\r\n\r\n")
		}, "the proxy returned 302 Found"},
		{"a web page as the server", func(w net.Conn) { fmt.Fprint(w, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\ns3cr3t") }, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			g.Expect(err).NotTo(HaveOccurred())
			defer listener.Close()
			go func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer connection.Close()
						if _, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
							c.respond(connection)
						}
					}()
				}
			}()
			opened := openHelm(t, source.HelmConfig{URL: "https://charts.example", Timeout: time.Second, TransportConfig: source.TransportConfig{
				Proxy: source.ProxyConfig{Address: "http://" + listener.Addr().String(), Username: "me", Password: "s3cr3t"},
			}})
			_, err = opened.List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
			g.Expect(err).To(MatchError(HavePrefix("get https://charts.example/index.yaml: " + c.text)))
		})
	}
}
