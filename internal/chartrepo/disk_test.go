//go:build linux

package chartrepo_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/testvolume"
)

func randomBytes(size int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(random.Uint64())
	}
	return data
}

func TestFullVolume(t *testing.T) {
	for _, c := range []struct {
		why              string
		archive, reports int
		options          string
	}{
		{"the archive does not fit", 200 << 10, 10, "size=128k"},
		{"the reports do not fit", 20 << 10, 200 << 10, "size=128k"},
		{"no file is left for the record", 10, 10, "size=1m,nr_inodes=22"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := testvolume.Mount(t, c.options)
			store := openStore(t, dir, nil)
			small := newPublicationWith(t, main, "small", "1.0.0", []byte("small"))
			small.Reports = nil
			published := publishAll(t, store, small)[0]
			before := readFiles(t, dir)

			large := newPublicationWith(t, main, "large", "1.0.0", randomBytes(c.archive))
			large.Reports = map[string][]byte{"a.txt": randomBytes(c.reports)}
			var err error
			if c.archive == 10 {
				err = publishUntilFull(store.Publish, t)
			} else {
				_, err = store.Publish(context.Background(), large)
				g.Expect(readFiles(t, dir)).To(gomega.Equal(before), "nothing is left behind")
			}
			g.Expect(outcome.Reason(err, "")).To(gomega.Equal(v1alpha1.ReasonStorageFull), "%v", err)
			g.Expect(err.Error()).NotTo(gomega.MatchRegexp(`[0-9]{6}`), "the text is the same for each attempt")
			g.Expect(outcome.IsStalled(err)).To(gomega.BeFalse(), "space may become available")
			g.Expect(store.CheckWritten(t.Context())).To(gomega.HaveOccurred())
			g.Expect(store.Check(t.Context())).To(gomega.Succeed(), "published versions are served")
			g.Expect(store.Has(main, "small", "1.0.0", published.Digest)).To(gomega.BeTrue())

			for name, content := range readFiles(t, dir) {
				if filepath.Dir(filepath.Dir(filepath.Dir(name))) == "blobs" {
					g.Expect(digestOf([]byte(content))).To(gomega.HaveSuffix(filepath.Base(name)))
				}
				g.Expect(filepath.Base(name)).NotTo(gomega.HavePrefix("."), "a temporary file")
			}
			recorder := &damageRecorder{}
			g.Expect(publishedNames(openStore(t, dir, recorder))).To(gomega.Equal(publishedNames(store)))
			g.Expect(recorder.damagedApps()).To(gomega.BeEmpty())
		})
	}
}

func TestReadOnlyVolume(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := testvolume.Mount(t, "size=1m")
	p := newPublication(t, main, "web", "1.0.0")
	publishAll(t, openStore(t, dir, nil), p, newPublication(t, main, "broken", "1.0.0"))
	writeFile(t, filepath.Join(dir, "records/market/main/web/.left"), "over")
	truncateFile(t, recordFile(dir, newPublication(t, main, "broken", "1.0.0")))
	g.Expect(syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")).To(gomega.Succeed())

	recorder := &damageRecorder{}
	store := openStore(t, dir, recorder)
	g.Expect(recorder.damagedApps()).To(gomega.Equal([]string{"broken 1.0.0"}))
	g.Expect(publishedNames(store)).To(gomega.Equal([]string{"main/web 1.0.0"}))
	archive, err := store.Archive(p.Digest)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(bytes.Equal(archive, p.Archive)).To(gomega.BeTrue())
	publishAll(t, store, p) // already published

	_, err = store.Publish(context.Background(), newPublication(t, main, "web", "2.0.0"))
	g.Expect(outcome.Reason(err, "")).To(gomega.Equal(v1alpha1.ReasonStorageReadOnly), "%v", err)
	g.Expect(outcome.Reason(store.Remove(main, "web"), "")).To(gomega.Equal(v1alpha1.ReasonStorageReadOnly))
	g.Expect(store.Has(main, "web", "1.0.0", p.Digest)).To(gomega.BeTrue(), "a version that cannot be removed stays")
}

// publishUntilFull publishes versions until one does not fit, and returns the error.
func publishUntilFull(publish publishFunc, t *testing.T) error {
	t.Helper()
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0", "6.0.0", "7.0.0", "8.0.0"} {
		if _, err := publish(context.Background(), newPublication(t, main, "many", version)); err != nil {
			return err
		}
	}
	t.Fatal("the volume did not become full")
	return nil
}

type publishFunc = func(context.Context, hydrate.PublishRequest) (hydrate.Published, error)
