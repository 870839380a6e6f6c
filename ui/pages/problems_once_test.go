package pages_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestProblemsAreShownOnce shows a source and a task with a problem that several of their fields contain.
func TestProblemsAreShownOnce(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.market, Name: "refused"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/charts"}},
	}
	w.create(t, source, func() {
		source.Status.Conditions = []metav1.Condition{
			condition("Ready", "False", "NotAllowed", "use another path"), condition("Reachable", "False", "NotAllowed", "use another path"),
		}
	})
	shows(t, b, "/sources", "use another path")
	page := shows(t, b, "/sources/"+w.market+"/refused", "use another path", "NotAllowed")
	g.Expect(strings.Count(page.text, "use another path")).To(Equal(1))

	const message = "account default cannot create roles"
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "refused"},
		Spec:       v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, AppRef: v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: "wiki"}},
	}
	now := metav1.Now()
	w.create(t, task, func() {
		task.Status = v1alpha1.AppInstallTaskStatus{
			ObservedGeneration: 1, CompletionTime: &now,
			Preflight:  []v1alpha1.Problem{{Reason: "PermissionDenied", Message: message, Remedy: "kind: Role\n"}},
			Conditions: []metav1.Condition{condition("Succeeded", "False", "PermissionDenied", message), condition("Admitted", "False", "PermissionDenied", message)},
		}
	})
	page = shows(t, b, "/tasks/"+w.tenant+"/refused", message, "kind: Role")
	g.Expect(strings.Count(page.text, message)).To(Equal(1))
}
