package kube_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

func TestFindTranslation(t *testing.T) {
	g := NewWithT(t)
	all := []v1alpha1.AppTranslation{{Locale: "de", Title: "Netz"}, {Locale: "zh-TW", Title: "網"}, {Locale: "zh-cn", Title: "网"}}
	g.Expect(kube.FindTranslation(all, "zh-CN").Title).To(Equal("网"))
	g.Expect(kube.FindTranslation(all, "zh").Title).To(Equal("網"), "the first one of the language")
	g.Expect(kube.FindTranslation(all, "fr")).To(Equal(v1alpha1.AppTranslation{}))
	app := &v1alpha1.AppInfo{Spec: v1alpha1.AppInfoSpec{App: "web"}, Status: v1alpha1.AppInfoStatus{
		Summary: &v1alpha1.AppSummary{Title: "Web", Translations: all}, Placement: &v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementNo},
	}}
	row := kube.NewAppRow(app)
	g.Expect(row.Matches([]string{"网"})).To(BeTrue(), "a search finds the title in each language")
	g.Expect(row.Placement).To(Equal(v1alpha1.PlacementNo))
}
