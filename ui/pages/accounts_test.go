package pages_test

import (
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestServiceAccountsAreProposed opens the form as a user who can list service accounts, and as one who cannot.
func TestServiceAccountsAreProposed(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	path := w.path + "?namespace=" + w.tenant
	g.Expect(w.b.get(t, path).text).To(And(ContainSubstring(`<datalist id="accounts"></datalist>`), ContainSubstring(`list="accounts"`), ContainSubstring("usually lacks the permissions")))
	lister := w.signIn(t, w.tenant, "lister", append(tenant[:3:3], rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"list"}})...)
	w.allowMore(t, "lister")
	shows(t, lister, path, `<option value="jane">`, `<option value="lister">`)
	form := w.validForm()
	g.Expect(lister.post(t, w.path+"/preview", form).text).To(ContainSubstring(`<option value="jane">`), "the namespace is selected")
	w.addInstanceWith(t, w.tenant, "wiki", v1alpha1.AppInstanceSpec{AppRef: w.ref, Title: "Team wiki", ServiceAccountName: "jane"})
	instance := "/instances/" + w.tenant + "/wiki/actions/"
	for _, action := range []string{"upgrade", "configure", "clone"} {
		shows(t, lister, instance+action, `list="accounts"`, `<option value="jane">`)
	}
	change := url.Values{"key": {"aaaaa"}, "title": {"Team wiki"}, "account": {"jane"}}
	g.Expect(lister.post(t, instance+"configure/preview", change).text).NotTo(ContainSubstring("--service-account"), "the account is not changed")
	change.Set("account", "lister")
	g.Expect(lister.post(t, instance+"configure/preview", change).text).To(And(ContainSubstring("serviceAccountName: lister"), ContainSubstring("--service-account lister")))
	change.Set("account", "Not an account")
	g.Expect(lister.post(t, instance+"configure", change).text).To(ContainSubstring("must be the name of a service account"))
	form.Set("to", "Not a namespace")
	g.Expect(lister.post(t, w.path+"/preview", form).text).To(ContainSubstring(`<datalist id="accounts"></datalist>`))
}
