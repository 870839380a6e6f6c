//go:build linux

package chartrepo_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/test/testvolume"
)

// startWriteCheck opens a store in dir with a WriteCheck that runs until the test ends.
func startWriteCheck(t *testing.T, dir string) (*chartrepo.Store, *appRecorder) {
	t.Helper()
	recorder := &appRecorder{}
	store, err := chartrepo.Open(dir, chartrepo.Options{OnWritable: recorder.recordApp})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	check := &chartrepo.WriteCheck{Store: store, Interval: 10 * time.Millisecond}
	go func() { stopped <- check.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, recorder
}

func TestWriteCheckReportsTheAppsOnceThereIsSpace(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := testvolume.Mount(t, "size=512k")
	store, recorder := startWriteCheck(t, dir)
	filler := filepath.Join(dir, "filler")
	g.Expect(os.WriteFile(filler, randomBytes(400<<10), 0o600)).To(gomega.Succeed())
	large := newPublicationWith(t, main, "large", "1.0.0", randomBytes(300<<10))
	_, err := store.Publish(t.Context(), large)
	g.Expect(err).To(gomega.MatchError(syscall.ENOSPC))
	g.Consistently(recorder.recordedApps, "100ms").Should(gomega.BeEmpty(), "the volume is full")
	g.Expect(os.Truncate(filler, 300<<10)).To(gomega.Succeed())
	g.Consistently(recorder.recordedApps, "100ms").Should(gomega.BeEmpty(), "the publication does not fit yet")

	g.Expect(os.Remove(filler)).To(gomega.Succeed())
	g.Eventually(recorder.recordedApps).Should(gomega.Equal([]string{"main/large"}))
	g.Expect(store.CheckWritten(t.Context())).To(gomega.Succeed())
	publishAll(t, store, large)
	g.Consistently(recorder.recordedApps, "100ms").Should(gomega.HaveLen(1), "reported once")
	for name := range readFiles(t, dir) {
		g.Expect(filepath.Base(name)).NotTo(gomega.HavePrefix("."), "a temporary file")
	}
}

func TestWriteCheckReportsTheAppsOnceTheVolumeIsWritable(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := testvolume.Mount(t, "size=1m")
	store, recorder := startWriteCheck(t, dir)
	g.Expect(syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")).To(gomega.Succeed())
	for _, name := range []string{"web", "wiki"} {
		_, err := store.Publish(t.Context(), newPublication(t, main, name, "1.0.0"))
		g.Expect(err).To(gomega.MatchError(syscall.EROFS))
	}
	g.Consistently(recorder.recordedApps, "100ms").Should(gomega.BeEmpty(), "the volume is read-only")

	g.Eventually(func() error {
		return syscall.Mount("", dir, "", syscall.MS_REMOUNT, "")
	}).Should(gomega.Succeed())
	g.Eventually(recorder.recordedApps).Should(gomega.ConsistOf("main/web", "main/wiki"))
}
