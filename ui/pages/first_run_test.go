package pages_test

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestFirstRunHasThreeSteps(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false)
	market := s.Namespace(t, nil)
	admin := s.signIn(t, market, "admin", marketAdmin...)
	page := admin.get(t, "/apps").text
	g.Expect(page).To(And(ContainSubstring("Add a source"), ContainSubstring("Wait for the first app"),
		ContainSubstring("Install an app"), ContainSubstring(`href="/sources/new"`)))
	g.Expect(page).To(ContainSubstring("/live?"), "the page shows the first app without a reload")
	reader := s.signIn(t, market, "reader", viewer)
	g.Expect(reader.get(t, "/apps").text).To(ContainSubstring("You cannot list any apps"))
	s.addSource(t, market, "samples")
	page = shows(t, admin, "/apps", `aria-current="step"><strong>Wait for the first app`).text
	g.Expect(page).NotTo(ContainSubstring(`href="/sources/new"`))
	shows(t, reader, "/apps", `aria-current="step"><strong>Wait for the first app`)
	s.addApp(t, market, "samples", "wiki", v1alpha1.AppSummary{Title: "Wiki"})
	shows(t, reader, "/parts/apps", "samples/wiki")
}

func TestSearchProposesSimilarNames(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	w.allowBrowsing(t, "jane")
	w.addApp(t, w.market, "samples", "cache", v1alpha1.AppSummary{Title: "Cache", Type: "middleware"})
	b := w.signIn(t, w.tenant, "jane", viewer)
	shows(t, b, "/apps?q=wikki", "Apps with similar names:", "samples/wiki")
	g.Expect(b.get(t, "/apps?q=zzzzzzzz").text).NotTo(ContainSubstring("similar names"))
	shows(t, b, "/apps", `name="type" value="middleware"`)
	g.Expect(b.get(t, "/apps?type=middleware").text).To(And(ContainSubstring("samples/cache"), Not(ContainSubstring("samples/wiki"))))

	g.Expect(b.get(t, "/apps").text).NotTo(ContainSubstring(`value="Failed"`), "only users who can change apps filter failed ones")
	g.Expect(b.get(t, "/apps?state=Failed").text).To(ContainSubstring(`value="Failed" checked`))
	curator := w.signIn(t, w.market, "curator", viewer, mayPatch("appinfos"))
	shows(t, curator, "/apps", `value="Failed"`)
}

func TestHeaderCountsTasks(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer)
	const count = `title="1 task has not finished">1<`
	shows(t, b, "/sources", count)
	shows(t, b, "/instances?namespace="+w.tenant, count)
	other := w.signIn(t, w.market, "other", viewer)
	g.Expect(other.get(t, "/sources").text).NotTo(ContainSubstring("has not finished"))
}

func TestAboutShowsVersions(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer)
	g.Expect(b.get(t, "/about").text).To(And(ContainSubstring("The operator does not respond"), ContainSubstring("Kubernetes v1.")))
	w.reports.mu.Lock()
	w.reports.texts["/version"] = `{"version": "9.8.7"}`
	w.reports.texts["/readyz"] = `{"ready": true, "dependencies": [{"name": "store", "ready": true}, {"name": "store-writable", "optional": true}]}`
	w.reports.tokens = nil
	w.reports.mu.Unlock()
	g.Expect(b.get(t, "/about").text).To(And(ContainSubstring("9.8.7"), ContainSubstring("store-writable"), Not(ContainSubstring("does not respond"))))
	w.reports.mu.Lock()
	defer w.reports.mu.Unlock()
	g.Expect(w.reports.tokens).To(Equal([]string{"", ""}), "the token of the user is not sent")
}

func TestTabsOfAnAppHaveLists(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	app := "/apps/" + w.market + "/samples/wiki"
	shows(t, b, app+"/images", "Copy the list", "registry.example/wiki:1.2.0\n</code>")
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/permissions.json"] = `{"scope":"Namespace"}`
	w.reports.mu.Unlock()
	NewWithT(t).Expect(b.get(t, app+"/files/permissions.json?version=1.2.0").StatusCode).To(Equal(http.StatusOK))
}
