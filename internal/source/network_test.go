package source_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
)

// TestNetworkPolicyOfSources requests an index, an archive and a redirect at an address that
// only some policies allow.
func TestNetworkPolicyOfSources(t *testing.T) {
	var requests atomic.Int32
	privateServer := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		fmt.Fprint(w, "s3cr3t")
	})
	redirecting := startServer(t, redirectTo(strings.Replace(privateServer.URL, "127.0.0.1", "10.0.0.1", 1)))
	for why, c := range map[string]struct {
		policy     netguard.Policy
		url, offer string
	}{
		"a source of a tenant":             {netguard.Policy{}, privateServer.URL, privateServer.URL + "/a.tgz"},
		"a source of a market":             {netguard.Policy{Private: true}, privateServer.URL, privateServer.URL + "/a.tgz"},
		"a private address":                {netguard.Policy{Loopback: true}, "http://10.0.0.1:1", "http://192.168.0.1:1/a.tgz"},
		"a service by its name":            {netguard.Policy{Loopback: true}, "http://consul.team.svc", "http://consul.team.svc/a.tgz"},
		"a redirect to a private address":  {netguard.Policy{Loopback: true}, redirecting.URL, redirecting.URL + "/a.tgz"},
		"the metadata, even for a market":  {netguard.Policy{Private: true}, "http://100.100.100.200", "http://[fd00:ec2::23]/a.tgz"},
		"the metadata in a local run, too": {netguard.Policy{Private: true, Loopback: true}, "http://168.63.129.16", "http://169.254.169.254/a.tgz"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			opened, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: c.url}, Network: c.policy})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = opened.List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, true, v1alpha1.ReasonNotAllowed)
			_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: c.offer})
			expectOutcome(g, err, true, v1alpha1.ReasonNotAllowed)
		})
	}
	NewWithT(t).Expect(requests.Load()).To(BeZero(), "no connection was made")
}

// TestMessagesDoNotQuoteResponses requests an index and an archive from servers that are not
// repositories, as there are inside a network.
func TestMessagesDoNotQuoteResponses(t *testing.T) {
	page := func(text string) func(*testing.T) string {
		return func(t *testing.T) string { return startServer(t, respondWith(200, nil, text)).URL }
	}
	for why, start := range map[string]func(*testing.T) string{
		"a server of another protocol":  startRawServer("SSH-2.0-s3cr3t\r\n"),
		"an invalid status line":        startRawServer("HTTP/1.1 s3cr3t\r\n\r\n"),
		"an invalid header":             startRawServer("HTTP/1.1 200 OK\r\ns3cr3t\r\n\r\n"),
		"an invalid content length":     startRawServer("HTTP/1.1 200 OK\r\nContent-Length: s3cr3t\r\n\r\n"),
		"an invalid encoding":           startRawServer("HTTP/1.1 200 OK\r\nTransfer-Encoding: s3cr3t\r\n\r\n"),
		"a redirect to an invalid URL":  startRawServer("HTTP/1.1 302 Found\r\nLocation: http://[s3cr3t\r\n\r\n"),
		"a page":                        page("<html>s3cr3t</html>"),
		"an anchor":                     page("password: *s3cr3t\n"),
		"a key that is given twice":     page("s3cr3t: 1\ns3cr3t: 2\n"),
		"JSON":                          page(`{"s3cr3t": "s3cr3t"`),
		"an INI file":                   page("[s3cr3t]\nkey = 's3cr3t\n"),
		"YAML with a tag":               page("a: !s3cr3t!s3cr3t b\n"),
		"YAML that is indented wrongly": page("apiVersion: v1\nentries:\n  s3cr3t: [\n s3cr3t: ]]\n"),
		"a certificate of another host": func(t *testing.T) string { return startTLSServer(t, respondWith(200, nil, "s3cr3t")) },
		"an unknown status text":        startRawServer("HTTP/1.1 500 s3cr3t\r\nContent-Length: 6\r\n\r\ns3cr3t"),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			opened := openHelm(t, source.HelmConfig{URL: start(t)})
			_, err := opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).To(MatchError(Not(ContainSubstring("s3cr3t"))))
			payload, err := opened.Fetch(t.Context(), hydrate.Offer{URL: "a.tgz"})
			if err == nil {
				_, err = chart.Unpack(payload.Archive)
			}
			g.Expect(err).To(MatchError(Not(ContainSubstring("s3cr3t"))))
		})
	}
}

// startRawServer returns a function that starts a server with the same response to every
// connection.
func startRawServer(text string) func(*testing.T) string {
	return func(t *testing.T) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = connection.Read(make([]byte, 4096))
				_, _ = connection.Write([]byte(text))
				_ = connection.Close()
			}
		}()
		return "http://" + listener.Addr().String()
	}
}

// startTLSServer starts a server with an untrusted certificate.
func startTLSServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
