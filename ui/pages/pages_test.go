package pages_test

import (
	"html/template"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/pages"
)

// world is a market and a tenant.
type world struct {
	*site

	market, tenant string
	// other is the namespace of another tenant, if the test has one.
	other string
	ref   v1alpha1.AppReference
}

// allowBrowsing lets a service account of the tenant read the sources and apps of the market.
func (w world) allowBrowsing(t *testing.T, account string) {
	t.Helper()
	w.Create(t, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "browser"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinfos", "marketsources"}, Verbs: []string{"get", "list", "watch"}}},
	}, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "browser"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "browser"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.tenant, Name: account}},
	})
}

func newWorld(t *testing.T, local bool, change ...func(*pages.Options)) world {
	t.Helper()
	w := world{site: startSite(t, local, change...)}
	w.market, w.tenant = w.Namespace(t, nil), w.Namespace(t, nil)
	w.ref = v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: "wiki"}
	w.addSource(t, w.market, "samples")
	w.addApp(t, w.market, "samples", "wiki", v1alpha1.AppSummary{
		Title: "Wiki", Developer: "Samples Ltd", Description: "Pages for a team", Categories: []string{"Tools"}, Architectures: []string{"arm64"}, ImageCount: 1,
		Inputs:       []v1alpha1.Input{{Name: "WIKI_ADMIN_EMAIL", Type: "email", Required: true}, {Name: "WIKI_LANGUAGE", Type: "string", Default: "en"}},
		Dependencies: []v1alpha1.AppDependency{{Name: "notes", Type: "application", Version: ">=1.0", Required: true}},
		Kinds:        []v1alpha1.KindCount{{Kind: "Deployment.apps", Count: 1}, {Kind: "ClusterRole.rbac.authorization.k8s.io", Count: 2}},
	})
	w.addApp(t, w.market, "samples", "notes", v1alpha1.AppSummary{Title: "笔记", Description: "Short texts", Categories: []string{"Tools"}})
	w.addFailedApp(t, w.market, "samples", "broken")
	w.addInstance(t, w.tenant, "wiki", w.ref, makeUnhealthy)
	w.addTask(t, w.tenant, "install-wiki-x7k2p", w.ref)
	w.reports.texts["/reports/"+digest+"/README.md"] = "# The wiki\n\nPages for *teams*."
	w.reports.texts["/reports/"+digest+"/values.yaml"] = "replicas: 1 # of the wiki\n"
	return w
}

// shows waits until a page has all texts, because the lists come from a cache.
func shows(t *testing.T, b *browser, path string, texts ...string) answer {
	t.Helper()
	g := NewWithT(t)
	var page answer
	for _, text := range texts {
		g.Eventually(func() string { page = b.get(t, path); return page.text }).WithTimeout(15*time.Second).
			WithPolling(200*time.Millisecond).Should(ContainSubstring(text), path)
	}
	g.Expect(page.StatusCode).To(Equal(http.StatusOK), path)
	return page
}

func TestPagesShowTheCluster(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	app, instance := "/apps/"+w.market+"/samples/wiki", "/instances/"+w.tenant+"/wiki"
	for _, c := range []struct {
		path  string
		texts []string
	}{
		{"/apps", []string{"<h1>Apps</h1>", "Wiki", "笔记", "Samples Ltd", "Pages for a team", "2.4.0 available", "Not published", "Tools", "arm64"}},
		{app, []string{"Wiki", "1.2.0", "The wiki", "<em>teams</em>", "2, 1 required", "arm64", "&gt;=1.0", "<dd>Tools</dd>", "3 days ago"}},
		{app + "/versions", []string{"2026.1", "1.2.0"}},
		{app + "/images", []string{"registry.example/wiki:1.2.0", "412 MB", "linux/amd64"}},
		{app + "/permissions", []string{"ClusterRole.rbac.authorization.k8s.io", "allows one instance"}},
		{app + "/values", []string{"replicas: 1 # of the wiki", "WIKI_LANGUAGE"}},
		{"/apps/" + w.market + "/samples/broken", []string{"RenderFailed", "templates/x.yaml:3", "Fetched"}},
		{"/instances?namespace=" + w.tenant, []string{"1 instance", "Unhealthy", "was not found", "2.4.0"}},
		{instance, []string{"Not all objects are ready", "registry.example/wiki:2.3.1 was not found", "kubectl port-forward -n " + w.tenant + " service/wiki 8080:8080", "retained on uninstallation", "Objects that are not ready", "0 of 1 replicas are ready", "data-wiki-0", "5Gi"}},
		{instance + "/objects", []string{"Secret", "1 of 2 objects are ready"}},
		{instance + "/events", []string{"No events"}},
		{instance + "/history", []string{"No history"}},
		{instance + "/values", []string{"No values"}},
		{instance + "/drift", []string{"Drift detection is off"}},
		{instance + "/yaml", []string{"kind: AppInstance", "appRef:"}},
		{"/tasks?namespace=" + w.tenant, []string{"1 task", "Waiting for input", "1 of 5 inputs is missing"}},
		{"/tasks/" + w.tenant + "/install-wiki-x7k2p", []string{"Install wiki", "WIKI_ADMIN_EMAIL", "a value is required", "PermissionDenied", "kind: Role", "in 59 minutes", "by jane@example.com"}},
		{"/sources", []string{"samples", "7 of 8", "all namespaces"}},
		{app + "/install", []string{"(notes &gt;=1.0)"}},
		{"/sources/" + w.market + "/samples", []string{"broken", "RenderFailed", "https://charts.example.com", "helm repo add samples"}},
		{"/about", []string{"1.2.3", "Install and change apps", "one-time link"}},
	} {
		t.Run(c.path, func(t *testing.T) {
			page := shows(t, b, c.path, c.texts...)
			NewWithT(t).Expect(page.text).To(HavePrefix("<!doctype html>"))
			NewWithT(t).Expect(page.text).To(MatchRegexp(`<title>[^<]+ · AppMarket</title>`))
		})
	}
}

func TestHistoryNamesTheRequester(t *testing.T) {
	w := newWorld(t, true)
	now := metav1.Now()
	w.addInstance(t, w.tenant, "past", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.History = []v1alpha1.HistoryEntry{{
			Revision: 4, Outcome: v1alpha1.OutcomeSucceeded, EndedAt: now,
			Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "1.2.0", Task: "upgrade-past-aaaaa", RequestedBy: attack, StartedAt: now},
		}}
	})
	page := shows(t, w.signInAsAdmin(t), "/instances/"+w.tenant+"/past/history", "upgrade-past-aaaaa", "by "+template.HTMLEscapeString(attack))
	NewWithT(t).Expect(page.text).NotTo(ContainSubstring(attack))
}

func TestSearchAndFilters(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	own := "/apps?source=samples&"
	shows(t, b, own, "笔记", "Wiki")
	for query, found := range map[string][2]bool{ // wiki, notes
		"q=WIKI": {true, false}, "q=笔": {false, true}, "q=team+pages": {true, false}, "category=tools": {true, true}, "arch=arm64": {true, false},
		"state=Installed": {true, false}, "state=Failed": {false, false}, "category=None": {false, false}, "q=" + "<script>": {false, false},
	} {
		t.Run(query, func(t *testing.T) {
			g := NewWithT(t)
			for _, path := range []string{own, "/parts" + own} {
				page := b.get(t, path+query)
				g.Expect(page.StatusCode).To(Equal(http.StatusOK))
				for i, link := range []string{"/samples/wiki\"", "/samples/notes\""} {
					if found[i] {
						g.Expect(page.text).To(ContainSubstring(link))
					} else {
						g.Expect(page.text).NotTo(ContainSubstring(link))
					}
				}
			}
		})
	}
}

// TestUsersSeeWhatTheyMay reads as a tenant who has rights in one namespace.
func TestUsersSeeWhatTheyMay(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	other := w.Namespace(t, nil)
	w.addInstance(t, other, "of-another-tenant", w.ref)
	b := w.signIn(t, w.tenant, "jane", viewer)
	page := shows(t, b, "/instances", "Unhealthy")
	g.Expect(page.text).NotTo(ContainSubstring("of-another-tenant"))
	page = shows(t, b, "/apps", "You cannot list any apps", "clusterrole=appmarket-browser", "--serviceaccount="+w.tenant+":jane")
	g.Expect(page.text).NotTo(ContainSubstring("Samples Ltd"))
	shows(t, b, "/sources", "No sources in your namespaces")

	w.allowBrowsing(t, "jane")
	shows(t, b, "/apps", "Wiki", "2.4.0 available")
	shows(t, b, "/apps/"+w.market+"/samples/wiki", "The wiki")
	w.reports.mu.Lock()
	defer w.reports.mu.Unlock()
	g.Expect(w.reports.tokens).To(ContainElement(HavePrefix("Bearer ey")), "the repository decides with the token of the user")
}

// TestForeignObjectsLookLikeMissingOnes compares the answers for an object of another tenant with
// those for a name that does not exist.
func TestForeignObjectsLookLikeMissingOnes(t *testing.T) {
	w := newWorld(t, false)
	mine := w.Namespace(t, nil)
	b := w.signIn(t, mine, "jane", viewer)
	for _, kind := range []struct{ there, missing string }{
		{"/instances/" + w.tenant + "/wiki", "/instances/" + w.tenant + "/none"},
		{"/instances/" + w.tenant + "/wiki/yaml", "/instances/" + w.tenant + "/none/yaml"},
		{"/parts/instances/" + w.tenant + "/wiki", "/parts/instances/" + w.tenant + "/none"},
		{"/tasks/" + w.tenant + "/install-wiki-x7k2p", "/tasks/" + w.tenant + "/none"},
		{"/apps/" + w.market + "/samples/wiki", "/apps/" + w.market + "/samples/none"},
		{"/apps/" + w.market + "/samples/wiki/files/values.yaml", "/apps/" + w.market + "/samples/none/files/values.yaml"},
		{"/sources/" + w.market + "/samples", "/sources/" + w.market + "/none"},
	} {
		t.Run(kind.there, func(t *testing.T) {
			g := NewWithT(t)
			there, missing := b.get(t, kind.there), b.get(t, kind.missing)
			g.Expect(there.StatusCode).To(Equal(http.StatusForbidden))
			g.Expect(missing.StatusCode).To(Equal(http.StatusForbidden))
			g.Expect(there.text).To(Equal(missing.text))
		})
	}
	g := NewWithT(t)
	g.Expect(b.get(t, "/instances?namespace="+w.tenant).StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(w.reports.requests()).To(BeZero())
	missing := b.get(t, "/instances/"+mine+"/none")
	g.Expect(missing.StatusCode).To(Equal(http.StatusNotFound))
}

// TestObjectsAreReadAsTheUser opens a Secret of an instance.
func TestObjectsAreReadAsTheUser(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	w.Create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "wiki", Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: `{"data":"CANARY"}`}},
		Data:       map[string][]byte{"password": []byte("CANARY")},
	})
	open := "/instances/" + w.tenant + "/wiki/objects?object=v1+Secret+" + w.tenant + "+wiki"
	viewing := w.signIn(t, w.tenant, "viewer", viewer)
	g.Expect(viewing.get(t, open).text).To(ContainSubstring("You cannot get objects of kind Secret in this namespace."))
	administrator := w.signIn(t, w.tenant, "administrator", viewer, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	page := administrator.get(t, open)
	g.Expect(page.text).To(ContainSubstring("(masked)"))
	g.Expect(page.text).NotTo(Or(ContainSubstring("CANARY"), ContainSubstring("Q0FOQVJZ")))
	// An object that is not in the inventory cannot be opened by its address.
	page = administrator.get(t, "/instances/"+w.tenant+"/wiki/objects?object=v1+Secret+"+w.tenant+"+other")
	g.Expect(page.text).NotTo(ContainSubstring(`id="object"`))
	g.Expect(viewing.get(t, "/instances/"+w.tenant+"/wiki/events").text).To(ContainSubstring("You cannot list events"))
}

// TestNamespaceSelectionKeepsTheApp follows the action of the form that selects a namespace.
func TestNamespaceSelectionKeepsTheApp(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	app := strings.TrimSuffix(w.path, "/install")
	for _, path := range []string{app, app + "/versions"} {
		shows(t, w.b, path, `class="namespace" action="`+path+`"`)
	}
	shows(t, w.b, "/apps", `class="namespace" action="/apps"`)
	g.Expect(w.b.get(t, w.path).text).NotTo(ContainSubstring(`class="namespace"`), "the form has a field for the namespace")
}

// TestNamespaceOfAnObject looks at objects of a namespace while another one is selected.
func TestNamespaceOfAnObject(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	shows(t, b, "/instances?namespace="+w.market, "No apps are installed")
	for _, path := range []string{
		"/instances/" + w.tenant + "/wiki", "/instances/" + w.tenant + "/wiki/events", "/instances/" + w.tenant + "/wiki/actions/stop", "/tasks/" + w.tenant + "/install-wiki-x7k2p",
		"/tasks/" + w.tenant + "/install-wiki-x7k2p/inputs", "/tasks/" + w.tenant + "/install-wiki-x7k2p/cancel",
	} {
		g.Expect(b.get(t, path).text).To(ContainSubstring("<option selected>"+w.tenant+"</option>"), path)
	}
	g.Expect(b.get(t, "/tasks").text).To(ContainSubstring("<option selected>"+w.market+"</option>"), "the selected namespace is kept for lists")
}

func TestImageListIsDownloaded(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	app := "/apps/" + w.market + "/samples/wiki"
	shows(t, b, app+"/images", "images.txt?version=1.2.0")
	answer := b.get(t, app+"/images.txt?version=1.2.0")
	g.Expect(answer.Header.Get("Content-Disposition")).To(ContainSubstring("images.txt"))
	g.Expect(answer.text).To(Equal("registry.example/wiki:1.2.0\n"))
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/images.json"] = `[{"name":"registry.example/wiki:1.2.0"},{"name":"registry.example/db:15"}]`
	w.reports.mu.Unlock()
	g.Expect(b.get(t, app+"/images.txt").text).To(Equal("registry.example/wiki:1.2.0\nregistry.example/db:15\n"))
	g.Expect(b.get(t, app+"/images.txt?version=9.9.9").StatusCode).To(Equal(http.StatusNotFound))
}
