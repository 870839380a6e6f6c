package source_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/source/git"
	"github.com/appmarket/operator/test/gitserver"
)

// gitServer is a repository that is served over HTTPS.
type gitServer struct {
	*gitserver.Repository
	url string
	ca  []byte
	dir string
}

func startGitServer(t *testing.T) *gitServer {
	t.Helper()
	repository, err := gitserver.New(t.TempDir())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	server := httptest.NewUnstartedServer(repository)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &gitServer{
		Repository: repository, url: server.URL + "/team/charts.git", dir: t.TempDir(),
		ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
}

func (s *gitServer) commit(t *testing.T, files map[string]string) string {
	t.Helper()
	commit, err := s.Commit(files)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return commit
}

func (s *gitServer) tag(t *testing.T, arguments ...string) {
	t.Helper()
	_, err := s.Git("", append([]string{"tag"}, arguments...)...)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// open opens the repository as a source.
func (s *gitServer) open(t *testing.T, cfg source.GitConfig) source.Source {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = s.url
	}
	if cfg.CA == nil {
		cfg.CA = s.ca
	}
	cfg.Checkouts = &source.GitCheckouts{Dir: s.dir}
	opened, err := source.Open(source.Config{Git: &cfg, Network: netguard.Policy{Loopback: true}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func chartText(name, version string) string {
	return "apiVersion: v2\nname: " + name + "\nversion: " + version + "\n"
}

// offersOf returns the apps of a listing with their versions.
func offersOf(listing hydrate.Listing) []string {
	var found []string
	for _, app := range listing.Apps {
		for _, offer := range app.Offers {
			found = append(found, app.Name+" "+offer.Version)
		}
	}
	return found
}

func TestGitFollowsABranch(t *testing.T) {
	g := NewWithT(t)
	server := startGitServer(t)
	for i := range 5 { // A history that is not fetched.
		server.commit(t, map[string]string{"web/history": strings.Repeat(fmt.Sprint(i), 100_000)})
	}
	first := server.commit(t, map[string]string{
		"web/Chart.yaml": chartText("web", "1.0.0"), "web/templates/map.yaml": "kind: ConfigMap\n", "web/history": "x",
		"docs/README.md": "no chart", "README.md": "no chart", ".github/Chart.yaml": chartText("hidden", "1.0.0"),
	})
	opened := server.open(t, source.GitConfig{})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(listing.ETag).To(Equal(first))
	requests, _ := server.TakeRequests()
	g.Expect(requests).To(Equal([]string{"GET /team/charts.git/info/refs", "POST /team/charts.git/git-upload-pack"}))

	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(3))
	requests, _ = server.TakeRequests()
	g.Expect(requests).To(BeEmpty(), "the commit that was listed is not fetched again")

	unchanged, err := opened.List(t.Context(), hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unchanged.NotModified).To(BeTrue())
	requests, bytes := server.TakeRequests()
	g.Expect(requests).To(Equal([]string{"GET /team/charts.git/info/refs"}))
	g.Expect(bytes).To(BeNumerically("<", 1000))

	second := server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.1.0"), "cache/Chart.yaml": chartText("cache", "0.1.0")})
	changed, err := opened.List(t.Context(), hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(changed)).To(Equal([]string{"cache 0.1.0", "web 1.1.0"}))
	g.Expect(changed.ETag).To(Equal(second))

	// Another process fetches a chart.
	g.Expect(os.RemoveAll(server.dir)).To(Succeed())
	server.TakeRequests()
	content, err = server.open(t, source.GitConfig{}).Fetch(t.Context(), changed.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(1))
	content, err = opened.Fetch(t.Context(), changed.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred(), "the files were removed by another process")
	g.Expect(content.Files).To(HaveLen(1))
}

func TestGitSelectsACommit(t *testing.T) {
	server := startGitServer(t)
	old := server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	server.tag(t, "v1.0.0")
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.4.0")})
	server.tag(t, "--annotate", "--message", "release", "v1.4.0")
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "2.0.0-rc.1")})
	server.tag(t, "v2.0.0-rc.1")
	server.tag(t, "nightly")
	_, err := server.Git("", "checkout", "--quiet", "-b", "next/major")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "2.0.0-rc.2"), "one/Chart.yaml": chartText("one", "1.0.0")})
	_, err = server.Git("", "checkout", "--quiet", "main")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, c := range []struct {
		why    string
		cfg    source.GitConfig
		want   []string
		reason string
	}{
		{"the default branch", source.GitConfig{}, []string{"web 2.0.0-rc.1"}, ""},
		{"a branch", source.GitConfig{Selection: git.Selection{Branch: "next/major"}}, []string{"one 1.0.0", "web 2.0.0-rc.2"}, ""},
		{"a tag", source.GitConfig{Selection: git.Selection{Tag: "v1.0.0"}}, []string{"web 1.0.0"}, ""},
		{"an annotated tag", source.GitConfig{Selection: git.Selection{Tag: "v1.4.0"}}, []string{"web 1.4.0"}, ""},
		{"a commit", source.GitConfig{Selection: git.Selection{Commit: old}}, []string{"web 1.0.0"}, ""},
		{"a range", source.GitConfig{Selection: git.Selection{Semver: ">=1.0.0"}}, []string{"web 1.4.0"}, ""},
		{"a range with prereleases", source.GitConfig{Selection: git.Selection{Semver: ">=1.0.0-0"}}, []string{"web 2.0.0-rc.1"}, ""},
		{"a chart that is the path", source.GitConfig{Path: "web", Selection: git.Selection{Tag: "v1.0.0"}}, []string{"web 1.0.0"}, ""},
		{"no such branch", source.GitConfig{Selection: git.Selection{Branch: "other"}}, nil, v1alpha1.ReasonNotFound},
		{"no such tag", source.GitConfig{Selection: git.Selection{Tag: "v9"}}, nil, v1alpha1.ReasonNotFound},
		{"no version in the range", source.GitConfig{Selection: git.Selection{Semver: ">=9"}}, nil, v1alpha1.ReasonNotFound},
		{"an invalid range", source.GitConfig{Selection: git.Selection{Semver: "newest"}}, nil, v1alpha1.ReasonInvalidIndex},
		{"no such path", source.GitConfig{Path: "charts/stable"}, nil, v1alpha1.ReasonNotFound},
		{"a path that is a file", source.GitConfig{Path: "web/Chart.yaml"}, nil, v1alpha1.ReasonNotFound},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			listing, err := server.open(t, c.cfg).List(t.Context(), hydrate.Cursor{})
			if c.reason != "" {
				expectOutcome(g, err, true, c.reason)
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(offersOf(listing)).To(Equal(c.want))
		})
	}
}

func TestGitHasDependencies(t *testing.T) {
	g := NewWithT(t)
	server := startGitServer(t)
	server.commit(t, map[string]string{
		"charts/web/Chart.yaml":    chartText("web", "1.0.0") + "dependencies:\n- {name: common, version: 1.x, repository: 'file://../common'}\n",
		"charts/common/Chart.yaml": chartText("common", "1.2.0"),
	})
	cfg := source.Config{Git: &source.GitConfig{URL: server.url, CA: server.ca, Path: "./charts/", Checkouts: &source.GitCheckouts{Dir: server.dir}}, Network: netguard.Policy{Loopback: true}}
	draft, err := hydrateApp(t.Context(), t, cfg, "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archiveNames(t, draft.Archive)).To(ContainElement("charts/common-1.2.0.tgz"))
	requests, _ := server.TakeRequests()
	g.Expect(requests).To(HaveLen(2), "one fetch for the listing and all charts")
}

func TestGitCredentials(t *testing.T) {
	var abroad atomic.Int32
	other := startServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			abroad.Add(1)
		}
	})
	for _, c := range []struct {
		why    string
		cfg    source.GitConfig
		before func(w http.ResponseWriter, r *http.Request) bool
		sent   string
		reason string
	}{
		{why: "basic", cfg: source.GitConfig{Username: "me", Password: "pw"}, sent: " Basic bWU6cHc="},
		{why: "bearer", cfg: source.GitConfig{Token: "tk"}, sent: " Bearer tk"},
		{why: "rejected", cfg: source.GitConfig{Token: "tk"}, before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, reason: v1alpha1.ReasonUnauthorized},
		{why: "a redirect to http", cfg: source.GitConfig{Token: "tk"}, before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, other.URL+"/info/refs", http.StatusFound)
			return true
		}, reason: v1alpha1.ReasonFetchFailed},
		{why: "a redirect to a metadata service", before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://169.254.169.254/info/refs", http.StatusFound)
			return true
		}, reason: v1alpha1.ReasonNotAllowed},
		{why: "a redirect within the server", cfg: source.GitConfig{Token: "tk"}, before: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/team/") {
				return false
			}
			http.Redirect(w, r, "/moved/charts.git/info/refs?service=git-upload-pack", http.StatusMovedPermanently)
			return true
		}, sent: " Bearer tk"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := startGitServer(t)
			server.commit(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
			server.Before = c.before
			_, err := server.open(t, c.cfg).List(t.Context(), hydrate.Cursor{})
			requests, _ := server.TakeRequests()
			if c.reason != "" {
				g.Expect(err).To(HaveOccurred())
				expectOutcome(g, err, c.reason == v1alpha1.ReasonNotAllowed, c.reason)
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(requests).To(HaveEach(HaveSuffix(c.sent)))
		})
	}
	NewWithT(t).Expect(abroad.Load()).To(BeZero())
}

// rawTree returns a tree object with one entry.
func rawTree(t *testing.T, mode, name, hash string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(hash)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return append([]byte(mode+" "+name+"\x00"), raw...)
}

// packetLine returns a text with its length, as the protocol requires.
func packetLine(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

func TestHostileGitRepositories(t *testing.T) {
	endless := func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	afterReferences := func(text string, times int) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			for range times {
				if _, err := fmt.Fprint(w, text); err != nil {
					break
				}
			}
			return true
		}
	}
	large := strings.Repeat("x", git.MaxObjectBytes+1)
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprintf("bombs/%d", i)] = strings.Repeat(fmt.Sprintf("%08d", i), git.MaxObjectBytes/8)
	}
	for _, c := range []struct {
		why     string
		files   map[string]string
		tree    func(t *testing.T, s *gitServer) []byte
		before  func(w http.ResponseWriter, r *http.Request) bool
		timeout time.Duration
		stalled bool
		reason  string
		says    string
	}{
		{why: "an empty repository", stalled: true, reason: v1alpha1.ReasonNotFound, says: "the repository is empty"},
		{why: "a large file", files: map[string]string{"web/Chart.yaml": chartText("web", "1.0.0"), "web/large": large}, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "larger than 16777216 bytes"},
		{why: "many large files", files: many, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "268435456 bytes in total"},
		{why: "a name that leaves the folder", tree: func(t *testing.T, s *gitServer) []byte {
			blob, err := s.Git("x", "hash-object", "-w", "--stdin")
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			return rawTree(t, "100644", "..", blob)
		}, stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: `the name ".."`},
		{why: "a path as a name", tree: func(t *testing.T, s *gitServer) []byte {
			blob, err := s.Git("x", "hash-object", "-w", "--stdin")
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			return rawTree(t, "100644", "../../x.tgz", blob)
		}, stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: "not allowed"},
		{why: "the folder .git", tree: func(t *testing.T, s *gitServer) []byte {
			empty, err := s.Git("", "hash-object", "-t", "tree", "-w", "--stdin")
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			return rawTree(t, "40000", ".GIT", empty)
		}, stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: "not allowed"},
		{why: "the same name twice", tree: func(t *testing.T, s *gitServer) []byte {
			blob, err := s.Git("x", "hash-object", "-w", "--stdin")
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			return append(rawTree(t, "100644", "web.tgz", blob), rawTree(t, "100644", "web.tgz", blob)...)
		}, stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: "twice"},
		{why: "a server that does not respond", before: endless, timeout: 200 * time.Millisecond, reason: v1alpha1.ReasonFetchFailed, says: "did not respond in time"},
		{why: "a pack that does not end", files: map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")},
			before: afterReferences("0000"+"0008NAK\n"+"PACK"+strings.Repeat("x", 1<<20), 100), stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "too large"},
		{why: "an invalid pack", files: map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")},
			before: afterReferences("0000"+"0008NAK\n"+"PACK\x00\x00\x00\x02\x00\x00\x00\x05secret", 1), stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: "pack of the git server is invalid"},
		{why: "many objects", files: map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")},
			before: afterReferences("0000"+"0008NAK\n"+"PACK\x00\x00\x00\x02\xff\xff\xff\xff", 1), stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "4294967295 objects"},
		{why: "a text that is not the protocol", files: map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")},
			before: afterReferences("secret", 1), reason: v1alpha1.ReasonFetchFailed, says: "does not follow the git protocol"},
		{why: "a web page", before: func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, "<html>secret")
			return true
		}, stalled: true, reason: v1alpha1.ReasonNotFound, says: "no git repository at this URL"},
		{why: "references that do not end", before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			fmt.Fprint(w, "001e# service=git-upload-pack\n0000")
			fmt.Fprint(w, packetLine(fmt.Sprintf("%040d refs/heads/main\x00shallow\n", 1)))
			for i := 0; ; i++ {
				if _, err := fmt.Fprint(w, packetLine(fmt.Sprintf("%040d refs/heads/b%013d\n", 1, i))); err != nil {
					return true
				}
			}
		}, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "too large"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := startGitServer(t)
			_, err := server.Git("", "config", "pack.window", "0") // The files are not stored as differences.
			g.Expect(err).NotTo(HaveOccurred())
			if c.files != nil {
				server.commit(t, c.files)
			}
			if c.tree != nil {
				_, err := server.CommitTree(c.tree(t, server))
				g.Expect(err).NotTo(HaveOccurred())
			}
			server.Before = c.before
			_, err = server.open(t, source.GitConfig{Timeout: c.timeout}).List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, c.stalled, c.reason)
			g.Expect(err).To(MatchError(And(ContainSubstring(c.says), HavePrefix("get "+server.url), Not(ContainSubstring("secret")))))
			left, err := os.ReadDir(server.dir)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(left).To(BeEmpty(), "no files are left")
		})
	}
}

// TestGitLinksAndSubmodules has a chart with a link, one with a submodule, and one with a file of
// Git LFS.
func TestGitLinksAndSubmodules(t *testing.T) {
	g := NewWithT(t)
	server := startGitServer(t)
	g.Expect(os.MkdirAll(server.Dir+"/linked", 0o755)).To(Succeed())
	g.Expect(os.Symlink("/etc/passwd", server.Dir+"/linked/values.yaml")).To(Succeed())
	g.Expect(os.Symlink("web", server.Dir+"/alias")).To(Succeed())
	commit := server.commit(t, map[string]string{
		"linked/Chart.yaml": chartText("linked", "1.0.0"), "web/Chart.yaml": chartText("web", "1.0.0"),
		"web/large.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
		".gitmodules":   "[submodule \"web/sub\"]\n\tpath = web/sub\n\turl = https://169.254.169.254/\n",
	})
	_, err := server.Git("", "update-index", "--add", "--cacheinfo", "160000,"+commit+",web/sub")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = server.Git("", "commit", "--quiet", "--message", "submodule")
	g.Expect(err).NotTo(HaveOccurred())
	opened := server.open(t, source.GitConfig{})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))
	g.Expect(listing.Skipped).To(ConsistOf(HaveField("Name", "linked")))
	g.Expect(listing.Skipped[0].Err).To(MatchError(ContainSubstring("links and special files are not allowed")))
	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Files).To(HaveLen(2), "the submodule is omitted, and the pointer of Git LFS is a file")
}

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
				URL: "ssh://git@" + address + c.path, PrivateKey: c.key, KnownHosts: c.host, Checkouts: &source.GitCheckouts{Dir: t.TempDir()},
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

func TestGitConfigIsChecked(t *testing.T) {
	_, key := newSSHKey(t)
	for url, cfg := range map[string]source.GitConfig{
		"http://git.example/charts.git": {}, "file:///etc": {}, "git://git.example/charts.git": {}, "https://me:pw@git.example/charts.git": {},
		"https://me@git.example/charts.git": {}, "ssh://git:pw@git.example/charts.git": {PrivateKey: key, KnownHosts: []byte("x")},
		"ssh://git.example/charts.git": {}, "ssh://git@git.example/charts.git": {PrivateKey: key}, "ssh://git.example/a.git": {PrivateKey: []byte("x"), KnownHosts: []byte("x")},
		"https://git.example/charts.git": {Token: "a", Username: "b"},
	} {
		cfg.URL = url
		_, err := source.Open(source.Config{Git: &cfg})
		expectOutcome(NewWithT(t), err, true, v1alpha1.ReasonInvalidSpec)
		NewWithT(t).Expect(err).To(MatchError(And(ContainSubstring("spec.git."), Not(ContainSubstring(":pw")))), url)
	}
}
