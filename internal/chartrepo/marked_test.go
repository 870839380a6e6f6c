package chartrepo_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
)

// listMarks returns the names of the marks of damaged files.
func listMarks(t testing.TB, dir string) []string {
	t.Helper()
	marks := []string{}
	for name := range readFiles(t, dir) {
		if strings.HasPrefix(name, "damaged/") {
			marks = append(marks, strings.TrimPrefix(name, "damaged/"))
		}
	}
	return marks
}

// TestLeaderRepairsWhatAReplicaFinds damages content that only a replica is asked for. The replica marks it, and
// the leader reports its app.
func TestLeaderRepairsWhatAReplicaFinds(t *testing.T) {
	for why, damage := range map[string]func(t testing.TB, dir string, p hydrate.PublishRequest){
		"a flipped bit":   func(t testing.TB, dir string, p hydrate.PublishRequest) { flipByte(t, blobFile(dir, p.Digest)) },
		"a missing file":  func(t testing.TB, dir string, p hydrate.PublishRequest) { removeFile(t, blobFile(dir, p.Digest)) },
		"a truncated one": func(t testing.TB, dir string, p hydrate.PublishRequest) { truncateFile(t, blobFile(dir, p.Digest)) },
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			dir, recorder := t.TempDir(), &damageRecorder{}
			leader := bucketKind.openStore(t, dir, recorder)
			p := newPublication(t, main, "web", "1.0.0")
			path := "/" + publishAll(t, leader, p)[0].Chart
			replica, _ := openReplica(t, dir)
			served := chartrepo.Handler(replica, chartrepo.HandlerOptions{})
			_, err := leader.Refresh()
			g.Expect(err).NotTo(HaveOccurred())
			damage(t, dir, p)
			_, err = leader.Refresh()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(recorder.damagedApps()).To(BeEmpty(), "the list of records does not show it")

			g.Expect(getPath(t, served, path).Code).NotTo(Equal(http.StatusOK))
			g.Expect(listMarks(t, dir)).To(Equal([]string{strings.TrimPrefix(p.Digest, "sha256:")}))
			found, err := replica.CheckMarked(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found).To(BeEmpty(), "the mark is left to the leader")
			found, err = leader.CheckMarked(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found).To(HaveLen(1))
			g.Expect(recorder.damagedApps()).To(Equal([]string{"web 1.0.0"}))
			g.Expect(leader.Has(main, "web", "1.0.0", p.Digest)).To(BeFalse())
			g.Expect(listMarks(t, dir)).To(BeEmpty())

			publishAll(t, leader, p)
			_, err = replica.Refresh()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(getPath(t, served, path).Body.Bytes()).To(Equal(p.Archive))
		})
	}
}

// TestMarksOfOthers checks that marks that are wrong change nothing, and are removed.
func TestMarksOfOthers(t *testing.T) {
	g := NewWithT(t)
	dir, recorder := t.TempDir(), &damageRecorder{}
	leader := bucketKind.openStore(t, dir, recorder)
	p := newPublication(t, main, "web", "1.0.0")
	publishAll(t, leader, p)
	before := readFiles(t, dir)
	g.Expect(os.MkdirAll(filepath.Join(dir, "damaged", "folder"), 0o755)).To(Succeed())
	for _, name := range []string{strings.TrimPrefix(p.Digest, "sha256:"), strings.Repeat("0", 64), "README", "folder/" + strings.Repeat("0", 64)} {
		writeFile(t, filepath.Join(dir, "damaged", name), "x")
	}
	found, err := leader.CheckMarked(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeEmpty())
	g.Expect(recorder.damagedApps()).To(BeEmpty())
	g.Expect(readFiles(t, dir)).To(Equal(before))

	writeFile(t, filepath.Join(dir, "damaged", strings.TrimPrefix(p.Digest, "sha256:")), "x")
	serviceOf(t, dir).SetFault(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	_, err = leader.CheckMarked(t.Context())
	g.Expect(err).To(MatchError(chartrepo.ErrUnavailable))
	g.Expect(listMarks(t, dir)).To(HaveLen(1), "it is checked again")
}
