package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// setSummary changes the summary of the app of the form.
func (w formWorld) setSummary(t *testing.T, change func(*v1alpha1.AppSummary)) {
	t.Helper()
	g := NewWithT(t)
	app := &v1alpha1.AppInfo{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples.wiki"}, app)).To(Succeed())
	change(app.Status.Summary)
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
}

// bindBrowser lets another service account read the market.
func (w formWorld) bindBrowser(t *testing.T, namespace, account string) {
	t.Helper()
	w.Create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: account}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "browser"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	})
}

func TestNameOfANewInstance(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	form, chosen := w.validForm(), w.path+"?namespace="+w.tenant
	g.Expect(w.b.get(t, chosen).text).To(ContainSubstring(`name="name" value="wiki"`))
	w.addInstance(t, w.tenant, "wiki", w.ref)
	shows(t, w.b, chosen, `name="name" value="wiki-2"`)
	w.addInstance(t, w.tenant, "wiki-2", w.ref)
	shows(t, w.b, chosen, `name="name" value="wiki-3"`)

	const taken = "instance wiki exists in namespace"
	answer := w.b.post(t, w.path, form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(And(ContainSubstring(taken), ContainSubstring(`href="#name"`)))
	g.Expect(w.b.post(t, w.path+"/fields", form).text).To(And(ContainSubstring(`data-problem="name"`), ContainSubstring(taken)))
	stranger := w.signIn(t, w.tenant, "stranger", tenant[1])
	w.bindBrowser(t, w.tenant, "stranger")
	shows(t, stranger, chosen, `name="name" value="wiki"`)
	g.Expect(stranger.post(t, w.path+"/fields", form).text).NotTo(ContainSubstring(taken), "a user who cannot read instances learns nothing about them")

	// An uninstalled instance can be installed again, but not as another app.
	w.addRecord(t, w.tenant, "record", w.ref)
	w.addRecord(t, w.tenant, "other-record", v1alpha1.AppReference{Source: "samples", Name: "board"})
	form.Set("name", "other-record")
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	form.Set("name", "record")
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))

	// The task of the form creates the instance before the form is submitted again.
	form.Set("name", "fresh")
	first := w.b.post(t, w.path, form)
	g.Expect(first.StatusCode).To(Equal(http.StatusSeeOther), first.text)
	w.addInstance(t, w.tenant, "fresh", w.ref)
	g.Expect(w.b.post(t, w.path, form).Header.Get("Location")).To(Equal(first.Header.Get("Location")))
	form.Set("key", "fghij")
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusUnprocessableEntity), "another form does not use the instance")
}

func TestNameOfAClone(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "wiki", w.ref)
	form := "/instances/" + w.tenant + "/wiki/actions/clone"
	shows(t, w.b, form, `name="name" value="wiki-2"`)
	w.addInstance(t, w.tenant, "wiki-2", w.ref)
	shows(t, w.b, form, `name="name" value="wiki-3"`)
	entries := url.Values{"key": {"abcde"}, "to": {w.tenant}, "name": {"wiki-2"}, "title": {"Second wiki"}, "entrance.web": {"Web 2"}}
	answer := w.b.post(t, form, entries)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(ContainSubstring("instance wiki-2 exists in namespace"))
	entries.Set("name", "wiki-3")
	g.Expect(w.b.post(t, form, entries).StatusCode).To(Equal(http.StatusSeeOther))
}

func TestLongNameIsShortened(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	long := strings.Repeat("a", 40)
	w.addInstance(t, w.tenant, long, w.ref)
	shows(t, w.b, "/instances/"+w.tenant+"/"+long+"/actions/clone", `name="name" value="`+strings.Repeat("a", 38)+`-2"`)
	g.Expect(w.taskNames(t)).To(BeEmpty())
}

func TestOnlyInstanceOfAnApp(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.setSummary(t, func(s *v1alpha1.AppSummary) { s.Type = "app" })
	elsewhere := w.Namespace(t, nil)
	w.addInstance(t, w.tenant, "first", w.ref)
	chosen := w.path + "?namespace=" + w.tenant
	shows(t, w.b, chosen, "Only one instance of the app is allowed in a namespace", `href="/instances/`+w.tenant+`/first"`)
	form := w.validForm()
	answer := w.b.post(t, w.path, form)
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.text).To(And(ContainSubstring(`href="#to"`), ContainSubstring(`href="/instances/`+w.tenant+`/first"`)))
	form.Set("to", elsewhere)
	g.Expect(w.b.post(t, w.path+"/fields", form).text).NotTo(ContainSubstring(`data-problem="to"`), "another namespace has none")

	w.setSummary(t, func(s *v1alpha1.AppSummary) { s.ClusterSingleton = true })
	shows(t, w.b, w.path+"?namespace="+elsewhere, "Only one instance of the app is allowed in the cluster: first in namespace "+w.tenant)
	stranger := w.signIn(t, elsewhere, "stranger", viewer)
	w.bindBrowser(t, elsewhere, "stranger")
	g.Expect(stranger.get(t, w.path+"?namespace="+elsewhere).text).NotTo(ContainSubstring("Only one instance"), "the instance of another tenant is not shown")

	w.setSummary(t, func(s *v1alpha1.AppSummary) { s.ClusterSingleton, s.Cloneable = false, true })
	g.Expect(w.b.get(t, chosen).text).NotTo(ContainSubstring("Only one instance"))
}
