package pages

import (
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/appmarket/operator/ui/session"
)

const (
	// maxBodyBytes is the size of the largest request body, apart from the archives of charts.
	maxBodyBytes = 1 << 20
	// policy is the content security policy of every answer. There is no inline script and no
	// inline style, and nothing is loaded from elsewhere.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// policyWithStyleNonce returns the policy of a page whose script creates style elements with a nonce.
func policyWithStyleNonce(nonce string) string {
	return strings.Replace(policy, "style-src 'self'", "style-src 'self' 'nonce-"+nonce+"'", 1)
}

// protect adds the headers of every answer, and refuses requests that no page of the server sends.
func (s *Server) protect(next http.Handler) http.Handler {
	checked := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		header.Set("Cache-Control", "no-store")
		if s.HTTPS {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer func() {
			if failure := recover(); failure != nil {
				s.Log.Error(nil, "A page panicked", "path", r.URL.Path, "panic", failure, "stack", string(debug.Stack()))
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		if s.LocalAuthority != "" && !isLocalHost(r.Host, s.LocalAuthority) {
			http.Error(w, "this server is reached as http://"+s.LocalAuthority+" only", http.StatusMisdirectedRequest)
			return
		}
		limit := int64(maxBodyBytes)
		if isUpload(r) {
			limit = maxUploadBodyBytes
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		checked.ServeHTTP(w, r)
	})
}

// isLocalHost reports whether the Host header of a request names this machine and the port of the
// server. Any other name could be one that an attacker has pointed at this machine.
func isLocalHost(host, authority string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	_, ownPort, err := net.SplitHostPort(authority)
	if err != nil || port != ownPort {
		return false
	}
	return name == "localhost" || name == "127.0.0.1" || name == "::1"
}

// addressOf returns the network of a client, by which attempts to sign in are counted: its IPv4
// address, or the first 64 bits of its IPv6 address.
func (s *Server) addressOf(r *http.Request) string {
	address := session.ClientAddress(r, s.TrustedProxies)
	if address.Is4() {
		return address.String()
	}
	network, err := address.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return network.String()
}
