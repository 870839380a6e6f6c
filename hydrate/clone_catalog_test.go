package hydrate_test

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/source"
)

// TestCatalogClones determines where the apps in a folder of real charts can be cloned, and
// compares the duration of this with the duration of rendering them.
func TestCatalogClones(t *testing.T) {
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("left out: MARKET_CATALOG is not set")
	}
	g := NewWithT(t)
	charts, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: root, AllowedRoots: []string{root}}})
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := charts.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())

	counts, cloneable := map[string]int{}, 0
	var rendered, judged time.Duration
	for _, app := range listing.Apps {
		d := &hydrate.Draft{Request: hydrate.Request{App: app.Name, Offer: app.Offers[0], Source: charts, Profile: olares.Profile{}}}
		began := time.Now()
		for _, step := range []hydrate.Step{hydrate.SourceChart{}, rendering} {
			g.Expect(step.Apply(t.Context(), d)).To(Succeed(), app.Name)
		}
		rendered += time.Since(began)
		began = time.Now()
		g.Expect(customizing.Apply(t.Context(), d)).To(Succeed(), app.Name)
		judged += time.Since(began)
		if d.Manifest == nil || d.Manifest.Cloneable {
			cloneable++
			g.Expect(d.Clone).NotTo(BeNil(), app.Name)
			counts[d.Clone.Verdict]++
			if d.Clone.Verdict == hydrate.CloneSafe {
				g.Expect(d.Clone.Collisions).To(BeEmpty(), app.Name)
			} else {
				g.Expect(d.Clone.Collisions).NotTo(BeEmpty(), app.Name)
			}
			g.Expect(len(d.Clone.Collisions)).To(BeNumerically("<=", 50), app.Name)
		}
	}
	g.Expect(counts[hydrate.CloneSafe] + counts[hydrate.CloneNamespacedOnly] + counts[hydrate.CloneUnsafe]).To(Equal(cloneable))
	t.Logf("%d apps, %d of them cloneable: %d safe, %d in another namespace only, %d unsafe; reading and rendering took %s, judging %s",
		len(listing.Apps), cloneable, counts[hydrate.CloneSafe], counts[hydrate.CloneNamespacedOnly], counts[hydrate.CloneUnsafe],
		rendered.Round(time.Millisecond), judged.Round(time.Millisecond))
}
