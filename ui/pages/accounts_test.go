package pages_test

import (
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
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
	form.Set("to", "Not a namespace")
	g.Expect(lister.post(t, w.path+"/preview", form).text).To(ContainSubstring(`<datalist id="accounts"></datalist>`))
}
