package pages_test

import (
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestFailuresDataAndTimeLimitOfAnInstallation(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	page := w.b.get(t, w.path).text
	g.Expect(page).To(And(MatchRegexp(`<details>\s*<summary>Options`), ContainSubstring(`name="on-failure"`), ContainSubstring(`value="Remove"`), Not(ContainSubstring(`value="Rollback"`)),
		ContainSubstring(`name="data-policy"`), ContainSubstring(`name="timeout"`), Not(ContainSubstring(`name="dependencies"`))))
	form := w.validForm()
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))
	spec := w.readTask(t, "install-wiki-abcde").Spec
	g.Expect([]string{string(spec.OnFailure), string(spec.Timeout), string(spec.Install.DataPolicy)}).To(Equal([]string{"Keep", "10m", ""}), "the defaults of the API")
	g.Expect(w.b.get(t, w.path+"?from=install-wiki-abcde&namespace="+w.tenant).text).To(MatchRegexp(`<details>\s*<summary>Options`), "defaults are no entries")

	form.Set("key", "fghij")
	form.Set("on-failure", "Remove")
	form.Set("data-policy", "Delete")
	for entered, isValid := range map[string]bool{"90s": true, "24h": true, "soon": false, "0s": false, "25h": false, "-1m": false} {
		form.Set("timeout", entered)
		answer := w.b.post(t, w.path+"/fields", form)
		if isValid {
			g.Expect(answer.text).NotTo(ContainSubstring(`data-problem="timeout"`), entered)
		} else {
			g.Expect(answer.text).To(ContainSubstring(`data-problem="timeout"`), entered)
			g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusUnprocessableEntity), entered)
		}
	}
	form.Set("timeout", "90s")
	g.Expect(w.b.post(t, w.path+"/preview", form).text).To(And(ContainSubstring("--on-failure remove"), ContainSubstring("--data delete"), ContainSubstring("--operation-timeout 1m30s")))
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))
	spec = w.readTask(t, "install-wiki-fghij").Spec
	g.Expect([]string{string(spec.OnFailure), string(spec.Timeout), string(spec.Install.DataPolicy)}).To(Equal([]string{"Remove", "1m30s", "Delete"}))
	g.Expect(w.b.get(t, w.path+"?from=install-wiki-fghij&namespace="+w.tenant).text).To(And(MatchRegexp(`<details open>\s*<summary>Options`), ContainSubstring(`value="Remove" selected`),
		ContainSubstring(`value="Delete" selected`), ContainSubstring(`name="timeout" value="1m30s"`)), "the form repeats the task")

	form.Set("key", "klmno")
	form.Set("on-failure", "Rollback")
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.readTask(t, "install-wiki-klmno").Spec.OnFailure).To(Equal(v1alpha1.FailureKeep), "an installation has no revision to return to")

	w.setSummary(t, func(s *v1alpha1.AppSummary) {
		s.Dependencies = []v1alpha1.AppDependency{{Name: "notes", Type: "application", Required: true}}
	})
	g.Expect(w.b.get(t, w.path).text).To(ContainSubstring(`name="dependencies"`))
}

func TestFailuresDataAndTimeLimitOfAChange(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "1.1.0" })
	instance := "/instances/" + w.tenant + "/wiki/actions/"
	for _, action := range []string{"upgrade", "configure", "clone"} {
		g.Expect(w.b.get(t, instance+action).text).To(And(ContainSubstring(`name="on-failure"`), ContainSubstring(`name="data-policy"`)), action)
	}
	g.Expect(w.b.get(t, instance+"stop").text).NotTo(ContainSubstring(`name="on-failure"`))
	form := url.Values{"key": {"abcde"}, "choice": {"1.2.0"}, "on-failure": {"Rollback"}, "timeout": {"no"}}
	answer := w.b.post(t, instance+"upgrade", form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(ContainSubstring(`href="#timeout"`))
	form.Set("timeout", "1h")
	g.Expect(w.b.post(t, instance+"upgrade", form).StatusCode).To(Equal(http.StatusSeeOther))
	spec := w.readTask(t, "upgrade-wiki-abcde").Spec
	g.Expect([]string{string(spec.OnFailure), string(spec.Timeout), string(spec.Upgrade.DataPolicy)}).To(Equal([]string{"Rollback", "1h0m0s", ""}))
}
