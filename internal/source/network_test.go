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

// TestSourcesReachWhatTheirPolicyAllows has an index, an archive and a redirect at an
// address that not every source may reach.
func TestSourcesReachWhatTheirPolicyAllows(t *testing.T) {
	var asked atomic.Int32
	inside := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, "secret")
	})
	gate := startServer(t, redirectTo(strings.Replace(inside.URL, "127.0.0.1", "10.0.0.1", 1)))
	for why, c := range map[string]struct {
		policy     netguard.Policy
		url, offer string
	}{
		"a source of a tenant":             {netguard.Policy{}, inside.URL, inside.URL + "/a.tgz"},
		"a source of a market":             {netguard.Policy{Private: true}, inside.URL, inside.URL + "/a.tgz"},
		"a private address":                {netguard.Policy{Loopback: true}, "http://10.0.0.1:1", "http://192.168.0.1:1/a.tgz"},
		"a service by its name":            {netguard.Policy{Loopback: true}, "http://consul.team.svc", "http://consul.team.svc/a.tgz"},
		"a redirect to a private address":  {netguard.Policy{Loopback: true}, gate.URL, gate.URL + "/a.tgz"},
		"the metadata, even for a market":  {netguard.Policy{Private: true}, "http://100.100.100.200", "http://[fd00:ec2::23]/a.tgz"},
		"the metadata in a local run, too": {netguard.Policy{Private: true, Loopback: true}, "http://168.63.129.16", "http://169.254.169.254/a.tgz"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			opened, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: c.url}, Network: c.policy})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = opened.List(t.Context(), hydrate.Mark{})
			expectOutcome(g, err, true, v1alpha1.ReasonNotAllowed)
			_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: c.offer})
			expectOutcome(g, err, true, v1alpha1.ReasonNotAllowed)
		})
	}
	NewWithT(t).Expect(asked.Load()).To(BeZero(), "no connection was made")
}

// TestNoMessageQuotesAnAnswer has servers that are no repository, as they are found inside
// of a network.
func TestNoMessageQuotesAnAnswer(t *testing.T) {
	page := func(text string) func(*testing.T) string {
		return func(t *testing.T) string { return startServer(t, respondWith(200, nil, text)).URL }
	}
	for why, start := range map[string]func(*testing.T) string{
		"a server of another protocol":      startRawServer("SSH-2.0-secret\r\n"),
		"a status that is none":             startRawServer("HTTP/1.1 secret\r\n\r\n"),
		"a header that is none":             startRawServer("HTTP/1.1 200 OK\r\nsecret\r\n\r\n"),
		"a length that is none":             startRawServer("HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n"),
		"an encoding that is none":          startRawServer("HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\n"),
		"a redirect to what is no URL":      startRawServer("HTTP/1.1 302 Found\r\nLocation: http://[secret\r\n\r\n"),
		"a page":                            page("<html>secret</html>"),
		"an anchor":                         page("password: *secret\n"),
		"a key that is given twice":         page("secret: 1\nsecret: 2\n"),
		"JSON":                              page(`{"secret": "secret"`),
		"a configuration":                   page("[secret]\nkey = 'secret\n"),
		"YAML with a tag":                   page("a: !secret!secret b\n"),
		"YAML that is indented wrongly":     page("apiVersion: v1\nentries:\n  secret: [\n secret: ]]\n"),
		"a certificate of another host":     func(t *testing.T) string { return startTLSServer(t, respondWith(200, nil, "secret")) },
		"a status of its own with a reason": startRawServer("HTTP/1.1 500 secret\r\nContent-Length: 6\r\n\r\nsecret"),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			opened := openHelm(t, source.HelmConfig{URL: start(t)})
			_, err := opened.List(t.Context(), hydrate.Mark{})
			g.Expect(err).To(MatchError(Not(ContainSubstring("secret"))))
			payload, err := opened.Fetch(t.Context(), hydrate.Offer{URL: "a.tgz"})
			if err == nil {
				_, err = chart.Unpack(payload.Archive)
			}
			g.Expect(err).To(MatchError(Not(ContainSubstring("secret"))))
		})
	}
}

// raw returns the start of a server that answers every connection with a text.
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

// secure starts a server whose certificate nobody trusts.
func startTLSServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
