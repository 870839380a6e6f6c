package pages_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestInstalledHasPages lists more instances than fit on one page.
func TestInstalledHasPages(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	for i := range 204 {
		instance := &v1alpha1.AppInstance{Spec: v1alpha1.AppInstanceSpec{AppRef: w.ref}}
		instance.Namespace, instance.Name = w.tenant, fmt.Sprintf("many-%03d", i)
		g.Expect(w.Client.Create(t.Context(), instance)).To(Succeed())
	}
	b := w.signInAsAdmin(t)
	path := "/instances?namespace=" + w.tenant + "&find=many"
	first := shows(t, b, path, "204 instances", `aria-current="page">1</a>`, "page=2", "many-199")
	g.Expect(first.text).NotTo(ContainSubstring("many-200"))
	second := b.get(t, path+"&page=2").text
	g.Expect(second).To(And(ContainSubstring("many-200"), ContainSubstring("many-203"), Not(ContainSubstring(`title="many-199"`)), ContainSubstring("find=many")))
	g.Expect(strings.Count(second, "<tr id=")).To(Equal(4))
	for _, page := range []string{"9", "-1", "x"} {
		g.Expect(b.get(t, path+"&page="+page).text).To(ContainSubstring("204 instances"), page)
	}
	g.Expect(b.get(t, "/instances?namespace="+w.tenant+"&find=many-00").text).NotTo(ContainSubstring("page=2"))
}

// TestCardsNameTheirSource lists the same app of one source and of two.
func TestCardsNameTheirSource(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	g.Expect(shows(t, w.b, "/apps", "1 app from 1 source").text).NotTo(ContainSubstring("1.2.0 · samples"))
	w.addApp(t, w.market, "mirror", "wiki", v1alpha1.AppSummary{Title: "Wiki"})
	shows(t, w.b, "/apps", "1.2.0 · samples", "1.2.0 · mirror", "2 apps from 2 sources")
	g.Expect(w.b.get(t, "/apps?q=nothing").text).NotTo(Or(ContainSubstring("0 apps"), ContainSubstring("0 sources")))
}

// TestTypesOfAppsAreMerged lists an app of a chart and one of an app manifest, which name their type differently.
func TestTypesOfAppsAreMerged(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addApp(t, w.market, "mirror", "chart", v1alpha1.AppSummary{Title: "Chart", Type: "application"})
	w.addApp(t, w.market, "mirror", "manifest", v1alpha1.AppSummary{Title: "Manifest", Type: "app"})
	shows(t, w.b, "/apps?type=app", `name="type" value="app"`, ">Chart<", ">Manifest<")
	g.Expect(w.b.get(t, "/apps").text).NotTo(ContainSubstring(`value="application"`))
}
