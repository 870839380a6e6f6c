package appinfo

import (
	"cmp"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/text"
)

// Limits of the lists and strings of the summary. They match the CRD schema.
const (
	maxInputs      = 100
	maxFew         = 20
	maxMany        = 50
	maxKinds       = 60
	maxImages      = 100
	maxDescription = 1024
	maxSentence    = 512
)

// newSummary returns the summary of an app from its manifest, or from its chart if it has no
// manifest.
func newSummary(d *hydrate.Draft) *v1alpha1.AppSummary {
	out := &v1alpha1.AppSummary{
		Title:       text.Limit(d.Chart.Name, 200),
		AppVersion:  text.Limit(d.Chart.AppVersion, 128),
		ImageCount:  int32(len(d.Images)),
		Description: text.Limit(d.Chart.Description, 2048),
		Icon:        text.Limit(d.Chart.Icon, 2048),
		Type:        text.Limit(cmp.Or(d.Chart.Type, "application"), 32),
	}
	out.Categories, out.Keywords = chartCategories(d.Chart.Annotations), copyBounded(d.Chart.Keywords, maxFew, 100)
	if len(d.Chart.Maintainers) > 0 && d.Chart.Maintainers[0] != nil {
		out.Developer = text.Limit(d.Chart.Maintainers[0].Name, 200)
	}
	if d.Manifest != nil {
		fillFromManifest(out, d.Manifest)
	}
	if d.Request.Offer.Presentation != nil {
		fillFromPresentation(out, d)
	}
	out.Kinds = countKinds(d)
	fillFromObjects(out, d)
	for _, in := range catalog.FirstItems(d.Inputs, maxInputs) {
		out.Inputs = append(out.Inputs, catalog.ToInput(in))
	}
	out.Warnings = append(copyBounded(d.ListWarnings(), maxFew, maxSentence), out.Warnings...)
	if isDeprecated(d) {
		out.Warnings = append([]string{deprecatedWarning}, out.Warnings...)
	}
	if c := d.Clone; c != nil {
		out.Clone = &v1alpha1.CloneSafety{Verdict: v1alpha1.CloneVerdict(c.Verdict), Collisions: copyBounded(c.Collisions, maxMany, 253)}
	}
	if l := d.License; l != nil {
		out.Purchase = catalog.LicenseTermsOf(l)
		out.Warnings = append(out.Warnings, copyBounded(l.Warnings, maxFew, maxSentence)...)
	}
	out.Warnings = catalog.FirstItems(out.Warnings, maxFew)
	return out
}

// deprecatedWarning is the warning of a version whose chart or entry in the index is marked as
// deprecated.
const deprecatedWarning = "the chart is deprecated and may no longer be maintained; check for a replacement before you install the app"

// isDeprecated reports whether the source or Chart.yaml marks the version as deprecated.
func isDeprecated(d *hydrate.Draft) bool { return d.Request.Offer.Deprecated || d.Chart.Deprecated }

func fillFromManifest(out *v1alpha1.AppSummary, m *hydrate.Manifest) {
	out.Title = text.Limit(cmp.Or(m.Title, out.Title), 200)
	out.Description = text.Limit(cmp.Or(m.Description, out.Description), 2048)
	out.Icon = text.Limit(cmp.Or(m.Icon, out.Icon), 2048)
	out.Type = text.Limit(cmp.Or(m.Type, out.Type), 32)
	out.Developer = text.Limit(cmp.Or(m.Developer, out.Developer), 200)
	out.Categories = copyBounded(m.Categories, maxFew, 100)
	out.Licenses = copyBounded(m.Licenses, maxFew, 200)
	out.Architectures = copyBounded(m.Architectures, maxFew, 32)
	out.Permissions = copyBounded(m.Permissions, maxMany, 200)
	out.Warnings = copyBounded(m.Warnings, maxFew, maxSentence)
	out.Cloneable, out.AdminOnly, out.ClusterSingleton = m.Cloneable, m.OnlyAdmin, m.IsClusterSingleton()
	if r := m.Resources; r != (hydrate.Resources{}) {
		out.Resources = &v1alpha1.AppResources{
			CPU: text.Limit(r.RequiredCPU, 64), Memory: text.Limit(r.RequiredMemory, 64),
			Disk: text.Limit(r.RequiredDisk, 64), GPU: text.Limit(r.RequiredGPU, 64),
		}
	}
	for _, e := range catalog.FirstItems(m.Entrances, maxMany) {
		out.Entrances = append(out.Entrances, catalog.ToEntrance(e))
	}
	out.Dependencies, out.Conflicts = toDependencies(m.Needs), toDependencies(m.Conflicts)
	for _, c := range catalog.FirstItems(m.SubCharts, maxFew) {
		out.SubCharts = append(out.SubCharts, v1alpha1.SubChart{Name: text.Limit(c.Name, 253), Shared: c.Shared})
	}
}

// fillFromPresentation uses the texts and the icon of the source where the chart and its manifest have none.
func fillFromPresentation(out *v1alpha1.AppSummary, d *hydrate.Draft) {
	shown := d.Request.Offer.Presentation
	if d.Manifest == nil || d.Manifest.Title == "" {
		out.Title = cmp.Or(shown.Title, out.Title)
	}
	out.Description, out.Icon = cmp.Or(out.Description, shown.Description), cmp.Or(out.Icon, shown.Icon)
}

func toDependencies(of []hydrate.Dependency) []v1alpha1.AppDependency {
	var out []v1alpha1.AppDependency
	for _, d := range catalog.FirstItems(of, maxMany) {
		out = append(out, v1alpha1.AppDependency{
			Name: text.Limit(d.Name, 253), Type: text.Limit(d.Type, 32), Version: text.Limit(d.Version, 253), Required: d.Mandatory,
		})
	}
	return out
}

func countKinds(d *hydrate.Draft) []v1alpha1.KindCount {
	counts := map[string]int32{}
	for _, o := range d.AllObjects() {
		group, _, found := strings.Cut(o.APIVersion, "/")
		kind := o.Kind
		if found {
			kind += "." + group
		}
		counts[text.Limit(kind, 317)]++
	}
	var out []v1alpha1.KindCount
	for kind, n := range counts {
		out = append(out, v1alpha1.KindCount{Kind: kind, Count: n})
	}
	slices.SortFunc(out, func(a, b v1alpha1.KindCount) int { return cmp.Compare(a.Kind, b.Kind) })
	return catalog.FirstItems(out, maxKinds)
}

// toAppImages converts images to their representation in status.
func toAppImages(found []images.Image) []v1alpha1.AppImage {
	var out []v1alpha1.AppImage
	for _, i := range catalog.FirstItems(found, maxImages) {
		out = append(out, images.ToAppImage(i))
	}
	return out
}

func copyBounded(list []string, n, length int) []string {
	var out []string
	for _, s := range catalog.FirstItems(list, n) {
		out = append(out, text.Limit(s, length))
	}
	return out
}
