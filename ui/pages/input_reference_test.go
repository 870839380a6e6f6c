package pages_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestInputFromAnotherObject(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "database", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Outputs = []v1alpha1.Output{{Name: "host", Value: "db"}} })
	g.Expect(w.b.get(t, w.path+"?namespace="+w.tenant).text).To(And(ContainSubstring(`name="from.WIKI_ADMIN_EMAIL"`), ContainSubstring(`name="from.WIKI_THEME"`),
		Not(ContainSubstring(`name="from.WIKI_ADMIN_PASSWORD"`)), MatchRegexp(`<datalist id="output-instances"><option value="database">`), MatchRegexp(`<datalist id="output-names"><option value="host">`)))

	form := w.validForm()
	form.Set("from.WIKI_ADMIN_EMAIL", "configmap")
	form.Set("secret.WIKI_ADMIN_EMAIL", "people")
	g.Expect(w.b.post(t, w.path+"/fields", form).text).To(ContainSubstring("the object needs a name, and a key or an output"))
	form.Set("key.WIKI_ADMIN_EMAIL", "admin")
	form.Set("input.WIKI_SIZE", "")
	form.Set("from.WIKI_SIZE", "output")
	form.Set("secret.WIKI_SIZE", "database")
	form.Set("key.WIKI_SIZE", "host")
	form.Set("from.WIKI_ADMIN_PASSWORD", "configmap")
	form.Set("input.WIKI_ADMIN_PASSWORD", "")
	form.Set("secret.WIKI_ADMIN_PASSWORD", "mine")
	form.Set("key.WIKI_ADMIN_PASSWORD", "password")
	g.Expect(w.b.post(t, w.path+"/preview", form).text).To(ContainSubstring("--input-from WIKI_ADMIN_EMAIL=configmap/people/admin"))
	answer := w.b.post(t, w.path, form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	g.Expect(w.readTask(t, "install-wiki-abcde").Spec.Install.Inputs).To(ConsistOf(
		v1alpha1.InputValue{Name: "WIKI_ADMIN_EMAIL", ValueFrom: &v1alpha1.InputValueSource{ConfigMapKeyRef: &v1alpha1.KeyReference{Name: "people", Key: "admin"}}},
		v1alpha1.InputValue{Name: "WIKI_SIZE", ValueFrom: &v1alpha1.InputValueSource{OutputRef: &v1alpha1.KeyReference{Name: "database", Key: "host"}}},
		v1alpha1.InputValue{Name: "WIKI_ADMIN_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: "mine", Key: "password"}}},
	), "a password comes from a Secret only")
	g.Expect(w.b.get(t, w.path+"?from=install-wiki-abcde&namespace="+w.tenant).text).To(And(ContainSubstring(`<option value="configmap" selected>`), ContainSubstring(`value="people"`)),
		"the form repeats the task")
}

// TestWidgetsOfTheReport installs the selected version, whose report says more about its inputs than its status.
func TestWidgetsOfTheReport(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	options := make([]string, 30)
	for i := range options {
		options[i] = fmt.Sprintf(`{"title": "Zone %d", "value": "zone-%d"}`, i, i)
	}
	w.addOtherVersion(t, `[
		{"name": "WIKI_TEXT", "type": "string", "multiline": true, "editable": true, "group": "Front page"},
		{"name": "WIKI_COLOR", "type": "string", "editable": true},
		{"name": "WIKI_LOGO", "type": "url", "editable": true, "group": "Front page"},
		{"name": "WIKI_ZONE", "type": "string", "editable": true, "options": [`+strings.Join(options, ",")+`]},
		{"name": "WIKI_STORAGE_CLASS", "type": "string", "editable": true},
		{"name": "WIKI_DOMAIN", "type": "string", "value": "wiki.example"}
	]`)
	name := "fast-" + w.tenant
	w.Create(t, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "example.com/fast"})
	path := w.path + "?version=" + otherVersion
	page := w.b.get(t, path).text
	g.Expect(page).To(And(MatchRegexp(`<textarea id="input-\d+" name="input.WIKI_TEXT"`), MatchRegexp(`(?s)<legend>Front page</legend>.*WIKI_TEXT.*WIKI_LOGO`),
		MatchRegexp(`(?s)WIKI_COLOR.*<legend>Front page</legend>`), ContainSubstring(`<option value="zone-29">Zone 29</option>`), ContainSubstring(`list="storage-classes"`),
		MatchRegexp(`value="wiki.example" readonly`), ContainSubstring("Set by the market."), Not(ContainSubstring(`name="input.WIKI_DOMAIN"`)), Not(ContainSubstring(name))))
	g.Expect(strings.Count(page, "<legend>Front page</legend>")).To(Equal(1))

	admin := w.signIn(t, w.tenant, "storage-reader", tenant...)
	w.bindBrowser(t, w.tenant, "storage-reader")
	w.Create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: []string{"list"}},
	}}, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.tenant, Name: "storage-reader"}}})
	shows(t, admin, path, `<option value="`+name+`">`)

	form := w.validForm()
	for key := range form {
		if strings.HasPrefix(key, "input.") {
			form.Del(key)
		}
	}
	form.Set("version", otherVersion)
	form.Set("input.WIKI_TEXT", "one\r\ntwo")
	form.Set("input.WIKI_ZONE", "zone-30")
	form.Set("input.WIKI_DOMAIN", "evil.example")
	g.Expect(w.b.post(t, w.path+"/fields", form).text).To(MatchRegexp(`data-problem="input-\d+">must be one of`), "a text with proposals is checked")
	form.Set("input.WIKI_ZONE", "zone-3")
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))
	text, zone := "one\ntwo", "zone-3"
	g.Expect(w.readTask(t, "install-wiki-abcde").Spec.Install.Inputs).To(ConsistOf(
		v1alpha1.InputValue{Name: "WIKI_TEXT", Value: &text}, v1alpha1.InputValue{Name: "WIKI_ZONE", Value: &zone}), "a value that the market sets is not sent")
}
