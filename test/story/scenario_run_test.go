package story_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// A scenarioRun is one run of a scenario in a namespace of its own. A failure ends the run and not
// the spec, so that many runs are possible in parallel.
type scenarioRun struct {
	Gomega
	scenario
	fault
	ctx context.Context
	env *environment
	t   *tenant
	// name is the name of the instance.
	name string

	// before is the initial state of the instance, and version the initially installed version.
	before  transitions.State
	version string

	task     *v1alpha1.AppInstallTask
	cancel   *v1alpha1.AppInstallTask
	summary  metav1.Condition
	state    transitions.State
	duration time.Duration
	err      error
}

// assertionFailure is the panic value of a failed assertion in a run.
type assertionFailure string

// recordFailure calls do and records a failed assertion. It does nothing after an earlier failure.
func (run *scenarioRun) recordFailure(do func()) {
	if run.err != nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			text, ok := r.(assertionFailure)
			if !ok {
				panic(r)
			}
			run.err = fmt.Errorf("%s (namespace %s): %s", run.scenario, run.t.Namespace, text)
		}
	}()
	do()
}

func newScenarioRun(ctx context.Context, env *environment, t *tenant, s scenario) *scenarioRun {
	run := &scenarioRun{scenario: s, ctx: ctx, env: env, t: t, name: "actor", fault: faultsFor(s.action)[s.point]}
	if s.action == v1alpha1.ActionClone {
		run.name = "copy"
	}
	run.Gomega = NewGomega(func(message string, _ ...int) { panic(assertionFailure(message)) })
	return run
}

// waitUntil retries the expectations until they succeed.
func (run *scenarioRun) waitUntil(expected func(g Gomega)) {
	run.Eventually(expected).WithContext(run.ctx).WithTimeout(3 * timeout).WithPolling(50 * time.Millisecond).Should(Succeed())
}

// runPreparation runs the operations that precede the scenario.
func (run *scenarioRun) runPreparation() {
	steps := preparations[run.action]
	if run.preparations != nil {
		steps = run.preparations
	}
	for i, step := range steps {
		if step.usesHelm {
			run.installWithHelm(step.version)
			continue
		}
		task := run.createTask(fmt.Sprintf("before-%d", i), step.action, func(spec *v1alpha1.AppInstallTaskSpec) {
			switch step.action {
			case v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionClone, v1alpha1.ActionAdopt:
				spec.EnsureParameters().Version, spec.EnsureParameters().Values = step.version, values{}.toRaw()
			}
			if i == 0 && run.firstValues != nil {
				spec.EnsureParameters().Values = run.firstValues.toRaw()
			}
			if i == 0 && run.firstValues["ready"] == false {
				withShortTimeout(spec)
			}
		})
		run.waitFinished(task)
	}
	if run.fault.prepare != nil {
		run.fault.prepare(run)
	}
	instance := run.getInstance()
	run.before = transitions.StateOf(instance)
	if instance != nil {
		run.version = instance.Status.Version
	}
}

// installWithHelm installs a release with the helm command.
func (run *scenarioRun) installWithHelm(version string) {
	args := []string{"install", run.name, run.env.archives[version], "--namespace", run.t.Namespace}
	for key, value := range run.firstValues {
		args = append(args, "--set", fmt.Sprintf("%s=%v", key, value))
	}
	out, err := run.env.helm.TryRun(run.ctx, args...)
	run.Expect(err).NotTo(HaveOccurred(), "%s", out)
}

// createTask creates a task for the instance.
func (run *scenarioRun) createTask(name string, action v1alpha1.Action, change func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: run.t.Namespace, Name: name},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: action, ServiceAccountName: "tenant",
			AppRef: v1alpha1.AppReference{Source: run.t.Source.Name, Namespace: run.t.Source.Namespace, Name: "actor"},
		},
	}
	change(&task.Spec)
	run.Expect(k8sClient.Create(run.ctx, task)).To(Succeed())
	return task
}

// setTaskSpec sets the fields of the spec that the action requires.
func (run *scenarioRun) setTaskSpec(spec *v1alpha1.AppInstallTaskSpec) {
	switch run.action {
	case v1alpha1.ActionInstall:
		spec.EnsureParameters().Version = older
	case v1alpha1.ActionClone:
		spec.InstanceName, spec.EnsureParameters().Version, spec.EnsureParameters().Title = run.name, older, "The copy"
		spec.Clone.From.Name = "actor"
	case v1alpha1.ActionUpgrade:
		spec.EnsureParameters().Version = newer
	case v1alpha1.ActionConfigure:
		spec.EnsureConfiguration().Values = values{"configured": true}.toRaw()
	}
	switch run.action {
	case v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure, v1alpha1.ActionAdopt:
		if run.taskValues != nil {
			spec.EnsureConfiguration().Values = run.taskValues.toRaw()
		}
	}
	spec.OnFailure = run.onFailure
}

// startTask creates the task under test.
func (run *scenarioRun) startTask() {
	run.task = run.createTask("the-task", run.action, func(spec *v1alpha1.AppInstallTaskSpec) {
		run.setTaskSpec(spec)
		if run.changeSpec != nil {
			run.changeSpec(spec)
		}
	})
}

// waitForEnd waits for the task to finish.
func (run *scenarioRun) waitForEnd() {
	created := run.task.CreationTimestamp
	run.summary = run.waitFinished(run.task)
	run.duration = run.task.Status.CompletionTime.Sub(created.Time)
}

// waitFinished waits for a task to finish and returns its summary condition.
func (run *scenarioRun) waitFinished(task *v1alpha1.AppInstallTask) metav1.Condition {
	var summary *metav1.Condition
	run.waitUntil(func(g Gomega) {
		g.Expect(run.env.cache.Get(run.ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		g.Expect(task.Finished()).To(BeTrue(), "%s %s: %v", task.Spec.Action, task.Name, task.Status.Conditions)
		summary = meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		g.Expect(summary).NotTo(BeNil())
	})
	return *summary
}

// waitForCancelPoint waits for the point at which the task is canceled.
func (run *scenarioRun) waitForCancelPoint() {
	if run.point == inHook {
		hook := map[v1alpha1.Action]string{
			v1alpha1.ActionInstall: "-pre-install-", v1alpha1.ActionClone: "-pre-install-", v1alpha1.ActionUpgrade: "-pre-upgrade-",
			v1alpha1.ActionConfigure: "-pre-upgrade-", v1alpha1.ActionRollback: "-pre-rollback-", v1alpha1.ActionUninstall: "-pre-delete-",
		}[run.action]
		run.waitUntil(func(g Gomega) {
			g.Expect(run.env.createdHooks(run.t.Namespace)).To(ContainElement(HavePrefix(run.name + hook)))
		})
		return
	}
	reason := map[string]string{
		whileSuspended: v1alpha1.ReasonSuspended, behindAnother: v1alpha1.ReasonWaitingForTurn,
		withoutInput: v1alpha1.ReasonWaitingForInput, waitingForObjects: v1alpha1.ReasonWaitingForObjects,
	}[run.point]
	run.waitForProgress(func(g Gomega, c metav1.Condition) { g.Expect(c.Reason).To(Equal(reason), c.Message) })
}

// waitForProgress waits until the Reconciling condition of the unfinished task is as expected.
func (run *scenarioRun) waitForProgress(expected func(Gomega, metav1.Condition)) {
	run.waitUntil(func(g Gomega) {
		g.Expect(run.env.cache.Get(run.ctx, client.ObjectKeyFromObject(run.task), run.task)).To(Succeed())
		g.Expect(run.task.Finished()).To(BeFalse(), "%v", run.task.Status.Conditions)
		c := meta.FindStatusCondition(run.task.Status.Conditions, v1alpha1.ConditionReconciling)
		g.Expect(c).NotTo(BeNil())
		expected(g, *c)
	})
}

// cancelTask cancels the task. If it can no longer be canceled, cancelTask lets the operation continue.
func (run *scenarioRun) cancelTask() {
	if run.method == byTask {
		run.cancel = run.createTask("the-cancel", v1alpha1.ActionCancel, func(spec *v1alpha1.AppInstallTaskSpec) {
			if run.action == v1alpha1.ActionClone {
				spec.InstanceName = run.name
			}
			if run.point == behindAnother {
				spec.CancelTask = &v1alpha1.CancelParameters{Name: run.task.Name}
			}
		})
	} else {
		patch := values{"spec": values{"cancel": true}}
		run.Expect(k8sClient.Patch(run.ctx, run.task, client.RawPatch(types.MergePatchType, patch.toRaw().Raw))).To(Succeed())
	}
	if !run.isCommitted() {
		return
	}
	if run.method == byTask {
		run.waitFinished(run.cancel)
	} else {
		generation := run.task.Generation
		run.waitForProgress(func(g Gomega, c metav1.Condition) { g.Expect(c.ObservedGeneration).To(Equal(generation)) })
	}
	run.releasePods()
}

// releasePods lets the held Pods start.
func (run *scenarioRun) releasePods() {
	if run.point == waitingForObjects {
		run.annotatePods(map[string]any{waitingAnnotation: nil})
		return
	}
	patch := values{"metadata": values{"annotations": values{waitingAnnotation: nil}}}
	for _, pod := range run.listPods() {
		if _, held := pod.Annotations[waitingAnnotation]; held {
			run.Expect(k8sClient.Patch(run.ctx, &pod, client.RawPatch(types.MergePatchType, patch.toRaw().Raw))).To(Succeed())
		}
	}
}

// runTask runs the prepared scenario to its end.
func (run *scenarioRun) runTask() {
	run.startTask()
	if run.course == canceled {
		run.waitForCancelPoint()
		run.cancelTask()
	}
	run.waitForEnd()
}

// maxParallel is the maximum number of scenarios that run in parallel.
const maxParallel = 24

// runParallel calls do for all runs in parallel.
func runParallel(runs []*scenarioRun, do func(*scenarioRun)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, maxParallel)
	for _, run := range runs {
		slots <- struct{}{}
		group.Go(func() {
			run.recordFailure(func() { do(run) })
			<-slots
		})
	}
	group.Wait()
}

// failureMessages returns the failures of all runs.
func failureMessages(runs []*scenarioRun) []string {
	messages := []string{}
	for _, run := range runs {
		if run.err != nil {
			messages = append(messages, run.err.Error())
		}
	}
	slices.Sort(messages)
	return messages
}
