package source

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/source/index"
)

func TestVersionsInARange(t *testing.T) {
	const offered = "1.0.0 1.1.0-rc.1 1.1.0 2.0.0-beta.1 2.0.0 3.0.0-rc.1"
	for _, c := range []struct {
		why         string
		allowed     string
		prereleases *bool
		want        string
	}{
		{"without a filter", "", nil, "3.0.0-rc.1 2.0.0 2.0.0-beta.1 1.1.0 1.1.0-rc.1 1.0.0"},
		{"a range without prereleases", ">=1.1.0", nil, "2.0.0 1.1.0"},
		{"a range that mentions a prerelease", ">=2.0.0-0", nil, "3.0.0-rc.1 2.0.0 2.0.0-beta.1"},
		{"a range and all prereleases", ">=1.1.0 <3", ptr.To(true), "3.0.0-rc.1 2.0.0 2.0.0-beta.1 1.1.0"},
		{"a range that mentions a prerelease, and no prereleases", ">=2.0.0-0", ptr.To(false), "2.0.0"},
		{"no prereleases", "", ptr.To(false), "2.0.0 1.1.0 1.0.0"},
		{"alternatives", "~1.0 || ^2", nil, "2.0.0 1.0.0"},
		{"no version of the app", ">=4", nil, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			options, err := newListingOptions(Config{Versions: c.allowed, Prereleases: c.prereleases, MaxVersions: 10})
			g.Expect(err).NotTo(HaveOccurred())
			selector := newVersionSelector(options, "")
			for version := range strings.FieldsSeq(offered) {
				g.Expect(selector.Add("web", index.Entry{Name: "web", Version: version, URL: "u"})).To(Succeed())
			}
			listing := selector.toListing("", hydrate.Cursor{})
			var got []string
			for _, app := range listing.Apps {
				for _, offer := range app.Offers {
					got = append(got, offer.Version)
				}
			}
			g.Expect(strings.Join(got, " ")).To(Equal(c.want))
			g.Expect(listing.Unwanted).To(Equal(1-len(listing.Apps)), "an app without a selected version is not wanted")
			g.Expect(listing.Skipped).To(BeEmpty())
		})
	}
}

func TestInvalidRange(t *testing.T) {
	g := NewWithT(t)
	_, err := newListingOptions(Config{Versions: "newest", Include: []string{"[a"}})
	g.Expect(err).To(MatchError(And(ContainSubstring(`spec.filter.versions: "newest" is not a range of versions`), ContainSubstring("spec.filter.include[0]"))))
}
