package pages_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/net/html"

	"github.com/appmarket/operator/api/v1alpha1"
)

// attack is text that runs, loads or submits something wherever it is not escaped.
const attack = `"'><script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)" hx-get=/logout style=x>{{.}}`

// activeMarkup returns the elements and attributes of a page that run, load or request something
// that the templates do not contain.
func activeMarkup(t *testing.T, page string) []string {
	t.Helper()
	var found []string
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			NewWithT(t).Expect(tokens.Err()).To(MatchError(io.EOF))
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			for _, attribute := range token.Attr {
				if isActive(token.Data, attribute) {
					found = append(found, token.Data+" "+attribute.Key+"="+attribute.Val)
				}
			}
			if token.Data == "img" || token.Data == "iframe" || token.Data == "style" || token.Data == "script" && len(token.Attr) == 0 {
				found = append(found, token.Data)
			}
		}
	}
}

// isActive reports whether an attribute is one that a text must not become.
func isActive(element string, a html.Attribute) bool {
	switch {
	case strings.HasPrefix(a.Key, "on"), a.Key == "style":
		return true
	case a.Key == "src":
		return element != "script" || !strings.HasPrefix(a.Val, "/assets/")
	case a.Key == "hx-get":
		return !strings.HasPrefix(a.Val, "/parts/")
	case a.Key == "href":
		return !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "https://")
	}
	return false
}

func TestHostileTextsAreInert(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	w.addApp(t, w.market, "samples", "evil", v1alpha1.AppSummary{
		Title: attack, Developer: attack, Description: attack, Categories: []string{attack[:90]}, Licenses: []string{attack}, Icon: "javascript:alert(1)",
		Permissions: []string{attack}, Warnings: []string{attack}, Architectures: []string{"<img>"}, Purchase: &v1alpha1.PurchaseTerms{Product: attack, Issuer: attack, Prices: []string{attack}},
		Inputs:       []v1alpha1.Input{{Name: attack, Title: attack, Description: attack, Default: attack}},
		Dependencies: []v1alpha1.AppDependency{{Name: attack, Version: attack}}, Conflicts: []v1alpha1.AppDependency{{Name: attack}},
		Kinds: []v1alpha1.KindCount{{Kind: "ClusterRole." + attack, Count: 1}}, Clone: &v1alpha1.CloneSafety{Verdict: v1alpha1.CloneUnsafe, Collisions: []string{attack}},
	})
	w.reports.texts["/reports/"+digest+"/README.md"] = "# Hi\n\n" + attack + "\n\n[x](javascript:alert(1)) <b onclick=alert(1)>x</b> ![x](https://evil.example/x.png)\n\n" +
		"<form action=/logout method=post><button>x</button></form>\n\n<div hx-get=/logout hx-trigger=load>x</div>\n\n<style>body{display:none}</style>\n\n[d](data:text/html,x) [r](/logout)"
	w.reports.texts["/reports/"+digest+"/values.yaml"] = attack
	w.addInstance(t, w.tenant, "evil", v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: "evil"}, func(i *v1alpha1.AppInstance) {
		makeUnhealthy(i)
		i.Status.Conditions[0].Message, i.Status.Conditions[3].Message = attack, attack
		i.Status.AvailableUpdate = attack[:100]
		i.Status.Outputs = []v1alpha1.Output{{Name: attack, Value: attack}}
		i.Status.Entrances = []v1alpha1.Entrance{{Name: "web", Title: attack, Host: "x'; rm -rf ~", Port: 1}}
		i.Status.Drift = []v1alpha1.DriftedObject{{Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Name: attack}, Fields: []string{attack}}}
		i.Status.History = []v1alpha1.HistoryEntry{{
			Operation: v1alpha1.Operation{Type: "Install", Version: attack[:90], StartedAt: i.CreationTimestamp, Task: attack}, Outcome: "Failed",
			Message: attack, EndedAt: i.CreationTimestamp,
		}}
	})
	app, instance := "/apps/"+w.market+"/samples/evil", "/instances/"+w.tenant+"/evil"
	shows(t, b, "/apps", "&lt;script&gt;")
	for _, path := range []string{
		"/apps", app, app + "/versions", app + "/images", app + "/permissions", app + "/values", instance, instance + "/objects", instance + "/events",
		instance + "/history", instance + "/values", instance + "/drift", instance + "/yaml", "/instances", "/tasks", "/sources", "/parts/apps", "/parts" + instance,
		"/apps?q=" + attack, "/apps?category=" + attack, "/instances?find=" + attack, "/instances?namespace=" + attack, "/tasks?state=" + attack, "/" + attack,
	} {
		t.Run(path, func(t *testing.T) {
			g := NewWithT(t)
			page := b.get(t, strings.NewReplacer(" ", "%20", "<", "%3C", ">", "%3E", `"`, "%22", "{", "%7B", "}", "%7D").Replace(path))
			g.Expect(page.StatusCode).To(BeElementOf(http.StatusOK, http.StatusNotFound))
			g.Expect(activeMarkup(t, page.text)).To(BeEmpty())
			link := `<a href="https://evil.example/x.png" rel="nofollow noreferrer">x</a>` // The image of the README.
			g.Expect(strings.ReplaceAll(page.text, link, "")).NotTo(ContainSubstring("evil.example"))
		})
	}
	g := NewWithT(t)
	readme := b.get(t, app).text
	article := readme[strings.Index(readme, `<article class="readme" hx-ignore>`):strings.Index(readme, "</article>")]
	g.Expect(article).To(ContainSubstring("Hi"))
	g.Expect(article).NotTo(MatchRegexp(`(?i)<form|<button|<div|<style|onclick|hx-get|href="(javascript|data|/logout)|<img`))
	g.Expect(b.get(t, instance).text).To(ContainSubstring(`&#39;service/x&#39;\&#39;&#39;; rm -rf ~&#39;`), "the command is quoted")
}

// TestForgedReportURLIsNotFetched has the status of an app name another server.
func TestForgedReportURLIsNotFetched(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	other := newReportServer(t)
	app := w.addApp(t, w.market, "samples", "forged", v1alpha1.AppSummary{})
	app.Status.Versions[0].ReportURL = other.URL + "/reports/" + digest + "/"
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	b := w.signInAsAdmin(t)
	page := b.get(t, "/apps/"+w.market+"/samples/forged")
	g.Expect(page.text).To(ContainSubstring("is not in the repository of this market"))
	g.Expect(b.get(t, "/apps/"+w.market+"/samples/forged/files/values.yaml").StatusCode).To(Equal(http.StatusBadGateway))
	g.Expect(other.requests()).To(BeZero())
}

func TestEveryAnswerIsProtected(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	for _, path := range []string{
		"/", "/apps", "/parts/apps", "/apps/x/y/z", "/nothing", "/login", "/link", "/assets/x/app.css", "/live", "/live?t=secrets//", "/healthz",
		"/apps/" + w.market + "/samples/wiki/files/README.md", "/instances/" + w.tenant + "/wiki/yaml",
	} {
		t.Run(path, func(t *testing.T) {
			g := NewWithT(t)
			header := b.get(t, path).Header
			g.Expect(header.Get("Content-Security-Policy")).To(HavePrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
			g.Expect(header.Get("Content-Security-Policy")).NotTo(ContainSubstring("unsafe"))
			g.Expect(header.Get("X-Content-Type-Options")).To(Equal("nosniff"))
			g.Expect(header.Get("Referrer-Policy")).To(Equal("no-referrer"))
			g.Expect(header.Get("Cross-Origin-Opener-Policy")).To(Equal("same-origin"))
		})
	}
	g := NewWithT(t)
	file := b.get(t, "/apps/"+w.market+"/samples/wiki/files/README.md")
	g.Expect(file.Header.Get("Content-Disposition")).To(Equal(`attachment; filename="README.md"`))
	g.Expect(b.get(t, "/apps/"+w.market+"/samples/wiki/files/etc%2fpasswd").StatusCode).To(Equal(http.StatusNotFound))
}

// TestTemplatesHaveNothingInline looks for what the policy would refuse, and for addresses that a
// template joins itself.
func TestTemplatesHaveNothingInline(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(files).NotTo(BeEmpty())
	refused := regexp.MustCompile(`(?i)\sstyle=|<style|<script>|\son[a-z]+=|javascript:|hx-on|hx-vals|\b(?:src|href|hx-get)="[^"{]*[?/]\{\{|https?://`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(refused.FindAllString(string(text), -1)).To(BeEmpty(), file)
	}
}
