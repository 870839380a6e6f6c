package command_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// gateway forwards requests to the API server of the package and records them. Unlike the API server, which
// refuses to forward requests to a loopback address, it also forwards requests to the proxy of a Service.
type gateway struct {
	mu       sync.Mutex
	requests []string
}

// record records a request. The options of a deletion are its body.
func (g *gateway) record(r *http.Request) {
	request := r.Method + " " + r.URL.RequestURI()
	if r.Method == http.MethodDelete {
		// A body that cannot be read is an error of the request that is forwarded.
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		request += " " + string(body)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = append(g.requests, request)
}

// take returns the requests since the last call.
func (g *gateway) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	requests := g.requests
	g.requests = nil
	return requests
}

// startGateway makes the plugin send its requests through a gateway. Requests below service, the path of a proxy
// of a Service, are answered by a handler.
func (p *plugin) startGateway(service string, handler http.Handler) *gateway {
	p.t.Helper()
	g := NewWithT(p.t)
	transport, err := rest.TransportFor(p.env.Config)
	g.Expect(err).NotTo(HaveOccurred())
	target, err := url.Parse("https://" + strings.TrimPrefix(p.env.Config.Host, "https://"))
	g.Expect(err).NotTo(HaveOccurred())
	forward := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	recorded := &gateway{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded.record(r)
		if service != "" && strings.HasPrefix(r.URL.Path, service+"/") {
			http.StripPrefix(service, handler).ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	p.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	file := filepath.Join(p.t.TempDir(), "kubeconfig")
	g.Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"local": {
			Server: server.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		}},
		Contexts:       map[string]*clientcmdapi.Context{"local": {Cluster: "local", Namespace: "demo"}},
		CurrentContext: "local",
	}, file)).To(Succeed())
	p.kubeconfig = file
	return recorded
}
