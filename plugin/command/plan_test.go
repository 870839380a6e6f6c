package command_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// wasPlanned is the state of a dry run that has found no problem.
func wasPlanned(task *v1alpha1.AppInstallTask) {
	object := func(kind, name string) v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: task.Namespace, Name: name}
	}
	task.Status.Plan = &v1alpha1.Plan{
		Subtasks: []v1alpha1.PlannedSubtask{
			{Action: v1alpha1.ActionInstall, Instance: "wikidb", Version: "1.0.1"}, {Action: v1alpha1.ActionInstall, Namespace: "shared", Instance: "cache"},
		},
		ObjectsCreated: 2, ObjectsChanged: 1, ObjectsRetained: 1,
		Objects: []v1alpha1.PlannedObject{
			{Change: v1alpha1.ObjectRetained, Object: object("PersistentVolumeClaim", "pages"), Storage: "1Gi"},
			{Change: v1alpha1.ObjectCreated, Object: object("ConfigMap", "theme")},
			{Change: v1alpha1.ObjectChanged, Object: object("Service", "wiki")},
		},
		ImagesAdded: []v1alpha1.PlannedImage{{Name: "registry.example/wiki:2.4.0", LargestPlatformBytes: 21400000}}, ImageBytesAdded: 2300000, ImageBytesRemoved: 1100000,
		ImagesRemoved:    []v1alpha1.PlannedImage{{Name: "registry.example/wiki:2.3.1"}},
		PermissionsAdded: []string{`get, list secrets in namespace "demo"`}, UnusedValues: []string{"page.color"},
	}
	endTask(task, metav1.ConditionTrue, v1alpha1.ReasonPlanned, "dry run: the operation is possible")
}

// isUnchanged is the state of a dry run of an operation that would change nothing.
func isUnchanged(task *v1alpha1.AppInstallTask) {
	task.Status.Plan = &v1alpha1.Plan{}
	endTask(task, metav1.ConditionTrue, v1alpha1.ReasonPlanned, "dry run: the operation is possible; it would change no object")
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name     string
		state    func(*v1alpha1.AppInstallTask)
		commands []string
	}{
		{"planned", wasPlanned, []string{
			"plan upgrade wiki", "plan upgrade wiki --exit-code", "plan uninstall wiki --data delete", "plan upgrade wiki -o jsonpath={.status.plan.objectsCreated}",
		}},
		{"unchanged", isUnchanged, []string{"plan configure wiki --exit-code", "plan stop wiki"}},
		{"rejected", wasRejected, []string{"plan install samples/wiki", "plan install samples/wiki --remedy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlugin(t)
			p.newMarket()
			namespace := p.namespace("plan-" + c.name)
			p.createWithStatus(newInstance(namespace, "wiki"))
			p.playOperator(namespace, func(task *v1alpha1.AppInstallTask) {
				if !task.IsDryRun() {
					t.Errorf("task %s is no dry run", task.Name)
				}
				c.state(task)
			})
			var results []result
			for _, line := range c.commands {
				results = append(results, p.run(line+" -n "+namespace))
			}
			expectGolden(t, "plan-"+c.name, results...)
			p.expectNoTasks(namespace)
		})
	}
}

func TestPlanWithoutAnOperator(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	p.newMarket()
	p.namespace("plan-alone")
	p.createWithStatus(newInstance("plan-alone", "wiki"))
	expectGolden(t, "plan-alone", p.run("plan upgrade wiki -n plan-alone --timeout 1s"), p.run("plan install samples/wiki -n plan-alone --secret-input TOKEN --timeout 1s"))
	p.expectNoTasks("plan-alone")

	r := p.run("plan stop wiki -n plan-alone --dry-run=client -o yaml")
	g.Expect(r.code).To(BeZero())
	g.Expect(strings.Count(r.out, "dryRun: true")).To(Equal(1), r.out)
	p.expectNoTasks("plan-alone")
}

// expectNoTasks checks that a namespace has no task: a plan leaves none.
func (p *plugin) expectNoTasks(namespace string) {
	p.t.Helper()
	var tasks v1alpha1.AppInstallTaskList
	NewWithT(p.t).Expect(p.env.Client.List(p.t.Context(), &tasks, client.InNamespace(namespace))).To(Succeed())
	NewWithT(p.t).Expect(tasks.Items).To(BeEmpty())
}
