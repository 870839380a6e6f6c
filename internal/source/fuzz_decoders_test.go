package source

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/internal/outcome"
)

// FuzzAppStore decodes any responses of an app store. The URL of a chart must stay below the URL of the app
// store.
func FuzzAppStore(f *testing.F) {
	f.Add([]byte(`{"hash": "h", "data": {"apps": {"a": {"name": "web", "version": "1.0.0"}}}}`), []byte(`{"name": "web", "version": "1.0.0", "appLabels": ["Suspend", 7], "updateTime": 1}`))
	f.Add([]byte(`{"data": {"apps": []}}`), []byte(`{"name": "../../x", "version": "?#", "chartName": "//other.example/x", "lastCommitHash": null}`))
	f.Add([]byte(`{"data": {"apps": null}}`), []byte(`{"name": "a\u0000b", "appLabels": {"remove": 1}, "versionName": {}}`))
	f.Add([]byte(`{}`), []byte(`{"name": "web", "icon": "https://cdn.example/a.png", "title": {"en-US": "Web", "zh-CN": 7, "../x": "y"}, "description": "Pages"}`))
	f.Fuzz(func(t *testing.T, overview, details []byte) {
		g := NewWithT(t)
		var all storeOverview
		if json.Unmarshal(overview, &all) == nil {
			g.Expect(len(all.Data.Apps)).To(BeNumerically("<=", len(overview)))
		}
		app, err := parseStoreApp(details)
		if err != nil {
			return
		}
		app.hasLabel(removeLabel)
		if shown := app.toPresentation(); shown != nil {
			g.Expect(utf8.RuneCountInString(shown.Title)).To(BeNumerically("<=", maxStoreTitle))
			g.Expect(utf8.RuneCountInString(shown.Description)).To(BeNumerically("<=", maxStoreDescription))
			g.Expect(len(shown.Translations)).To(BeNumerically("<=", 8))
			g.Expect(shown.Icon).To(Or(BeEmpty(), HavePrefix("http")))
		}
		entry := app.toEntry()
		if checkName(entry.Name) != nil {
			return // The listing skips it.
		}
		reference, err := url.Parse(entry.URL)
		g.Expect(err).NotTo(HaveOccurred())
		base := url.URL{Scheme: "https", Host: "store.example", Path: "/store/"}
		target := base.ResolveReference(reference)
		g.Expect(target.Host).To(Equal("store.example"))
		g.Expect(target.Path).To(HavePrefix("/store/api/v1/applications/"))
	})
}

// FuzzArtifactObject reads any object of Flux.
func FuzzArtifactObject(f *testing.F) {
	f.Add([]byte(`{"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "artifact": {"url": "http://flux/a", "digest": "sha256:0"}, "conditions": [{"type": "Ready", "status": "False", "reason": "VerificationError"}]}}`))
	f.Add([]byte(`{"metadata": {"generation": "x"}, "status": {"artifact": "x", "conditions": [null, {"type": "Ready", "status": 1}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		object := &unstructured.Unstructured{}
		if json.Unmarshal(text, &object.Object) != nil {
			return
		}
		if problem := ReadArtifact(object).describeProblem(); len(problem) > 200 {
			t.Fatalf("the problem has %d bytes", len(problem))
		}
	})
}

// FuzzKnownHosts parses any known_hosts of a Secret.
func FuzzKnownHosts(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5oaZ0yA2kZ2vAqQb3jz2eQbJYxY2b1Kp0yC8C3a0aB"
	f.Add([]byte("git.example " + key + "\n[git.example]:2222," + "*.example " + key + "\n"))
	f.Add([]byte("|1|c2FsdA==|aGFzaA== " + key + "\n@cert-authority * " + key + "\n@revoked x " + key + "\n# comment\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		check, err := (&Checkouts{Dir: t.TempDir()}).parseKnownHosts(text)
		if err == nil {
			hostKeyAlgorithms(check, "git.example:22")
		}
	})
}

// FuzzHelmIgnore parses any .helmignore and applies it to a path.
func FuzzHelmIgnore(f *testing.F) {
	f.Add([]byte("*.bak\n!a/\n/b/c[d]\n# x\n"), "a/b.bak")
	f.Add([]byte("\xef\xbb\xbf[a-\n"), "")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		rules, err := parseIgnore(text)
		if err != nil {
			NewWithT(t).Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			return
		}
		rules.ignoresPath(name, strings.HasSuffix(name, "/"))
	})
}
