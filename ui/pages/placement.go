package pages

import (
	"cmp"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// placementNames are the values of the facet of placements.
var placementNames = map[v1alpha1.PlacementVerdict]string{
	v1alpha1.PlacementYes: "Yes", v1alpha1.PlacementNeedsAdministrator: "With an administrator", v1alpha1.PlacementNo: "No",
}

// placementsOf returns the value of an app in the facet of placements.
func placementsOf(row *kube.AppRow, _ installedMap) []string {
	if name := placementNames[row.Placement]; name != "" {
		return []string{name}
	}
	return nil
}

// translateCards replaces the titles and descriptions of the cards by those in a language. The rows are shared, so
// that a translated card gets a copy.
func (d *discoverView) translateCards(l *locale.Language) {
	for i := range d.Cards {
		found := kube.FindTranslation(d.Cards[i].Translations, l.Tag)
		if found.Locale == "" {
			continue
		}
		row := *d.Cards[i].AppRow
		row.Title, row.Description = cmp.Or(found.Title, row.Title), cmp.Or(found.Description, row.Description)
		d.Cards[i].AppRow = &row
	}
}

// translateApp replaces the title and the description of the page of an app by those in a language.
func (v *appView) translateApp(l *locale.Language) {
	found := kube.FindTranslation(v.Summary.Translations, l.Tag)
	if found.Locale == "" {
		return
	}
	summary := *v.Summary
	summary.Title, summary.Description = cmp.Or(found.Title, summary.Title), cmp.Or(found.Description, summary.Description)
	v.Summary = &summary
}
