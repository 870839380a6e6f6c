package pages_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// addTaskWith creates a task with a spec and conditions, which has ended if it has succeeded or failed.
func (s *site) addTaskWith(t *testing.T, namespace, name string, spec v1alpha1.AppInstallTaskSpec, conditions ...metav1.Condition) {
	t.Helper()
	task := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
	s.create(t, task, func() {
		status := v1alpha1.AppInstallTaskStatus{Conditions: conditions, InstanceRef: &v1alpha1.InstanceReference{Name: task.Instance()}}
		if conditions[0].Status != metav1.ConditionUnknown {
			status = endedStatus(task, status)
		}
		task.Status = status
		task.Status.ObservedGeneration, task.Status.InstanceName = task.Generation, task.Instance()
	})
}

func TestListOfTasks(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	isDryRun := true
	for i := range 60 {
		w.addTaskWith(t, w.tenant, fmt.Sprintf("stop-wiki-%02d", i), v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionStop, AppRef: w.ref}, condition("Succeeded", "True", "Succeeded", ""))
	}
	w.addTaskWith(t, w.tenant, "check-wiki-1", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionUpgrade, AppRef: w.ref, DryRun: &isDryRun}, condition("Succeeded", "True", "Planned", ""))
	w.addTaskWith(t, w.tenant, "upgrade-wiki-1", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionUpgrade, AppRef: w.ref}, condition("Succeeded", "False", "Unhealthy", strings.Repeat("not ready ", 30)))
	shows(t, w.b, "/tasks?namespace="+w.tenant+"&dryRuns=1", "62 tasks", "check-wiki-1", "Show checks")
	rows := func(path string) int { return strings.Count(w.b.get(t, path).text, `scope="row"`) }
	page := w.b.get(t, "/tasks").text
	g.Expect(page).To(And(ContainSubstring("61 tasks"), Not(ContainSubstring("check-wiki-1")), ContainSubstring(`href="/tasks?page=2"`)))
	g.Expect([]int{rows("/tasks"), rows("/tasks?page=2"), rows("/tasks?page=99"), rows("/tasks?page=-1"), rows("/tasks?page=x")}).To(Equal([]int{50, 11, 11, 50, 50}))
	g.Expect(w.b.get(t, "/tasks?state=failed&dryRuns=1").text).To(And(ContainSubstring("1 task,"), ContainSubstring("upgrade-wiki-1"), ContainSubstring("ready not …")))
	g.Expect(w.b.get(t, "/tasks?state=succeeded&dryRuns=1").text).To(ContainSubstring(`href="/tasks?dryRuns=1&amp;page=2&amp;state=succeeded"`))
	g.Expect(w.b.get(t, "/parts/tasks?page=2").text).To(ContainSubstring(`hx-get="/parts/tasks?page=2"`), "an update reads the same page")
}

func TestNextStepOfATask(t *testing.T) {
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "wiki", w.ref)
	task, instance := "/tasks/"+w.tenant+"/", "/instances/"+w.tenant+"/wiki"
	waiting := func(reason string) []metav1.Condition {
		return []metav1.Condition{condition("Succeeded", "Unknown", reason, "because"), condition("Reconciling", "True", reason, "because")}
	}
	for _, c := range []struct {
		name       string
		spec       v1alpha1.AppInstallTaskSpec
		conditions []metav1.Condition
		has, lacks []string
	}{
		{"succeeded", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall}, []metav1.Condition{condition("Succeeded", "True", "Succeeded", "")},
			[]string{"The app is installed", `href="` + instance + `">Show instance`}, []string{"Cancel task", "try again"}},
		{"failed", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall}, []metav1.Condition{condition("Succeeded", "False", "PermissionDenied", "no")},
			[]string{"samples/wiki/install?from=failed", "Change and try again", "Show instance"}, []string{"Cancel task"}},
		{"failed-upgrade", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionUpgrade}, []metav1.Condition{condition("Succeeded", "False", "Unhealthy", "no")},
			[]string{instance + "/actions/upgrade?from=failed-upgrade", "Change and try again"}, nil},
		{"failed-stop", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionStop}, []metav1.Condition{condition("Succeeded", "False", "Unhealthy", "no")},
			[]string{"Show instance"}, []string{"try again"}},
		{"running", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionUpgrade}, waiting("Progressing"),
			[]string{"The operation is in progress", "Show instance", "Cancel task"}, []string{"blocks the queue"}},
		{"waits-for-app", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionUpgrade}, waiting("WaitingForApp"),
			[]string{"continues automatically", "blocks the queue of instance wiki", "Cancel task"}, nil},
		{"queued", v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionUpgrade}, waiting("WaitingForTurn"), []string{"continues automatically", "Cancel task"}, []string{"blocks the queue"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			c.spec.AppRef = w.ref
			w.addTaskWith(t, w.tenant, c.name, c.spec, c.conditions...)
			page := w.b.get(t, task+c.name)
			g.Expect(page.StatusCode).To(Equal(http.StatusOK))
			for _, text := range c.has {
				g.Expect(page.text).To(ContainSubstring(text))
			}
			for _, text := range c.lacks {
				g.Expect(page.text).NotTo(ContainSubstring(text))
			}
		})
	}
	g := NewWithT(t)
	w.addTask(t, w.tenant, "install-wiki-x7k2p", w.ref)
	g.Expect(w.b.get(t, task+"install-wiki-x7k2p").text).To(And(ContainSubstring("when all inputs have valid values"), ContainSubstring("Enter the inputs"), ContainSubstring("blocks the queue")))
}
