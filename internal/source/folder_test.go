package source_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

// TestFolderWithTooManyFiles lists a chart with more files than a chart may have.
func TestFolderWithTooManyFiles(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"good/Chart.yaml": chartYAML("good", "1.0.0"), "huge/Chart.yaml": chartYAML("huge", "1.0.0"), "huge/templates/": ""})
	for i := range chart.MaxFiles + 1 {
		g.Expect(os.WriteFile(filepath.Join(root, "huge/templates", fmt.Sprintf("%d.yaml", i)), nil, 0o600)).To(Succeed())
	}
	list, err := openDirectory(t, root, root).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list.Apps).To(HaveLen(1))
	g.Expect(list.Skipped).To(HaveLen(1))
	expectOutcome(g, list.Skipped[0].Err, true, v1alpha1.ReasonLimitExceeded)
}

// TestFolderReplacedByLink repeatedly replaces a folder in the root by a link out of the root
// while the folder is listed. Charts outside the root must never be listed.
func TestFolderReplacedByLink(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"root/team/charts/good/Chart.yaml": chartYAML("good", "1.0.0"), "out/charts/stolen/Chart.yaml": chartYAML("stolen", "1.0.0")})
	at := func(name string) string { return filepath.Join(dir, name) }
	g.Expect(os.Symlink(at("out"), at("root/link"))).To(Succeed())
	opened := openDirectory(t, at("root/team/charts"), at("root"))
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !done.Load() {
			_ = os.Rename(at("root/team"), at("root/kept"))
			_ = os.Rename(at("root/link"), at("root/team"))
			_ = os.Rename(at("root/team"), at("root/link"))
			_ = os.Rename(at("root/kept"), at("root/team"))
		}
	}()
	for range 4000 {
		list, err := opened.List(t.Context(), hydrate.Cursor{})
		for _, app := range list.Apps {
			g.Expect(app.Name).To(Equal("good"), "%v", err)
		}
	}
	done.Store(true)
	<-ended
}
