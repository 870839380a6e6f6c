package pages_test

import (
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestActionsOfManagedInstances requests actions for an instance that a GitOps tool manages.
func TestActionsOfManagedInstances(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	instance := w.addInstance(t, w.tenant, "board", w.ref)
	instance.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "board:appmarket.io/AppInstance:x/board"}
	g.Expect(w.Client.Update(t.Context(), instance)).To(Succeed())
	page := "/instances/" + w.tenant + "/board"
	shows(t, w.b, page, "kept in git by Argo CD")
	form := page + "/actions/stop"
	g.Expect(w.b.get(t, form).text).To(And(ContainSubstring("managed by Argo CD"), ContainSubstring(`name="anyway" value="yes">Do it anyway</button>`), Not(ContainSubstring(`<button class="main">`))))
	refused := w.b.post(t, form, url.Values{"key": {"abcde"}})
	g.Expect(refused.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(refused.text).To(ContainSubstring("Select Do it anyway"))
	g.Expect(w.taskNames(t)).To(BeEmpty())
	g.Expect(w.b.post(t, form, url.Values{"key": {"abcde"}, "anyway": {"yes"}}).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.taskNames(t)).To(ConsistOf("stop-board-abcde"))
	g.Expect(w.b.get(t, page+"/actions/clone").text).NotTo(ContainSubstring("Do it anyway"), "a clone is another instance")

	w.b.selectChinese(t)
	shows(t, w.b, page, "该实例由 Argo CD 通过 git 管理")
	shows(t, w.b, form, "仍要执行</button>")
	g.Expect(w.b.post(t, form, url.Values{"key": {"fghij"}}).text).To(ContainSubstring("如仍要创建任务，请选择“仍要执行”。"))
}

// TestFailedUpgrade shows the cause of a failed upgrade, and the way back.
func TestFailedUpgrade(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "board", w.ref, func(i *v1alpha1.AppInstance) {
		for n := range i.Status.Conditions {
			if i.Status.Conditions[n].Type == "Applied" {
				i.Status.Conditions[n] = condition("Applied", "False", "UpgradeFailed", "Deployment/board: image registry.example/board:2 was not found")
			}
		}
		i.Status.Conditions[0] = condition("Ready", "False", "UpgradeFailed", "Deployment/board: image registry.example/board:2 was not found")
		now := metav1.Now()
		i.Status.History = []v1alpha1.HistoryEntry{
			{Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "2.0.0", StartedAt: now}, Outcome: v1alpha1.OutcomeFailed, EndedAt: now},
			{Operation: v1alpha1.Operation{Type: v1alpha1.OperationInstall, Version: "1.2.0", StartedAt: now}, Outcome: v1alpha1.OutcomeSucceeded, Revision: 4, EndedAt: now},
		}
		i.Status.Conditions = append(i.Status.Conditions, condition("Stalled", "True", "UpgradeFailed", "Deployment/board: image registry.example/board:2 was not found"))
	})
	page := "/instances/" + w.tenant + "/board"
	back := `<a class="button" href="` + page + `/actions/rollback">Roll back</a> <a href="` + page + `/events">`
	shows(t, w.b, page, "The last change failed", "registry.example/board:2 was not found", back)
	shows(t, w.b, page+"/actions/rollback", `<option value="4" selected>`)
	w.b.selectChinese(t)
	shows(t, w.b, page, `/actions/rollback">回滚</a> <a href="`+page+`/events">`)
	reader := w.signIn(t, w.tenant, "reader", viewer)
	g.Expect(reader.get(t, page).text).To(And(ContainSubstring("The last change failed"), Not(ContainSubstring(back))))
}
