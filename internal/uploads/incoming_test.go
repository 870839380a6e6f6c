package uploads_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

// leaveUploads creates unfinished uploads of a source with a size, as clients leave them that stop sending. The files are
// sparse.
func leaveUploads(t *testing.T, dir string, owner hydrate.Owner, count int, size int64) {
	t.Helper()
	g := NewWithT(t)
	folder := filepath.Join(dir, "incoming", owner.Namespace, owner.Source)
	g.Expect(os.MkdirAll(folder, 0o755)).To(Succeed())
	for i := range count {
		name := filepath.Join(folder, "partial-"+uploads.NewSessionID())
		g.Expect(os.WriteFile(name, nil, 0o600)).To(Succeed())
		g.Expect(os.Truncate(name, size)).To(Succeed())
		modified := time.Now().Add(time.Duration(i-count) * time.Minute)
		g.Expect(os.Chtimes(name, modified, modified)).To(Succeed())
	}
}

// incomingBytes returns the size of the incoming files of a namespace, or of all.
func incomingBytes(t *testing.T, dir, namespace string) int64 {
	t.Helper()
	var total int64
	for _, size := range readFiles(t, filepath.Join(dir, "incoming", namespace)) {
		total += size
	}
	return total
}

// TestSizeOfUnfinishedUploadsIsLimited has several namespaces leave unfinished uploads, and then starts or resumes one.
func TestSizeOfUnfinishedUploadsIsLimited(t *testing.T) {
	for why, isResumed := range map[string]bool{"a new upload": false, "an upload that is resumed": true} {
		t.Run(why, func(t *testing.T) {
			g, dir := NewWithT(t), t.TempDir()
			store, id := openStore(t, dir, uploads.Options{}), uploads.NewSessionID()
			if isResumed {
				first, err := store.StartSession(t.Context(), team, id, func() {})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(first.Close()).To(Succeed())
			}
			few := hydrate.Owner{Namespace: "few", Source: "source"}
			leaveUploads(t, dir, few, 3, 1000)
			for i := range 10 {
				leaveUploads(t, dir, hydrate.Owner{Namespace: fmt.Sprint("many-", i), Source: "source"}, 7, chart.MaxArchiveBytes)
			}
			leaveUploads(t, dir, team, 4, chart.MaxArchiveBytes)
			leaveUploads(t, dir, hydrate.Owner{Namespace: team.Namespace, Source: "other"}, 8, chart.MaxArchiveBytes)

			session, err := store.StartSession(t.Context(), team, id, func() {})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(session.Close()).To(Succeed())
			g.Expect(incomingBytes(t, dir, team.Namespace)).To(BeNumerically("<=", 8*chart.MaxArchiveBytes), "all sources of the namespace")
			g.Expect(incomingBytes(t, dir, "")).To(BeNumerically("<=", 64*chart.MaxArchiveBytes), "all namespaces")
			g.Expect(incomingBytes(t, dir, few.Namespace)).To(BeEquivalentTo(3000), "a namespace that uses little space loses nothing")
			for i := range 10 {
				g.Expect(incomingBytes(t, dir, fmt.Sprint("many-", i))).To(BeNumerically(">=", 5*chart.MaxArchiveBytes), "no namespace loses all")
			}
		})
	}
}
