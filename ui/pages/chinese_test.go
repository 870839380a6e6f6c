package pages_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/net/html"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

// namesInChinese are names and terms that a Chinese page writes as they are. docs/translating.md explains them.
var namesInChinese = []string{
	"AppMarket", "Kubernetes", "kubeconfig", "kubectl", "Helm", "Operator", "API", "URL", "HTTP", "HTTPS", "YAML", "OCI", "CA", "CPU", "GPU", "ID", "JavaScript", "Cookie",
	"README", "git", "Git", "SSH", "Argo CD", "Flux", "Olares", "GitHub", "GitLab", "Harbor", "Docker Hub", "Webhook", "cosign", "notation", "Values", "values", "values.yaml", "values.schema.json", "objects.yaml", "permissions.yaml", "chart", "Chart", "release", "valuesFrom", "schema", "SHA",
	"Pod", "Job", "ReplicaSet", "Secret", "ConfigMap", "AppInstance", "Deployment", "CustomResourceDefinition", "Ignore", "Warn", "Correct", "init", "true", "false",
	"B", "kB", "MB", "GB", "MiB",
}

// enumerations are the fields of objects whose values are words of the API. A page shows their translation, or
// marks them as names by translate="no".
var enumerations = []string{
	"action", "reason", "type", "status", "outcome", "change", "driftPolicy", "dataPolicy", "verdict", "desiredState", "from", "dependents", "dependencies", "onFailure", "phase",
}

// stringsIn returns the texts of an object apart from the values of enumerations.
func stringsIn(value any) []string {
	var found []string
	switch v := value.(type) {
	case string:
		found = append(found, v)
	case []any:
		for _, each := range v {
			found = append(found, stringsIn(each)...)
		}
	case map[string]any:
		for key, each := range v {
			if _, isText := each.(string); isText && slices.Contains(enumerations, key) {
				continue
			}
			found = append(found, stringsIn(each)...)
		}
	}
	return found
}

// textsOfCluster returns the texts of all objects that pages show, the longest first.
func (w browserWorld) textsOfCluster(t *testing.T) []string {
	t.Helper()
	g := NewWithT(t)
	var texts []string
	for _, list := range []client.ObjectList{
		&v1alpha1.AppInfoList{}, &v1alpha1.AppInstanceList{}, &v1alpha1.AppInstallTaskList{}, &v1alpha1.MarketSourceList{},
		&corev1.EventList{}, &corev1.PodList{}, &corev1.NamespaceList{}, &corev1.ConfigMapList{},
	} {
		g.Expect(w.Client.List(t.Context(), list)).To(Succeed())
		raw, err := json.Marshal(list)
		g.Expect(err).NotTo(HaveOccurred())
		var decoded map[string]any
		g.Expect(json.Unmarshal(raw, &decoded)).To(Succeed())
		for _, item := range decoded["items"].([]any) {
			object := item.(map[string]any)
			delete(object["metadata"].(map[string]any), "managedFields")
			values := stringsIn(object)
			for i, value := range values {
				values[i] = strings.Join(strings.Fields(value), " ")
			}
			texts = append(texts, values...)
		}
	}
	slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(texts)
}

// latinWord matches words of a language with Latin letters.
var latinWord = regexp.MustCompile(`[A-Za-z][A-Za-z'-]+`)

// englishIn returns the texts of a page that contain words other than known texts.
func englishIn(t *testing.T, page string, known []string) []string {
	t.Helper()
	var left []string
	check := func(text string) {
		text = strings.Join(strings.Fields(text), " ")
		if !latinWord.MatchString(text) {
			return
		}
		rest := text
		shortened, isShortened := strings.CutSuffix(text, " …")
		for _, each := range known {
			if isShortened && strings.HasPrefix(strings.Join(strings.Fields(each), " "), shortened) {
				return
			}
			if strings.Contains(rest, each) {
				rest = replaceWords(rest, each)
			}
		}
		if latinWord.MatchString(rest) {
			left = append(left, text)
		}
	}
	tokens := html.NewTokenizer(strings.NewReader(page))
	skipped := "" // The element whose content is code or a name.
	depth := 0
	for {
		kind := tokens.Next()
		token := tokens.Token()
		switch kind {
		case html.ErrorToken:
			NewWithT(t).Expect(tokens.Err()).To(MatchError(io.EOF))
			return left
		case html.StartTagToken:
			if token.Data == skipped {
				depth++
			}
			if skipped == "" && isName(token) {
				skipped, depth = token.Data, 1
			}
			fallthrough
		case html.SelfClosingTagToken:
			for _, attribute := range token.Attr {
				if skipped == "" && isShown(attribute.Key) {
					check(attribute.Val)
				}
			}
		case html.EndTagToken:
			if token.Data == skipped {
				if depth--; depth == 0 {
					skipped = ""
				}
			}
		case html.TextToken:
			if skipped == "" {
				check(token.Data)
			}
		}
	}
}

// isName reports whether the content of an element is not translated: code, or a text of an object.
func isName(token html.Token) bool {
	switch token.Data {
	case "code", "pre", "textarea", "script":
		return true
	}
	return slices.ContainsFunc(token.Attr, func(a html.Attribute) bool {
		return a.Key == "translate" && a.Val == "no" || a.Key == "class" && a.Val == "readme"
	})
}

// isShown reports whether the value of an attribute is a text for users.
func isShown(key string) bool {
	switch key {
	case "title", "placeholder", "aria-label", "alt", "data-label", "data-following", "data-ended", "data-denied", "data-lost", "data-connecting", "data-connected", "data-closed", "data-signed-out":
		return true
	}
	return strings.HasPrefix(key, "data-text-")
}

// replaceWords replaces a text by a space where it consists of whole words.
func replaceWords(text, each string) string {
	isWord := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
	var out strings.Builder
	for {
		i := strings.Index(text, each)
		if i < 0 || each == "" {
			out.WriteString(text)
			return out.String()
		}
		end := i + len(each)
		if i > 0 && isWord(text[i-1]) && isWord(each[0]) || end < len(text) && isWord(text[end]) && isWord(each[len(each)-1]) {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:i] + " ")
		}
		text = text[end:]
	}
}

// formPaths returns the URLs of all forms.
func (w browserWorld) formPaths() []string {
	paths := w.browserPaths()
	var all []string
	for page, actions := range map[string][]string{
		"app": {"/install", "/adopt"}, "source-own": {"/edit", "/actions/sync", "/actions/suspend", "/actions/delete"}, "source": {"/edit"}, "source-uploads": {"/upload", "/charts/web-1.0.0.tgz/delete"},
		"instance": {"/actions/configure", "/actions/clone", "/actions/rollback"}, "instance-running": {"/actions/uninstall", "/actions/stop", "/actions/restart"},
		"instance-update": {"/actions/upgrade"}, "instance-record": {"/actions/install", "/delete"}, "task-waiting": {"/inputs", "/cancel"},
	} {
		for _, action := range actions {
			all = append(all, paths[page]+action)
		}
	}
	return append(all, "/sources/new")
}

// TestChinesePagesHaveNoEnglishTexts shows all pages in Chinese, and finds texts that are not translated.
// Texts of the catalog, messages of the operator, names and code stay as they are.
func TestChinesePagesHaveNoEnglishTexts(t *testing.T) {
	w := newBrowserWorld(t)
	b := w.signIn(t, w.tenant, "jane", append(tenant[:3:3], marketAdmin[1], publisher, logReader,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "events"}, Verbs: []string{"get", "list"}})...)
	w.allowBrowsing(t, "jane")
	shows(t, b, "/apps", "66 apps")
	shows(t, b, "/instances", "Team wiki", "7 instances")
	known := append(w.textsOfCluster(t), namesInChinese...)
	known = append(known, "system:serviceaccount:"+w.tenant+":jane", "jane", "web-1.0.0.tgz")
	for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
		for _, resource := range []string{"appinfos", "appinstances", "appinstalltasks", "marketsources"} {
			known = append(known, verb+" "+resource+".appmarket.io")
		}
	}
	// Texts of reports, with the attack of the other tests.
	known = append(known, "Read this <script>alert(1)</script> first.", "Plain text", "A fault "+attack)
	// Entries of forms and of the search, and a message of the parser of YAML.
	known = append(known, "nothing-has-this-name", "create pods/exec", "team=web", "CrashLoopBackOff", strings.Repeat("x", 160), "yaml: line 1: did not find expected ',' or ']'")
	slices.SortStableFunc(known, func(a, b string) int { return len(b) - len(a) })

	base, err := url.Parse(w.server.URL)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	b.Jar.SetCookies(base, []*http.Cookie{{Name: locale.Cookie, Value: "zh"}})
	requests := map[string]func() answer{}
	for name, path := range w.browserPaths() {
		requests[name] = func() answer { return b.get(t, path) }
	}
	for _, path := range w.formPaths() {
		requests["form "+path] = func() answer { return b.get(t, path) }
	}
	paths := w.browserPaths()
	requests["errors of an installation"] = func() answer {
		return b.post(t, paths["app"]+"/install", url.Values{"name": {"Wrong name"}, "values": {"a: [1"}, "account": {"Wrong account"}, "input.WIKI_ADMIN_EMAIL": {"jane"}})
	}
	requests["errors of a source"] = func() answer {
		return b.post(t, "/sources/new", url.Values{"name": {"Wrong name"}, "interval": {"soon"}, "max-versions": {"many"}, "sharing": {"selector"}})
	}
	requests["errors of a clone"] = func() answer {
		return b.post(t, paths["instance"]+"/actions/clone", url.Values{"to": {w.tenant}, "name": {"wiki"}, "title": {""}})
	}
	requests["data is not deleted"] = func() answer {
		return b.post(t, paths["instance-running"]+"/actions/uninstall", url.Values{"data": {"delete"}})
	}
	signedOut := w.newBrowser(t)
	signedOut.Jar.SetCookies(base, []*http.Cookie{{Name: locale.Cookie, Value: "zh"}})
	requests["sign in"] = func() answer { return signedOut.get(t, "/login") }
	requests["token is rejected"] = func() answer { return signedOut.post(t, "/login", url.Values{"token": {"x"}}) }
	for name, send := range requests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			page := send()
			for page.StatusCode == http.StatusTooManyRequests && !strings.Contains(page.text, "<html") { // The limit of a session.
				time.Sleep(200 * time.Millisecond)
				page = send()
			}
			g.Expect(page.text).To(ContainSubstring(`<html lang="zh-CN">`))
			g.Expect(page.text).NotTo(ContainSubstring("&lt;no value&gt;"))
			// The sign-in page and the settings offer the other language by its name in itself.
			text := strings.NewReplacer(">English</button>", "></button>", ">English</span>", "></span>", "<noscript>", "", "</noscript>", "").Replace(page.text)
			g.Expect(englishIn(t, text, known)).To(BeEmpty(), "texts that are not translated")
		})
	}
}

func TestEnglishTextsAreFound(t *testing.T) {
	g := NewWithT(t)
	known := []string{"Team wiki", "Helm"}
	for text, want := range map[string]int{
		`<p>安装 Team wiki</p>`: 0, `<p>安装 Helm</p>`: 0, `<p>Install Team wiki</p>`: 1, `<p>Helmet</p>`: 1, `<code>install</code>`: 0, `<p>安装 <code>a</code> now</p>`: 1,
		`<strong translate="no">NotReady</strong><p>就绪</p>`: 0, `<input placeholder="Find">`: 1, `<a aria-label="Open" title="打开"></a>`: 1, `<body data-text-live="Live">`: 1,
	} {
		g.Expect(englishIn(t, text, known)).To(HaveLen(want), fmt.Sprint(text))
	}
}
