package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// addRecord creates the record of an instance that was uninstalled.
func (s *site) addRecord(t *testing.T, namespace, name string, ref v1alpha1.AppReference) *v1alpha1.AppInstance {
	t.Helper()
	language := "de"
	spec := v1alpha1.AppInstanceSpec{
		AppRef: ref, DesiredState: v1alpha1.StateUninstalled, Title: "Old wiki", ServiceAccountName: "installer",
		Values: &runtime.RawExtension{Raw: []byte(`{"replicas":3}`)}, Inputs: []v1alpha1.InputValue{{Name: "WIKI_LANGUAGE", Value: &language}},
	}
	return s.addInstanceWith(t, namespace, name, spec, func(i *v1alpha1.AppInstance) {
		i.Status.Version, i.Status.Revision, i.Status.Releases, i.Status.Inventory, i.Status.Entrances = "", 0, nil, nil, nil
		i.Status.RetainedObjects = []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: "data-wiki"}}
		for n := range i.Status.Conditions {
			i.Status.Conditions[n] = condition(i.Status.Conditions[n].Type, "True", "Uninstalled", "removed; 1 object is kept")
		}
	})
}

func TestUninstalledInstanceIsInstalledAgain(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addRecord(t, w.tenant, "wiki", w.ref)
	page := "/instances/" + w.tenant + "/wiki"
	g.Expect(shows(t, w.b, page, "Install again").text).To(And(ContainSubstring("Delete record"), ContainSubstring("The app is uninstalled."), Not(ContainSubstring("Configure"))))
	form := page + "/actions/install"
	g.Expect(w.b.get(t, form).text).To(And(ContainSubstring("Install again"), ContainSubstring(`value="Old wiki"`), ContainSubstring("replicas: 3"), ContainSubstring(`value="installer"`),
		ContainSubstring("kubectl market install "+w.market+"/samples/wiki")))
	answer := w.b.post(t, form, url.Values{"key": {"abcde"}, "choice": {"1.2.0"}, "title": {"Old wiki"}, "account": {"installer"}, "values": {"replicas: 3\n"}})
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	task := w.readTask(t, "install-wiki-abcde")
	g.Expect([]string{string(task.Spec.Action), task.Spec.InstanceName, task.Spec.ServiceAccountName, task.Spec.Install.Version}).To(Equal([]string{"Install", "wiki", "installer", "1.2.0"}))
	g.Expect(task.Spec.Install.Values).To(BeNil(), "the task uses the earlier values, unless the form changes them")
	g.Expect(task.Spec.Install.Title).To(BeEmpty())
	g.Expect(w.b.post(t, form, url.Values{"key": {"fghij"}, "choice": {"1.2.0"}, "account": {"a b"}}).StatusCode).To(Equal(http.StatusUnprocessableEntity))
	check, filled := w.startCheck(t, form, url.Values{"choice": {"1.2.0"}, "account": {"other"}})
	g.Expect(check.Spec.ServiceAccountName).To(Equal("other"))
	g.Expect(w.b.get(t, filled).text).To(And(ContainSubstring("Checking"), ContainSubstring(`value="other"`)))

	w.addInstance(t, w.tenant, "board", w.ref)
	g.Expect(w.b.get(t, "/instances/"+w.tenant+"/board").text).NotTo(Or(ContainSubstring("Install again"), ContainSubstring("Delete record")))
	g.Expect(w.b.get(t, "/instances/"+w.tenant+"/board/actions/install").text).To(ContainSubstring(`<button class="main" disabled>`))
}

func TestRecordIsDeleted(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	record := w.addRecord(t, w.tenant, "wiki", w.ref)
	w.addInstance(t, w.tenant, "board", w.ref)
	path := "/instances/" + w.tenant + "/wiki/delete"
	g.Expect(w.b.get(t, path).text).To(And(ContainSubstring("You cannot delete instances in namespace "+w.tenant), ContainSubstring("data-wiki"), ContainSubstring("kubectl delete appinstance wiki")))
	g.Expect(w.b.post(t, path, nil).StatusCode).To(Equal(http.StatusForbidden))
	owner := w.signIn(t, w.tenant, "owner", viewer, rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{"delete"}})
	running := "/instances/" + w.tenant + "/board/delete"
	g.Expect(owner.get(t, running).text).To(ContainSubstring("The instance is not uninstalled"))
	g.Expect(owner.post(t, running, nil).StatusCode).To(Equal(http.StatusUnprocessableEntity), "an installed app is not deleted with its record")
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: "board"}, &v1alpha1.AppInstance{})).To(Succeed())
	answer := owner.post(t, path, nil)
	g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther), answer.text)
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(record), record)).NotTo(Succeed())
	g.Expect(owner.post(t, path, nil).StatusCode).To(Equal(http.StatusNotFound))
}

// TestRecordsAreNotInstalled shows the app of an uninstalled instance.
func TestRecordsAreNotInstalled(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addRecord(t, w.tenant, "wiki", w.ref)
	shows(t, w.b, "/instances?state=uninstalled", "Old wiki")
	app := strings.TrimSuffix(w.path, "/install")
	g.Expect(w.b.get(t, app).text).NotTo(ContainSubstring("Old wiki"))
	g.Expect(w.b.get(t, "/apps").text).NotTo(ContainSubstring("</svg>Installed</span>"))
	w.addInstance(t, w.tenant, "board", w.ref)
	shows(t, w.b, app, "/instances/"+w.tenant+"/board")
	shows(t, w.b, "/apps", "</svg>Installed</span>")
}
