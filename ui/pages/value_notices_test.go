package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestValuesAreChecked(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addOldVersion(t, w.readApp(t, "wiki"))
	w.addReports(t)
	shows(t, w.b, w.path, `data-defaults="`+w.path+`/defaults"`, `data-copy="`+w.path+`/copy"`, `id="values-notices"`)
	check := func(text string) string {
		form := w.validForm()
		form.Set("values", text)
		form.Set("name", "other-wiki")
		answer := w.b.postPart(t, w.path+"/fields", form)
		g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
		g.Expect(activeMarkup(t, answer.text)).To(BeEmpty())
		return answer.text
	}
	g.Expect(check("replicas: 2\n")).NotTo(Or(ContainSubstring("data-notices"), ContainSubstring("data-problem")))
	g.Expect(check("replicas: 5\n")).To(ContainSubstring("replicas: Invalid value: 5: must be at most 2"), "the schema of version 1.2.0")
	g.Expect(check("image: {tag: a}\nreplica: 2\n")).To(And(ContainSubstring("Line 2"), ContainSubstring("no key replica."), ContainSubstring("Did you mean replicas?")))
	g.Expect(check("a: 1\n\tb: 2\n")).To(ContainSubstring(`data-problem="values">line 2, column 1: `))
	g.Expect(check("olaresEnv: {WIKI_SIZE: 4}\n")).To(ContainSubstring("An input sets olaresEnv.WIKI_SIZE as well."))
	g.Expect(check(strings.Repeat("x: 1\n", 20000))).To(ContainSubstring("must have at most 65536 bytes"))

	form := w.validForm()
	form.Set("version", "1.0.0")
	defaults := w.b.postPart(t, w.path+"/defaults", form)
	g.Expect(defaults.text).To(And(ContainSubstring("<code>image.tag</code>"), ContainSubstring("&#34;1.0.0&#34;"), ContainSubstring(`data-keys="[&#34;image&#34;,&#34;tag&#34;]"`)))
	form.Set("values", "# Mine\nreplicas: 2 # of them\n")
	form.Set("keys", `["image","tag"]`)
	copied := w.b.postPart(t, w.path+"/copy", form)
	g.Expect(copied.Header.Get("Content-Type")).To(HavePrefix("text/plain"))
	g.Expect(copied.text).To(Equal("# Mine\nreplicas: 2 # of them\nimage:\n  tag: 1.0.0\n"), "comments are kept, and only the path is added")
	form.Set("values", "")
	g.Expect(w.b.postPart(t, w.path+"/copy", form).text).To(Equal("image:\n  tag: 1.0.0\n"))
	form.Set("values", "a: [")
	g.Expect(w.b.postPart(t, w.path+"/copy", form).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	for _, keys := range []string{`["image","none"]`, `[]`, `{`, ""} {
		form.Set("keys", keys)
		g.Expect(w.b.postPart(t, w.path+"/copy", form).StatusCode).To(Equal(http.StatusNotFound), keys)
	}
	g.Expect(w.taskNames(t)).To(BeEmpty())
	other := w.signIn(t, w.Namespace(t, nil), "other", tenant...)
	for _, path := range []string{"/defaults", "/copy"} {
		g.Expect(other.postPart(t, w.path+path, form).StatusCode).To(Equal(http.StatusForbidden))
	}

	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "1.0.0" })
	configure := "/instances/" + w.tenant + "/wiki/actions/configure"
	g.Expect(w.b.get(t, configure).text).To(ContainSubstring(`data-defaults="` + configure + `/defaults"`))
	g.Expect(w.b.postPart(t, configure+"/fields", url.Values{"values": {"replicas: 2\n"}}).text).To(ContainSubstring("must be at most 1"), "the schema of the installed version")
	g.Expect(w.b.postPart(t, "/instances/"+w.tenant+"/wiki/actions/rollback/defaults", nil).StatusCode).To(Equal(http.StatusNotFound))

	w.b.selectChinese(t)
	known := append([]string{"replicas", "replica", "olaresEnv.WIKI_SIZE", "olaresEnv"}, namesInChinese...)
	for entered, want := range map[string]string{
		"replicas: 5\n": "replicas：不能大于 2", "replicas: a\n": "replicas：类型必须是",
		"image: {tag: a}\nreplica: 2\n": "默认 values 中没有键 replica。 是否应为 replicas？", "olaresEnv: {WIKI_SIZE: 4}\n": "输入项也会设置 olaresEnv.WIKI_SIZE",
	} {
		notices := check(entered)
		g.Expect(notices).To(ContainSubstring(want))
		g.Expect(englishIn(t, notices, append(known, "integer"))).To(BeEmpty(), entered)
	}
	g.Expect(check("a: 1\n\tb: 2\n")).To(ContainSubstring(`data-problem="values">第 2 行，第 1 列：`))
}
