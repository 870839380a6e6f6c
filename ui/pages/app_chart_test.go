package pages_test

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestFactsOfTheChart shows the facts that a chart states, as an attacker may write them.
func TestFactsOfTheChart(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	path := "/apps/" + w.market + "/samples/wiki"
	shows(t, b, path, "The wiki")
	const rel = `rel="nofollow noopener noreferrer"`
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(attack)
	for _, c := range []struct {
		why, report string
		want, not   []string
	}{
		{
			"all facts", `{"home": "https://wiki.example/", "sources": ["https://git.example/wiki", "git@git.example:wiki"], "kubeVersion": ">=1.28.0-0",
				"maintainers": [{"name": "Jane", "email": "jane@mail.example", "url": "https://jane.example"}, {"name": "Team", "url": "mailto:team@mail.example"}, {"email": "x@mail.example"}, null]}`,
			[]string{`<a href="https://wiki.example/" ` + rel + `>wiki.example</a>`, `<a href="https://git.example/wiki" ` + rel + ">", "git@git.example:wiki", `<a href="https://jane.example" ` + rel + ">Jane</a>", "<div>Team</div>", "&gt;=1.28.0-0"},
			[]string{"mail.example", `href="git@`},
		},
		{
			"attacks", `{"home": "javascript:alert(1)", "sources": ["data:text/html,x", "https://bank.example@evil.test/", "` + quoted + `"],
				"maintainers": [{"name": "` + quoted + `", "url": "JavaScript:alert(1)"}], "kubeVersion": "` + quoted + `"}`,
			[]string{"javascript:alert(1)", "Kubernetes version"}, []string{`href="javascript`, `href="data:`, `href="https://bank`},
		},
		{
			"many", `{"sources": [` + strings.TrimSuffix(strings.Repeat(`"https://many.example/x",`, 5000), ",") + `], "maintainers": [` + strings.TrimSuffix(strings.Repeat(`{"name": "Jane Doe"},`, 5000), ",") + `]}`,
			[]string{"4990 more", "4980 more"}, nil,
		},
		{"long texts", `{"home": "https://long.example/` + strings.Repeat("y", 100_000) + `", "kubeVersion": "` + strings.Repeat("y", 100_000) + `"}`, []string{"https://long.example/"}, []string{strings.Repeat("y", 250), `href="https://long`}},
		{"no JSON", "<html>", nil, []string{"Home page", "Maintainers"}},
		{"a list", "[]", nil, []string{"Home page", "Maintainers"}},
		{"null", "null", nil, []string{"Home page", "Maintainers"}},
		{"no facts", `{"name": "wiki"}`, nil, []string{"Home page", "Maintainers"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			w.reports.mu.Lock()
			w.reports.texts["/reports/"+digest+"/chart.json"] = c.report
			w.reports.mu.Unlock()
			page := b.get(t, path)
			g.Expect(page.StatusCode).To(Equal(http.StatusOK))
			g.Expect(activeMarkup(t, page.text)).To(BeEmpty())
			for _, text := range c.want {
				g.Expect(page.text).To(ContainSubstring(text))
			}
			for _, text := range c.not {
				g.Expect(page.text).NotTo(ContainSubstring(text))
			}
			g.Expect(strings.Count(page.text, "many.example/x</a>")).To(BeNumerically("<=", 10))
			g.Expect(strings.Count(page.text, "Jane Doe")).To(BeNumerically("<=", 20))
		})
	}
}

// TestAppThatIsNotShared looks at an app in namespaces with which its source may not be shared.
func TestAppThatIsNotShared(t *testing.T) {
	w := newFormWorld(t)
	selected := w.Namespace(t, map[string]string{"team": "web"})
	path := "/apps/" + w.market + "/samples/wiki"
	isTeam := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "web"}}
	reader := w.signIn(t, w.tenant, "ann", tenant...)
	w.Create(t, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "reader-" + w.tenant},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
			{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinfos"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstalltasks"}, Verbs: []string{"create"}},
		},
	}, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader-" + w.tenant},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader-" + w.tenant},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.tenant, Name: "ann"}},
	})
	shows(t, reader, path, "Wiki")
	for _, c := range []struct {
		why       string
		b         *browser
		sharing   *v1alpha1.AllowedNamespaces
		namespace string
		isRefused bool
	}{
		{"unknown", w.b, nil, w.tenant, false},
		{"all namespaces", w.b, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}, w.tenant, false},
		{"the same namespace", w.b, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}, w.tenant, true},
		{"no namespace", w.b, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}, "", false},
		{"its own namespace", reader, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}, w.market, false},
		{"a selected namespace", reader, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: isTeam}, selected, false},
		{"another namespace", reader, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: isTeam}, w.tenant, true},
		{"a namespace that the user cannot read", w.b, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: isTeam}, w.tenant, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			app := &v1alpha1.AppInfo{}
			g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples.wiki"}, app)).To(Succeed())
			app.Status.Sharing = c.sharing
			g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
			notShared := ContainSubstring("Not shared with " + c.namespace)
			page := c.b.get(t, path+"?namespace="+c.namespace).text
			form := w.validForm()
			form.Set("to", c.namespace)
			states := c.b.post(t, path+"/install/fields", form).text
			if !c.isRefused {
				g.Expect(page).NotTo(ContainSubstring("Not shared"))
				g.Expect(states).NotTo(ContainSubstring("Not shared"))
				return
			}
			g.Expect(page).To(And(notShared, ContainSubstring(`aria-disabled="true"`)))
			g.Expect(states).To(notShared)
			answer := c.b.post(t, path+"/install", form)
			g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
			g.Expect(answer.text).To(notShared)
		})
	}
	NewWithT(t).Expect(w.taskNames(t)).To(BeEmpty())
}
