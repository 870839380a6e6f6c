//go:build linux

package uploads_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/test/testvolume"
)

// TestUploadFailsWhileTheVolumeIsFull checks that an upload that does not fit takes no space, and that it
// succeeds once there is space.
func TestUploadFailsWhileTheVolumeIsFull(t *testing.T) {
	g := NewWithT(t)
	dir := testvolume.Mount(t, "size=512k")
	store := openStore(t, dir, uploads.Options{})
	_, _, err := upload(store, team, uploads.Limits{}, newArchive(t, "web", "1.0.0", "one"))
	g.Expect(err).NotTo(HaveOccurred())
	filler := filepath.Join(dir, "filler")
	g.Expect(os.WriteFile(filler, make([]byte, 400<<10), 0o600)).To(Succeed())

	large := bytes.Repeat([]byte("content"), 30_000)
	id := uploads.SessionIDFor(uploads.DigestOf(large))
	first, err := store.StartSession(t.Context(), team, id, func() {})
	g.Expect(err).NotTo(HaveOccurred())
	err = first.Receive(bytes.NewReader(large))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonStorageFull), "%v", err)
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "space may become available")
	g.Expect(uploads.IsReadError(err)).To(BeFalse())
	g.Expect(first.Offset()).To(BeZero(), "what was received takes no space")
	g.Expect(first.Close()).To(Succeed())
	g.Expect(names(t, store, team)).To(Equal([]string{"web-1.0.0.tgz"}))

	g.Expect(os.Remove(filler)).To(Succeed())
	second, err := store.ResumeSession(t.Context(), team, id, func() {})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second.Receive(bytes.NewReader(large))).To(Succeed())
	g.Expect(second.Complete(uploads.DigestOf(large))).To(HaveField("Size", BeEquivalentTo(len(large))))
	g.Expect(second.Close()).To(Succeed())
}

// TestChartThatDoesNotFitIsNotListed uploads charts until the volume has no files left: each chart is
// either acknowledged and complete, or absent.
func TestChartThatDoesNotFitIsNotListed(t *testing.T) {
	for files := 20; files < 32; files++ {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			g := NewWithT(t)
			dir := testvolume.Mount(t, fmt.Sprintf("size=1m,nr_inodes=%d", files))
			store := openStore(t, dir, uploads.Options{})
			acknowledged := []string{}
			var err error
			for i := 0; err == nil; i++ {
				g.Expect(i).To(BeNumerically("<", files), "the volume did not become full")
				var accepted uploads.Chart
				accepted, _, err = upload(store, team, uploads.Limits{}, newArchive(t, "web", fmt.Sprintf("1.0.%d", i), fmt.Sprint(i)))
				if err == nil {
					acknowledged = append(acknowledged, accepted.FileName())
				}
			}
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonStorageFull), "%v", err)
			g.Expect(names(t, store, team)).To(ConsistOf(acknowledged))
			g.Expect(names(t, openStore(t, dir, uploads.Options{}), team)).To(ConsistOf(acknowledged), "after a restart")
			for name := range readFiles(t, filepath.Join(dir, "charts")) {
				g.Expect(filepath.Base(name)).NotTo(HavePrefix("."), "a temporary file")
			}
		})
	}
}
