// Package proxyserver is an HTTP proxy for tests. It records the requests that it receives, and resolves
// names that no other program can resolve.
package proxyserver

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"testing"
)

// Proxy is a running proxy.
type Proxy struct {
	*httptest.Server
	// Username and Password are required if Username is not empty.
	Username, Password string
	// Hosts are the addresses to which the proxy connects, by the host and port in requests. Other hosts
	// are resolved by the system.
	Hosts map[string]string

	mu       sync.Mutex
	requests []string
}

// Start starts a proxy. A configuration of TLS makes it a proxy with an https URL.
func Start(t testing.TB, config *tls.Config) *Proxy {
	p := &Proxy{Hosts: map[string]string{}}
	p.Server = httptest.NewUnstartedServer(p)
	if config == nil {
		p.Server.Start()
	} else {
		p.Server.TLS = config
		p.Server.StartTLS()
	}
	t.Cleanup(p.Server.CloseClientConnections)
	t.Cleanup(p.Server.Close)
	return p
}

// TakeRequests returns the method and host of each request since the last call.
func (p *Proxy) TakeRequests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.requests
	p.requests = nil
	return taken
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests = append(p.requests, r.Method+" "+r.Host)
	p.mu.Unlock()
	wanted := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password))
	if p.Username != "" && r.Header.Get("Proxy-Authorization") != wanted {
		http.Error(w, "s3cr3t of the proxy", http.StatusProxyAuthRequired)
		return
	}
	if r.Method == http.MethodConnect {
		p.openTunnel(w, r)
		return
	}
	forward := &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {},
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: p.dialHost},
	}
	forward.ServeHTTP(w, r)
}

// dialHost connects to the address of a host.
func (p *Proxy) dialHost(ctx context.Context, network, host string) (net.Conn, error) {
	if address, ok := p.Hosts[host]; ok {
		host = address
	}
	return new(net.Dialer).DialContext(ctx, network, host)
}

// openTunnel copies bytes between the client and a server until one of them ends the connection.
func (p *Proxy) openTunnel(w http.ResponseWriter, r *http.Request) {
	server, err := p.dialHost(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, "s3cr3t of the proxy", http.StatusBadGateway)
		return
	}
	defer func() { _ = server.Close() }() // One of the two has ended the connection.
	connection, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }() // One of the two has ended the connection.
	if _, err := io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	for _, pair := range []struct {
		to   io.Writer
		from io.Reader
	}{{server, buffered}, {connection, server}} {
		go func() {
			_, _ = io.Copy(pair.to, pair.from)
			ended <- struct{}{}
		}()
	}
	<-ended
}
