package source_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
)

func newSSHKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	g := NewWithT(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	signer, err := ssh.NewSignerFromKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	block, err := ssh.MarshalPrivateKey(key, "")
	g.Expect(err).NotTo(HaveOccurred())
	return signer, pem.EncodeToMemory(block)
}

func TestGitOverSSH(t *testing.T) {
	server := startGitServer(t)
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	host, _ := newSSHKey(t)
	user, key := newSSHKey(t)
	other, otherKey := newSSHKey(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	go server.ServeSSH(listener, host, user.PublicKey())
	address := listener.Addr().String()
	known := func(address string, key ssh.PublicKey) []byte {
		return []byte(knownhosts.Line([]string{address}, key) + "\n")
	}
	for _, c := range []struct {
		why       string
		path      string
		key, host []byte
		network   netguard.Policy
		stalled   bool
		reason    string
		says      string
	}{
		{why: "a key that is allowed", key: key, host: known(address, host.PublicKey())},
		{why: "another key of the server", key: key, host: known(address, other.PublicKey()), stalled: true, reason: v1alpha1.ReasonUnauthorized, says: "another key than in known_hosts"},
		{why: "an unknown server", key: key, host: known("git.example", host.PublicKey()), stalled: true, reason: v1alpha1.ReasonUnauthorized, says: "known_hosts has no key of the server"},
		{why: "a key that is not allowed", key: otherKey, host: known(address, host.PublicKey()), reason: v1alpha1.ReasonUnauthorized, says: "rejected the key"},
		{why: "no such repository", path: "/other'.git", key: key, host: known(address, host.PublicKey()), reason: v1alpha1.ReasonNotFound, says: "no git repository at this path"},
		{why: "an address that is not allowed", key: key, host: known(address, host.PublicKey()), network: netguard.Policy{Private: true}, stalled: true, reason: v1alpha1.ReasonNotAllowed, says: "loopback"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			if c.path == "" {
				c.path = "/charts.git"
			}
			if c.network == (netguard.Policy{}) {
				c.network = netguard.Policy{Loopback: true}
			}
			opened, err := source.Open(source.Config{Network: c.network, Git: &source.GitConfig{
				URL: "ssh://git@" + address + c.path, PrivateKey: c.key, KnownHosts: c.host, Checkouts: &source.Checkouts{Dir: t.TempDir()},
			}})
			g.Expect(err).NotTo(HaveOccurred())
			listing, err := opened.List(t.Context(), hydrate.Cursor{})
			if c.reason != "" {
				expectOutcome(g, err, c.stalled, c.reason)
				g.Expect(err).To(MatchError(ContainSubstring(c.says)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
			server.TakeRequests()
			unchanged, err := opened.List(t.Context(), hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(unchanged.NotModified).To(BeTrue())
			requests, bytes := server.TakeRequests()
			g.Expect(requests).To(HaveLen(1))
			g.Expect(bytes).To(BeNumerically("<", 1000))
		})
	}
}

// TestGitServerThatNeverEnds has a server over SSH that accepts connections and sends nothing.
func TestGitServerThatNeverEnds(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	host, _ := newSSHKey(t)
	_, key := newSSHKey(t)
	opened, err := source.Open(source.Config{Network: netguard.Policy{Loopback: true}, Git: &source.GitConfig{
		URL: "ssh://git@" + listener.Addr().String() + "/charts.git", PrivateKey: key, Timeout: 200 * time.Millisecond,
		KnownHosts: []byte(knownhosts.Line([]string{listener.Addr().String()}, host.PublicKey())),
	}})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = opened.List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
	g.Expect(err).To(MatchError(ContainSubstring("did not respond in time")))
}
