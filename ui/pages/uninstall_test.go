package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// listedAs returns the part of a page below a heading.
func listedAs(page, heading string) string {
	return regexp.MustCompile(`(?s)<h2>` + heading + `</h2>.*?</section>`).FindString(page)
}

func TestUninstallFormListsWhatIsDeletedAndRetained(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	password := v1alpha1.InputValue{Name: "WIKI_ADMIN_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{
		SecretKeyRef: &v1alpha1.KeyReference{Name: "wiki-inputs", Key: "WIKI_ADMIN_PASSWORD"},
	}}
	w.addInstanceWith(t, w.tenant, "wiki", v1alpha1.AppInstanceSpec{AppRef: w.ref, Inputs: []v1alpha1.InputValue{password}}, func(i *v1alpha1.AppInstance) {
		i.Status.Claims = []v1alpha1.VolumeClaim{{Name: "data-wiki-0", Storage: "5Gi", OnRemoval: v1alpha1.ClaimRetained}}
		i.Status.Releases = append(i.Status.Releases, v1alpha1.Release{Name: "wiki-cache", Revision: 1, Status: "deployed"})
		i.Status.Inventory = &v1alpha1.Inventory{Total: 3, Ready: 3, Objects: []v1alpha1.ObjectReference{
			{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: "wiki"}, {APIVersion: "v1", Kind: "Service", Namespace: w.tenant, Name: "wiki"},
			{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: w.tenant, Name: "data-wiki-0"},
		}}
	})
	form := "/instances/" + w.tenant + "/wiki/actions/uninstall"
	page := w.b.get(t, form).text
	g.Expect(listedAs(page, "Deleted")).To(And(ContainSubstring("2 objects of the app without its volume claims"), ContainSubstring("<code>Deployment</code>"),
		ContainSubstring("Helm release <code>wiki-cache</code>"), ContainSubstring(`only-delete">PersistentVolumeClaim <code>data-wiki-0</code> <span class="muted">5Gi`)))
	g.Expect(listedAs(page, "Retained")).To(And(ContainSubstring(`only-retain">PersistentVolumeClaim <code>data-wiki-0</code> <span class="muted">5Gi`),
		ContainSubstring("Secret <code>wiki-inputs</code>"), ContainSubstring("AppInstance <code>wiki</code>"), ContainSubstring("CustomResourceDefinitions")))
	g.Expect(page).NotTo(ContainSubstring("Dependent instances"))
}

func TestUninstallFormListsDependents(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	requires := func(app string) []v1alpha1.AppDependency {
		return []v1alpha1.AppDependency{{Name: app, Type: "application", Version: ">=1.0", Required: true}}
	}
	refTo := func(app string) v1alpha1.AppReference {
		return v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: app}
	}
	w.addApp(t, w.market, "samples", "blog", v1alpha1.AppSummary{Title: "Blog", Dependencies: requires("wiki")})
	w.addApp(t, w.market, "samples", "comments", v1alpha1.AppSummary{Title: "Comments", Dependencies: requires("blog")})
	w.addApp(t, w.market, "samples", "notes", v1alpha1.AppSummary{Title: "Notes"})
	w.addInstance(t, w.tenant, "wiki", w.ref)
	w.addRecord(t, w.tenant, "former-blog", refTo("blog"))
	form := "/instances/" + w.tenant + "/wiki/actions/uninstall"
	g.Expect(w.b.get(t, form).text).NotTo(ContainSubstring("Dependent instances"), "an uninstalled instance depends on nothing")
	w.addInstance(t, w.tenant, "blog", refTo("blog"))
	w.addInstance(t, w.tenant, "comments", refTo("comments"))
	w.addInstance(t, w.tenant, "notes", refTo("notes"))

	shows(t, w.b, form, "<code>comments</code>")
	listed := listedAs(w.b.get(t, form).text, "Dependent instances")
	g.Expect(listed).To(And(ContainSubstring(`href="/instances/`+w.tenant+`/blog"`), ContainSubstring("<code>comments</code>"), Not(ContainSubstring("notes")), Not(ContainSubstring("former-blog")),
		Not(ContainSubstring("There may be others"))))
	entries := url.Values{"key": {"abcde"}, "data": {"retain"}}
	refused := w.b.post(t, form, entries)
	g.Expect(refused.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(refused.text).To(ContainSubstring("Other instances depend on wiki"))
	g.Expect(w.taskNames(t)).To(BeEmpty())
	entries.Set("dependents", "yes")
	g.Expect(w.b.post(t, form, entries).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.readTask(t, "uninstall-wiki-abcde").Spec.Uninstall.Dependents).To(Equal(v1alpha1.DependentsUninstall))

	stranger := w.signIn(t, w.tenant, "stranger", viewer, tenant[1])
	g.Expect(listedAs(stranger.get(t, form).text, "Dependent instances")).To(And(ContainSubstring("There may be others"), Not(ContainSubstring("blog"))), "the user cannot list the apps")
	getter := w.signIn(t, w.tenant, "getter", tenant[1], rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{"get"}})
	g.Expect(listedAs(getter.get(t, form).text, "Dependent instances")).To(ContainSubstring("There may be others"))

	w.addInstance(t, w.tenant, "second-wiki", w.ref)
	g.Eventually(func() string { return w.b.get(t, form).text }).WithTimeout(15*time.Second).ShouldNot(ContainSubstring("Dependent instances"), "another instance of the app remains")
}
