package source_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/source/git"
)

// rawTree returns a tree object with one entry.
func rawTree(t *testing.T, mode, name, hash string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(hash)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return append([]byte(mode+" "+name+"\x00"), raw...)
}

// newEmptyPack returns a valid pack without objects.
func newEmptyPack() string {
	pack := "PACK\x00\x00\x00\x02\x00\x00\x00\x00"
	sum := sha1.Sum([]byte(pack))
	return pack + string(sum[:])
}

// packetLine returns a text with its length, as the protocol requires.
func packetLine(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

// storeObject stores an object, and returns its hash.
func (s *gitServer) storeObject(t *testing.T, kind string, content []byte) string {
	t.Helper()
	hash, err := s.Git(string(content), "hash-object", "-t", kind, "-w", "--stdin")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return hash
}

// chartTree returns the tree of a repository with a chart whose folder contains folders in folders: each names
// the next one as often as wide says.
func (s *gitServer) chartTree(t *testing.T, wide, deep int) []byte {
	t.Helper()
	folder := s.storeObject(t, "tree", nil)
	for range deep {
		var entries []byte
		for i := range wide {
			entries = append(entries, rawTree(t, "40000", fmt.Sprint(i), folder)...)
		}
		folder = s.storeObject(t, "tree", entries)
	}
	file := s.storeObject(t, "blob", []byte(chartText("web", "1.0.0")))
	chart := append(rawTree(t, "100644", "Chart.yaml", file), rawTree(t, "40000", "templates", folder)...)
	return rawTree(t, "40000", "web", s.storeObject(t, "tree", chart))
}

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
		{why: "a folder that is named many times", tree: func(t *testing.T, s *gitServer) []byte {
			return s.chartTree(t, 8, 7)
		}, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "more than 200000 files"},
		{why: "nested folders", tree: func(t *testing.T, s *gitServer) []byte {
			return s.chartTree(t, 1, 70)
		}, stalled: true, reason: v1alpha1.ReasonLimitExceeded, says: "nested more than 64 levels"},
		{why: "a file instead of a folder", tree: func(t *testing.T, s *gitServer) []byte {
			return rawTree(t, "40000", "web", s.storeObject(t, "blob", []byte("x")))
		}, reason: v1alpha1.ReasonFetchFailed, says: "closed before the end"}, // The server notices it itself.
		{why: "a pack without the commit", files: map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")},
			before: afterReferences("0000"+"0008NAK\n"+newEmptyPack(), 1), stalled: true, reason: v1alpha1.ReasonInvalidIndex, says: "has no object"},
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
