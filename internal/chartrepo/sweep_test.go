package chartrepo_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// makeOld sets the modification time of a file to more than a day ago.
func makeOld(t testing.TB, path string) {
	t.Helper()
	old := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestSweepRemovesUnreferencedBlobs(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		store := in.openStore(t, dir, nil)
		served, installed, gone, young := newPublication(t, main, "a", "1.0.0"), newPublication(t, main, "b", "1.0.0"), newPublication(t, main, "c", "1.0.0"), newPublication(t, main, "d", "1.0.0")
		served.Reports, installed.Reports, gone.Reports, young.Reports = nil, nil, nil, nil
		publishAll(t, store, served, installed, gone, young)
		for _, app := range []string{"b", "c", "d"} {
			g.Expect(store.Remove(main, app)).To(gomega.Succeed())
		}
		stranger := filepath.Join(dir, "blobs/sha256/note")
		leftover := filepath.Join(filepath.Dir(blobFile(dir, gone.Digest)), ".left")
		writeFile(t, leftover, "over")
		writeFile(t, stranger, "not ours")
		for _, p := range []string{served.Digest, installed.Digest, gone.Digest} {
			makeOld(t, blobFile(dir, p))
		}
		makeOld(t, leftover)
		makeOld(t, stranger)

		asked := []string{}
		keep := func(digest string) bool {
			asked = append(asked, digest)
			return digest == installed.Digest
		}
		swept, err := store.Sweep(context.Background(), keep, 24*time.Hour)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(swept.Files).To(gomega.Equal(2), "the blob and the temporary file")
		g.Expect(swept.Bytes).To(gomega.Equal(int64(len(gone.Archive) + len("over"))))
		g.Expect(asked).To(gomega.ConsistOf(installed.Digest, gone.Digest), "only for blobs that would be removed")
		_, err = store.Archive(gone.Digest)
		g.Expect(err).To(gomega.MatchError(fs.ErrNotExist))
		for _, p := range []string{served.Digest, installed.Digest, young.Digest} {
			_, err := store.Archive(p)
			g.Expect(err).NotTo(gomega.HaveOccurred())
		}
		g.Expect(stranger).To(gomega.BeAnExistingFile())

		_, err = store.Sweep(context.Background(), nil, time.Hour)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		_, err = store.Archive(installed.Digest)
		g.Expect(err).To(gomega.MatchError(fs.ErrNotExist), "no longer selected by keep")
	})
}

func TestReusedBlobIsNotSwept(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		store := in.openStore(t, dir, nil)
		p := newPublication(t, main, "a", "1.0.0")
		publishAll(t, store, p)
		g.Expect(store.Remove(main, "a")).To(gomega.Succeed())
		makeOld(t, blobFile(dir, p.Digest))
		publishAll(t, store, p)
		g.Expect(store.Remove(main, "a")).To(gomega.Succeed())
		_, err := store.Sweep(context.Background(), nil, 24*time.Hour)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		_, err = store.Archive(p.Digest)
		g.Expect(err).NotTo(gomega.HaveOccurred())
	})
}

func TestSweepStopsWithItsContext(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		store := in.openStore(t, dir, nil)
		p := newPublication(t, main, "a", "1.0.0")
		publishAll(t, store, p)
		g.Expect(store.Remove(main, "a")).To(gomega.Succeed())
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := store.Sweep(ctx, nil, 0)
		g.Expect(err).To(gomega.MatchError(context.Canceled))
		g.Expect(blobFile(dir, p.Digest)).To(gomega.BeAnExistingFile())
	})
}
