package uploads_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

// damageDisk changes content of the source as a damaged disk does: the size and the time of the file stay the same.
func damageDisk(t *testing.T, dir, digest string) {
	t.Helper()
	g := NewWithT(t)
	file := filepath.Join(dir, "charts/market/team/blobs", strings.TrimPrefix(digest, "sha256:"))
	info, err := os.Stat(file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(file, bytes.Repeat([]byte("x"), int(info.Size())), 0o600)).To(Succeed())
	g.Expect(os.Chtimes(file, info.ModTime(), info.ModTime())).To(Succeed())
}

// TestContentIsComparedOnce asks for content again and again: it is read once, and again after a time.
func TestContentIsComparedOnce(t *testing.T) {
	g, dir, now := NewWithT(t), t.TempDir(), &clock{now: time.Now()}
	store := openStore(t, dir, uploads.Options{Now: now.Now})
	archive := newArchive(t, "web", "1.0.0", "")
	accepted, _, err := upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.RemoveAll(filepath.Join(dir, "incoming"))).To(Succeed())
	digest := accepted.Archive.Digest
	g.Expect(store.IsComplete(t.Context(), team, accepted)).To(BeTrue())
	damageDisk(t, dir, digest)
	g.Expect(store.IsComplete(t.Context(), team, accepted)).To(BeTrue(), "it was compared shortly before")
	g.Expect(store.HasContent(t.Context(), team, digest)).To(BeTrue(), "it was compared shortly before")
	now.now = now.now.Add(time.Hour)
	g.Expect(store.HasContent(t.Context(), team, digest)).To(BeFalse(), "it is compared again")

	_, _, err = upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.RemoveAll(filepath.Join(dir, "incoming"))).To(Succeed())
	g.Expect(store.HasContent(t.Context(), team, digest)).To(BeTrue())
	damageDisk(t, dir, digest)
	_, err = store.Archive(team, digest)
	g.Expect(err).To(HaveOccurred(), "content that is read is always compared")
	g.Expect(store.HasContent(t.Context(), team, digest)).To(BeFalse(), "it was removed")
}

// TestContentIsComparedInTurn has another namespace take all turns.
func TestContentIsComparedInTurn(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), uploads.Options{})
	accepted, _, err := upload(store, team, uploads.Limits{}, newArchive(t, "web", "1.0.0", ""))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(store.HasContent(t.Context(), team, accepted.Config.Digest)).To(BeTrue())
	g.Expect(store.TakeComparisons(t.Context(), "many")).To(Succeed())
	ended, end := context.WithCancel(t.Context())
	end()
	g.Expect(store.HasContent(ended, team, accepted.Config.Digest)).To(BeTrue(), "content that was compared does not wait")
	g.Expect(store.HasContent(ended, team, accepted.Archive.Digest)).To(BeFalse(), "other content waits")
	g.Expect(store.IsComplete(ended, team, accepted)).To(BeFalse(), "other content waits")
	g.Expect(store.Archive(team, accepted.Archive.Digest)).NotTo(BeEmpty(), "it was not removed, and hydration does not wait")
}

// TestNamespacesDoNotWaitForEachOther uploads a chart while a change in another namespace takes long.
func TestNamespacesDoNotWaitForEachOther(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), uploads.Options{})
	defer store.LockCharts("other")()
	archive := newArchive(t, "web", "1.0.0", "")
	_, _, err := upload(store, team, uploads.Limits{}, archive)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(store.Archive(team, chart.Digest(archive))).To(Equal(archive))
	g.Expect(store.Remove(team, "web", "1.0.0")).To(Succeed())
}
