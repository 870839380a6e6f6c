package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// newConfigureWorld returns a world with an instance that has a title, inputs and values, and the path
// of its page.
func newConfigureWorld(t *testing.T) (formWorld, string) {
	t.Helper()
	w := newFormWorld(t)
	email := "jane@example.com"
	w.addInstanceWith(t, w.tenant, "wiki", v1alpha1.AppInstanceSpec{
		AppRef: w.ref, Title: "Team wiki", Values: &runtime.RawExtension{Raw: []byte(`{"replicas":2,"page":{"title":"A"}}`)},
		Inputs: []v1alpha1.InputValue{{Name: "WIKI_ADMIN_EMAIL", Value: &email}, taskbuilder.SecretInput("WIKI_ADMIN_PASSWORD", "wiki-inputs", "WIKI_ADMIN_PASSWORD")},
	})
	return w, "/instances/" + w.tenant + "/wiki"
}

// submitted sends a form and returns the task that it creates.
func (w formWorld) submitted(t *testing.T, path string, form url.Values) *v1alpha1.AppInstallTask {
	t.Helper()
	answer := w.b.post(t, path, form)
	NewWithT(t).Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	location := answer.Header.Get("Location")
	return w.readTask(t, location[strings.LastIndex(location, "/")+1:])
}

func TestConfigureForm(t *testing.T) {
	g := NewWithT(t)
	w, instance := newConfigureWorld(t)
	shows(t, w.b, instance+"/actions/uninstall", "Secret <code>wiki-inputs</code>")
	path := instance + "/actions/configure"
	page := shows(t, w.b, path, "Configure Team wiki")
	g.Expect(page.text).To(And(ContainSubstring(`value="Team wiki"`), ContainSubstring(`value="jane@example.com"`), ContainSubstring("replicas: 2"), ContainSubstring("secret/wiki-inputs/WIKI_ADMIN_PASSWORD")))
	present := url.Values{"key": {"aaaaa"}, "title": {"Team wiki"}, "entrance.web": {""}, "input.WIKI_ADMIN_EMAIL": {"jane@example.com"}, "input.WIKI_ADMIN_PASSWORD": {""}, "input.WIKI_SIZE": {""},
		"values": {"page:\r\n  title: A\r\nreplicas: 2\r\n"}}
	g.Expect(w.submitted(t, path, present).Spec.Configure).To(BeNil(), "what is not changed is not part of the task")

	changed := url.Values{}
	for name, values := range present {
		changed[name] = values
	}
	for name, value := range map[string]string{"key": "bbbbb", "title": "Wiki", "entrance.web": "Pages", "input.WIKI_SIZE": "7", "input.WIKI_ADMIN_PASSWORD": "CANARY-password", "values": "replicas: 3\npage:\n  title: A\n"} {
		changed.Set(name, value)
	}
	preview := w.b.post(t, path+"/preview", changed)
	g.Expect(preview.text).To(And(ContainSubstring("set replicas"), ContainSubstring("set WIKI_ADMIN_PASSWORD, WIKI_SIZE"), ContainSubstring("kubectl market configure wiki"), Not(ContainSubstring("CANARY"))))
	task := w.submitted(t, path, changed)
	size := "7"
	g.Expect(task.Spec.Action).To(Equal(v1alpha1.ActionConfigure))
	g.Expect(task.Spec.Configure.Title).To(Equal("Wiki"))
	g.Expect(task.Spec.Configure.Entrances).To(Equal([]v1alpha1.EntranceTitle{{Name: "web", Title: "Pages"}}))
	g.Expect(task.Spec.Configure.Values.Raw).To(MatchJSON(`{"replicas":3,"page":{"title":"A"}}`))
	g.Expect(task.Spec.Configure.Inputs).To(ConsistOf(v1alpha1.InputValue{Name: "WIKI_SIZE", Value: &size}, taskbuilder.SecretInput("WIKI_ADMIN_PASSWORD", "wiki-inputs", "WIKI_ADMIN_PASSWORD")))
	secret := &corev1.Secret{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, secret)).To(Succeed())
	g.Expect(secret.Data).To(HaveKeyWithValue("WIKI_ADMIN_PASSWORD", []byte("CANARY-password")))

	removed := url.Values{"key": {"ccccc"}, "values": {""}}
	g.Expect(w.submitted(t, path, removed).Spec.Configure.Values.Raw).To(MatchJSON(`{}`), "removed values are replaced by none")
	for field, wrong := range map[string]string{"title": "", "input.WIKI_ADMIN_EMAIL": "", "input.WIKI_SIZE": "10", "values": "a: [", "secret.WIKI_ADMIN_PASSWORD": "mine"} {
		answer := w.b.post(t, path, url.Values{"key": {"ddddd"}, field: {wrong}})
		g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity), field)
		g.Expect(answer.text).To(ContainSubstring(`id="errors"`), field)
	}
}

func TestUpgradeFormChangesTheConfiguration(t *testing.T) {
	g := NewWithT(t)
	w, instance := newConfigureWorld(t)
	installed := &v1alpha1.AppInstance{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki"}, installed)).To(Succeed())
	installed.Status.Version = "1.1.0"
	g.Expect(w.Client.Status().Update(t.Context(), installed)).To(Succeed())
	path := instance + "/actions/upgrade"
	g.Expect(shows(t, w.b, path, "Upgrade Team wiki").text).To(ContainSubstring("1.1.0 -&gt; 1.2.0"), "the preview of the plugin")
	task := w.submitted(t, path, url.Values{"key": {"aaaaa"}, "choice": {"1.2.0"}, "input.WIKI_SIZE": {"7"}, "input.WIKI_ADMIN_EMAIL": {"jane@example.com"}})
	g.Expect(task.Spec.Upgrade.Version).To(Equal("1.2.0"))
	g.Expect(task.Spec.Upgrade.Inputs).To(HaveLen(1))
	g.Expect(task.Spec.Upgrade.Values).To(BeNil())
}

func TestCloneForm(t *testing.T) {
	g := NewWithT(t)
	w, instance := newConfigureWorld(t)
	shows(t, w.b, instance, "Clone")
	path := instance + "/actions/clone"
	g.Expect(shows(t, w.b, path, "Clone Team wiki").text).To(And(ContainSubstring(`value="wiki-2"`), ContainSubstring("kubectl market clone wiki")))
	for field, wrong := range map[string]string{"name": "wiki", "to": "", "title": "", "entrance.web": strings.Repeat("x", 31)} {
		form := url.Values{"key": {"aaaaa"}, "to": {w.tenant}, "name": {"wiki2"}, "title": {"Second"}, "entrance.web": {"Pages"}}
		form.Set(field, wrong)
		answer := w.b.post(t, path, form)
		g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity), field)
		g.Expect(answer.text).To(ContainSubstring(`id="errors"`), field)
	}
	task := w.submitted(t, path, url.Values{
		"key": {"bbbbb"}, "to": {w.tenant}, "name": {"wiki2"}, "title": {"Second"}, "entrance.web": {"Pages"}, "account": {"tenant"}, "input.WIKI_ADMIN_EMAIL": {"joe@example.com"},
	})
	email := "joe@example.com"
	g.Expect(task.Spec).To(Equal(v1alpha1.AppInstallTaskSpec{
		Action: v1alpha1.ActionClone, AppRef: w.ref, InstanceName: "wiki2", ServiceAccountName: "tenant",
		Clone: &v1alpha1.CloneParameters{From: v1alpha1.CloneSource{Name: "wiki"}, AppParameters: v1alpha1.AppParameters{AppConfiguration: v1alpha1.AppConfiguration{
			Title: "Second", Entrances: []v1alpha1.EntranceTitle{{Name: "web", Title: "Pages"}}, Inputs: []v1alpha1.InputValue{{Name: "WIKI_ADMIN_EMAIL", Value: &email}},
		}}},
		Dependencies: task.Spec.Dependencies, OnFailure: task.Spec.OnFailure, OnMissingInput: task.Spec.OnMissingInput, OnUnmetRequirement: task.Spec.OnUnmetRequirement, Timeout: task.Spec.Timeout,
	}))
	other := w.b.post(t, path+"/preview", url.Values{"key": {"ccccc"}, "to": {"other"}, "name": {"wiki"}, "title": {"Second"}})
	g.Expect(other.text).To(ContainSubstring("kubectl market clone "+w.tenant+"/wiki --namespace other"), "an instance of another namespace is cloned")
}

func TestAdoptForm(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	path := strings.TrimSuffix(w.path, "install") + "adopt"
	shows(t, w.b, strings.TrimSuffix(w.path, "/install"), "Adopt a Helm release")
	g.Expect(shows(t, w.b, path, "Adopt a Helm release as Wiki").text).To(ContainSubstring("Version of the Helm release"))
	g.Expect(w.b.post(t, path, url.Values{"key": {"aaaaa"}, "to": {w.tenant}, "name": {"Wrong name"}}).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	task := w.submitted(t, path, url.Values{"key": {"bbbbb"}, "to": {w.tenant}, "name": {"old-wiki"}, "title": {"Wiki"}, "version": {""}})
	g.Expect(task.Spec.Action).To(Equal(v1alpha1.ActionAdopt))
	g.Expect(task.Spec.InstanceName).To(Equal("old-wiki"))
	g.Expect(task.Spec.Adopt).To(Equal(&v1alpha1.AppParameters{AppConfiguration: v1alpha1.AppConfiguration{Title: "Wiki"}}), "a missing input is kept")
	g.Expect(w.b.post(t, path+"/preview", url.Values{"to": {w.tenant}, "name": {"old-wiki"}}).text).To(ContainSubstring("kubectl market adopt old-wiki"))
}

// TestTypedPassword changes the password of a failed task, whose form refers to the Secret with the former one.
func TestTypedPassword(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	g.Expect(w.b.post(t, w.path, w.validForm()).StatusCode).To(Equal(http.StatusSeeOther))
	again := shows(t, w.b, w.path+"?namespace="+w.tenant+"&from=install-wiki-abcde", `name="secret.WIKI_ADMIN_PASSWORD" value="wiki-inputs"`)
	g.Expect(again.text).To(ContainSubstring("A password that you enter replaces the reference to the Secret."))

	form := w.validForm()
	form.Set("key", "bcdef")
	form.Set("secret.WIKI_ADMIN_PASSWORD", "mine")
	form.Set("key.WIKI_ADMIN_PASSWORD", "password")
	form.Set("input.WIKI_ADMIN_PASSWORD", "CANARY-changed")
	preview := w.b.post(t, w.path+"/preview", form).text
	g.Expect(preview).To(And(ContainSubstring("kind: Secret"), ContainSubstring("key: WIKI_ADMIN_PASSWORD"), Not(ContainSubstring("name: mine")), Not(ContainSubstring("CANARY"))))
	g.Expect(w.b.post(t, w.path, form).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.readTask(t, "install-wiki-bcdef").Spec.Install.Inputs).To(ContainElement(v1alpha1.InputValue{
		Name: "WIKI_ADMIN_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: "wiki-inputs", Key: "WIKI_ADMIN_PASSWORD"}},
	}))
	secret := &corev1.Secret{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "wiki-inputs"}, secret)).To(Succeed())
	g.Expect(secret.Data).To(HaveKeyWithValue("WIKI_ADMIN_PASSWORD", []byte("CANARY-changed")))

	form.Set("key", "cdefg")
	form.Set("input.WIKI_ADMIN_PASSWORD", "")
	g.Expect(w.b.post(t, w.path+"/preview", form).text).To(ContainSubstring("name: mine"), "without a password, the reference is used")
}
