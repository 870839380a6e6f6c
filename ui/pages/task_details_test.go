package pages_test

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

// addSubtasks gives a task subtasks: one that fails, one that does not exist, and one in another namespace.
func (w world) addSubtasks(t *testing.T, task *v1alpha1.AppInstallTask, other string) {
	t.Helper()
	for namespace, name := range map[string]string{w.tenant: "install-notes-aaaaa", other: "install-store-aaaaa"} {
		w.addTaskWith(t, namespace, name, v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, AppRef: w.ref},
			condition("Succeeded", "False", "PermissionDenied", "message of "+name))
	}
	task.Status.Subtasks = []v1alpha1.Subtask{
		{Task: "install-notes-aaaaa", Instance: "notes", Action: v1alpha1.ActionInstall},
		{Task: "install-gone-aaaaa", Instance: "gone", Action: v1alpha1.ActionInstall},
		{Task: "install-store-aaaaa", Namespace: other, Instance: "store", Action: v1alpha1.ActionInstall},
	}
	NewWithT(t).Expect(w.Client.Status().Update(t.Context(), task)).To(Succeed())
}

func TestSubtasksHaveTheirStates(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	other := w.Namespace(t, nil)
	task := w.addTask(t, w.tenant, "install-blog-aaaaa", w.ref)
	w.addSubtasks(t, task, other)
	b := w.signIn(t, w.tenant, "jane", viewer)
	path := "/tasks/" + w.tenant + "/install-blog-aaaaa"
	page := shows(t, b, path, "message of install-notes-aaaaa", "deleted", "You cannot list tasks in namespace "+other)
	g.Expect(page.text).NotTo(ContainSubstring("message of install-store-aaaaa"), "the state needs the permission in its namespace")
	signal := live.Topic{Resource: kube.Tasks, Namespace: w.tenant, Name: "install-notes-aaaaa"}.Signal()
	g.Expect(page.text).To(And(ContainSubstring(signal+" from:body"), ContainSubstring("You cannot list events in namespace")))
	administrator := w.signIn(t, w.tenant, "reader", viewer, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}})
	for name, uid := range map[string]string{"present": string(task.UID), "earlier": "11111111-2222-3333-4444-555555555555"} {
		object := corev1.ObjectReference{
			APIVersion: "appmarket.io/v1alpha1", Kind: "AppInstallTask", Namespace: w.tenant, Name: task.Name, UID: types.UID(uid),
		}
		w.addEvent(t, object, name, name+" task!", time.Minute)
	}
	g.Expect(administrator.get(t, path).text).To(And(ContainSubstring("present task!"), Not(ContainSubstring("earlier task!"))))
}

func TestTaskIsDeleted(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	w.addTaskWith(t, w.tenant, "stop-wiki-aaaaa", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionStop, AppRef: w.ref},
		condition("Succeeded", "True", "Succeeded", ""))
	path := "/tasks/" + w.tenant + "/stop-wiki-aaaaa"
	reader := w.signIn(t, w.tenant, "reader", viewer)
	g.Expect(reader.get(t, path).text).NotTo(ContainSubstring(path + "/delete"))
	g.Expect(reader.get(t, path+"/delete").text).To(And(ContainSubstring("disabled"), ContainSubstring("delete appinstalltasks.appmarket.io")))
	g.Expect(reader.post(t, path+"/delete", nil).StatusCode).To(Equal(http.StatusForbidden))
	deleter := rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstalltasks"}, Verbs: []string{"delete"}}
	b := w.signIn(t, w.tenant, "jane", viewer, deleter)
	g.Expect(b.get(t, path).text).To(ContainSubstring(path + "/delete"))
	g.Expect(b.get(t, path+"/delete").text).To(ContainSubstring("kubectl delete appinstalltask stop-wiki-aaaaa -n " + w.tenant))
	g.Expect(b.post(t, path+"/delete", nil).StatusCode).To(Equal(http.StatusSeeOther))
	task := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "stop-wiki-aaaaa"}}
	g.Expect(apierrors.IsNotFound(w.Client.Get(t.Context(), client.ObjectKeyFromObject(task), task))).To(BeTrue())
	waiting := "/tasks/" + w.tenant + "/install-wiki-x7k2p"
	g.Expect(b.get(t, waiting).text).NotTo(ContainSubstring(waiting + "/delete"))
	g.Expect(b.post(t, waiting+"/delete", nil).StatusCode).To(Equal(http.StatusConflict))
}
