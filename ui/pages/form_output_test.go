package pages_test

import (
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestOutputOfAForm(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	form := w.validForm()
	preview := w.b.post(t, w.path+"/preview", form).text
	g.Expect(preview).To(And(ContainSubstring(">YAML</summary>"), ContainSubstring(">kubectl</summary>"), ContainSubstring(">kubectl market</summary>"), ContainSubstring(">git</summary>"),
		ContainSubstring("kubectl apply -f - &lt;&lt;&#39;EOF&#39;"), ContainSubstring("kind: AppInstance\n"), ContainSubstring(`formaction="`+w.path+`/manifest"`),
		ContainSubstring("Do not commit it in plain text"), Not(ContainSubstring("CANARY"))))

	file := w.b.post(t, w.path+"/manifest", form)
	g.Expect(file.StatusCode).To(Equal(http.StatusOK))
	g.Expect([]string{file.Header.Get("Content-Disposition"), file.Header.Get("Content-Type"), file.Header.Get("Cache-Control")}).To(
		Equal([]string{"attachment; filename=install-wiki-abcde.yaml", "application/yaml", "no-store"}))
	g.Expect(file.text).To(And(ContainSubstring("kind: Secret"), ContainSubstring("kind: AppInstallTask"), Not(ContainSubstring("stringData")), Not(ContainSubstring("CANARY"))))
	form.Set("file", "git")
	instance := v1alpha1.AppInstance{}
	g.Expect(yaml.UnmarshalStrict([]byte(w.b.post(t, w.path+"/manifest", form).text), &instance)).To(Succeed())
	g.Expect([]string{instance.Name, instance.Namespace, instance.Spec.Version, instance.Spec.Title, instance.Spec.ServiceAccountName}).To(
		Equal([]string{"wiki", w.tenant, "1.2.0", "Team wiki", "installer"}))
	g.Expect(instance.Spec.Inputs).To(HaveLen(3))
	g.Expect(w.Client.Create(t.Context(), &instance)).To(Succeed(), "the API server accepts the instance")
	g.Expect(w.taskNames(t)).To(BeEmpty())

	form.Set("name", "x\r\nSet-Cookie: a=b; \"ü")
	file = w.b.post(t, w.path+"/manifest", form)
	g.Expect(file.Header.Values("Set-Cookie")).NotTo(ContainElement(ContainSubstring("a=b")))
	g.Expect(file.StatusCode).To(Equal(http.StatusOK))
}

func TestOutputOfTheFormOfAnInstance(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstanceWith(t, w.tenant, "wiki", v1alpha1.AppInstanceSpec{AppRef: w.ref, Title: "Team wiki", ServiceAccountName: "installer"})
	instance := "/instances/" + w.tenant + "/wiki/actions/"
	g.Expect(w.b.get(t, instance+"stop").text).To(And(ContainSubstring("desiredState: Stopped"), ContainSubstring("title: Team wiki"), Not(ContainSubstring("resourceVersion"))))
	g.Expect(w.b.get(t, instance+"restart").text).NotTo(ContainSubstring(">git</summary>"))
	g.Expect(w.b.post(t, instance+"restart/manifest", url.Values{"file": {"git"}}).StatusCode).To(Equal(http.StatusNotFound))
	configured := w.b.post(t, instance+"configure/manifest", url.Values{"title": {"Other wiki"}, "values": {"a: 1\n"}, "file": {"git"}}).text
	g.Expect(configured).To(And(ContainSubstring("title: Other wiki"), ContainSubstring("serviceAccountName: installer"), ContainSubstring("a: 1"), Not(ContainSubstring("status:"))))
}

func TestOutputOfTheFormOfASource(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	form := url.Values{"to": {w.market}, "name": {"added"}, "type": {"Helm"}, "location": {"https://charts.example"}, "file": {"git"}}
	g.Expect(b.post(t, "/sources/new/preview", form).text).To(And(ContainSubstring(">git</summary>"), ContainSubstring("kubectl market source add"), ContainSubstring("commit this source")))
	file := b.post(t, "/sources/new/manifest", form)
	g.Expect(file.Header.Get("Content-Disposition")).To(Equal("attachment; filename=added.yaml"))
	source := v1alpha1.MarketSource{}
	g.Expect(yaml.UnmarshalStrict([]byte(file.text), &source)).To(Succeed())
	g.Expect(source.Spec.Helm.URL).To(Equal("https://charts.example"))
}
