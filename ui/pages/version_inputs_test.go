package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// otherDigest is the digest of the reports of version 1.3.0-rc.1, which is not selected.
var otherDigest = strings.Repeat("cd", 32)

const otherVersion = "1.3.0-rc.1"

// addOtherVersion publishes another version of the app of the form, with a report with inputs.
func (w formWorld) addOtherVersion(t *testing.T, report string) {
	t.Helper()
	g := NewWithT(t)
	app := &v1alpha1.AppInfo{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples.wiki"}, app)).To(Succeed())
	app.Status.Versions = append([]v1alpha1.PublishedVersion{{
		Version: otherVersion, Digest: "sha256:" + otherDigest, ReportURL: w.reports.URL + "/reports/" + otherDigest + "/",
	}}, app.Status.Versions...)
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	w.setReport("inputs.json", report)
}

// setReport sets a report of the other version. The version does not have it if the text is empty.
func (w formWorld) setReport(name, report string) {
	w.reports.mu.Lock()
	defer w.reports.mu.Unlock()
	if w.reports.texts["/reports/"+otherDigest+"/"+name] = report; report == "" {
		delete(w.reports.texts, "/reports/"+otherDigest+"/"+name)
	}
}

// inputsOfOther is a report with an input that the selected version does not have.
const inputsOfOther = `[
  {"name": "WIKI_ADMIN_EMAIL", "type": "email", "required": true},
  {"name": "WIKI_SEARCH", "title": "Search engine", "type": "string", "required": true, "options": [{"value": "basic"}, {"title": "Full text", "value": "full"}]},
  {"name": "WIKI_LIMIT", "type": "int", "default": "10", "range": {"min": 5, "max": 50}, "showIf": "WIKI_SEARCH=full"},
  {"name": "WIKI_TOKEN", "type": "password", "default": "CANARY-default"}
]`

// TestInputsOfAnotherVersion installs a version that is not the selected one.
func TestInputsOfAnotherVersion(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addOtherVersion(t, inputsOfOther)
	g.Expect(w.b.get(t, w.path).text).To(And(ContainSubstring("WIKI_THEME"), Not(ContainSubstring("WIKI_SEARCH")), ContainSubstring(`data-inputs="`+w.path+`/inputs"`)))
	page := w.b.get(t, w.path+"?version="+otherVersion).text
	g.Expect(page).To(And(ContainSubstring("Search engine"), ContainSubstring("Full text"), ContainSubstring("WIKI_LIMIT"), Not(ContainSubstring("WIKI_THEME")), Not(ContainSubstring("CANARY"))))

	form := w.validForm()
	form.Set("version", otherVersion)
	form.Set("input.WIKI_SEARCH", "full")
	form.Set("input.WIKI_LIMIT", "500")
	part := w.b.postPart(t, w.path+"/inputs", form)
	g.Expect(part.StatusCode).To(Equal(http.StatusOK))
	g.Expect(part.text).To(And(ContainSubstring(`value="jane@example.com"`), ContainSubstring(`value="full" checked`), Not(ContainSubstring("<html")), Not(ContainSubstring("CANARY"))))
	without := w.b.post(t, w.path+"/inputs", form)
	g.Expect(without.text).To(And(ContainSubstring("<html"), ContainSubstring(`value="full" checked`), ContainSubstring("Team wiki")), "without a script, the answer is the form")
	g.Expect(w.taskNames(t)).To(BeEmpty())

	answer := w.b.post(t, w.path, form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(ContainSubstring("WIKI_LIMIT"))
	form.Set("input.WIKI_LIMIT", "20")
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))
	names := []string{}
	for _, input := range w.readTask(t, "install-wiki-abcde").Spec.Install.Inputs {
		names = append(names, input.Name)
	}
	g.Expect(names).To(ConsistOf("WIKI_ADMIN_EMAIL", "WIKI_SEARCH", "WIKI_LIMIT"))
}

// TestHostileInputReports has the reports of a version be anything.
func TestHostileInputReports(t *testing.T) {
	w := newFormWorld(t)
	w.addOtherVersion(t, "")
	many := strings.Repeat(`{"name":"","type":"string"},{"name":"A","type":"string"},`, 3000)
	options := strings.Repeat(`{"value":"x"},`, 5000)
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(attack)
	for _, c := range []struct{ why, report, note string }{
		{"missing", "", "These are the inputs of version 1.2.0."},
		{"no JSON", "<html>", "These are the inputs of version 1.2.0."},
		{"another type", `{"name": "A"}`, "These are the inputs of version 1.2.0."},
		{"deep", strings.Repeat("[", 1<<20), "These are the inputs of version 1.2.0."},
		{"large", `[{"name":"` + strings.Repeat("x", 3<<20) + `"}]`, "too large"},
		{"no inputs", `[]`, ""},
		{"null", `[null]`, ""},
		{"many of one name", "[" + strings.TrimSuffix(many, ",") + "]", ""},
		{"many options", `[{"name":"A","options":[` + strings.TrimSuffix(options, ",") + `]}]`, ""},
		{"markup", `[{"name":"` + quoted + `","title":"` + quoted + `","description":"` + quoted + `","type":"` + quoted + `","default":"` + quoted + `","pattern":"((((","showIf":"` + quoted + `","options":[{"title":"` + quoted + `","value":"` + quoted + `"}]}]`, ""},
		{"bounds", `[{"name":"A","type":"int","range":{"min":1e308,"max":-1e308},"length":{"min":-5,"max":1e300}}]`, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			w.setReport("inputs.json", c.report)
			page := w.b.get(t, w.path+"?version="+otherVersion)
			g.Expect(page.StatusCode).To(Equal(http.StatusOK))
			g.Expect(activeMarkup(t, page.text)).To(BeEmpty())
			g.Expect(strings.Count(page.text, `name="input.A"`)).To(BeNumerically("<=", 1))
			g.Expect(strings.Count(page.text, `<option value="x"`)).To(BeNumerically("<=", 256))
			if c.note != "" {
				g.Expect(page.text).To(And(ContainSubstring("The inputs of version 1.3.0-rc.1 cannot be read."), ContainSubstring(c.note), ContainSubstring("WIKI_THEME")))
			} else {
				g.Expect(page.text).NotTo(Or(ContainSubstring("cannot be read"), ContainSubstring("WIKI_THEME")))
			}
			form := w.validForm()
			form.Set("version", otherVersion)
			g.Expect(w.b.postPart(t, w.path+"/inputs", form).StatusCode).To(Equal(http.StatusOK))
		})
	}
}

// TestInputsOfActions upgrades, configures, clones and installs again with the inputs of the version.
func TestInputsOfActions(t *testing.T) {
	w := newFormWorld(t)
	w.addOtherVersion(t, inputsOfOther)
	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "1.2.0" })
	w.addInstance(t, w.tenant, "early", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = otherVersion })
	w.addInstance(t, w.tenant, "old", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "0.9.0" })
	for _, c := range []struct {
		action, choice string
		isOther        bool
	}{
		{"wiki/actions/upgrade", otherVersion, true}, {"wiki/actions/configure", "", false}, {"early/actions/configure", "", true},
		{"wiki/actions/clone", "", false}, {"wiki/actions/clone", otherVersion, true}, {"early/actions/clone", "", true}, {"early/actions/clone", "1.2.0", false},
		{"wiki/actions/install", otherVersion, true}, {"wiki/actions/install", "", false},
	} {
		t.Run(c.action+" "+c.choice, func(t *testing.T) {
			g := NewWithT(t)
			path := "/instances/" + w.tenant + "/" + c.action
			for _, answer := range []answer{
				w.b.postPart(t, path+"/inputs", url.Values{"key": {"abcde"}, "choice": {c.choice}, "title": {"Wiki"}}),
				w.b.post(t, path+"/inputs", url.Values{"key": {"abcde"}, "choice": {c.choice}, "title": {"Wiki"}}),
			} {
				g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
				g.Expect(strings.Contains(answer.text, "Search engine")).To(Equal(c.isOther))
				g.Expect(strings.Contains(answer.text, "WIKI_THEME")).To(Equal(!c.isOther))
			}
		})
	}
	g := NewWithT(t)
	g.Expect(w.b.get(t, "/instances/"+w.tenant+"/old/actions/configure").text).To(
		And(ContainSubstring("The inputs of version 0.9.0 cannot be read."), ContainSubstring("WIKI_THEME")))
	g.Expect(w.b.post(t, "/instances/"+w.tenant+"/wiki/actions/stop/inputs", url.Values{"key": {"abcde"}}).StatusCode).To(Equal(http.StatusNotFound))
}

// TestPrereleasesAreNotPreselected upgrades an instance for which only a pre-release is newer.
func TestPrereleasesAreNotPreselected(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addOtherVersion(t, inputsOfOther)
	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "1.2.0" })
	w.addInstance(t, w.tenant, "old", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "1.0.0" })
	path := "/instances/" + w.tenant + "/wiki/actions/upgrade"
	page := shows(t, w.b, path, "The instance is up to date").text
	g.Expect(page).To(And(ContainSubstring(`<option value="" selected></option>`), ContainSubstring(`<option value="1.3.0-rc.1">1.3.0-rc.1 (pre-release)</option>`)))
	answer := w.b.post(t, path, url.Values{"key": {"abcde"}, "choice": {""}})
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(ContainSubstring("Select one of the published versions."))
	g.Expect(w.b.post(t, path, url.Values{"key": {"abcde"}, "choice": {otherVersion}}).StatusCode).To(Equal(http.StatusSeeOther))

	old := shows(t, w.b, "/instances/"+w.tenant+"/old/actions/upgrade", `<option value="1.2.0" selected>`).text
	g.Expect(strings.Index(old, `<option value="1.2.0"`)).To(BeNumerically("<", strings.Index(old, `<option value="1.3.0-rc.1">`)), "pre-releases are last")
	g.Expect(old).NotTo(ContainSubstring("up to date"))
	shows(t, w.b, strings.TrimSuffix(w.path, "install")+"versions", "Pre-release")
}
