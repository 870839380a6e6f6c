package story_test

import (
	"context"
	"fmt"
	"os/exec"
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

// An act is one run of a test case in a namespace of its own. A failure ends the act and not the
// spec, so that many acts can run in parallel.
type act struct {
	Gomega
	tale
	trouble
	ctx context.Context
	on  *stage
	t   *tenant
	// name is the name of the instance.
	name string

	// before is the initial state of the instance, and version the initially installed version.
	before  transitions.State
	version string

	task   *v1alpha1.AppInstallTask
	cancel *v1alpha1.AppInstallTask
	root   metav1.Condition
	state  transitions.State
	took   time.Duration
	failed error
}

// failure is the panic value of a failed assertion in an act.
type failure string

// attempt calls do and records a failed assertion. It does nothing after an earlier failure.
func (a *act) attempt(do func()) {
	if a.failed != nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			text, ok := r.(failure)
			if !ok {
				panic(r)
			}
			a.failed = fmt.Errorf("%s (namespace %s): %s", a.tale, a.t.Namespace, text)
		}
	}()
	do()
}

func newAct(ctx context.Context, on *stage, t *tenant, of tale) *act {
	a := &act{tale: of, ctx: ctx, on: on, t: t, name: "actor", trouble: troubles(of.action)[of.at]}
	if of.action == v1alpha1.ActionClone {
		a.name = "copy"
	}
	a.Gomega = NewGomega(func(message string, _ ...int) { panic(failure(message)) })
	return a
}

// eventually retries the expectations until they succeed.
func (a *act) eventually(expected func(g Gomega)) {
	a.Eventually(expected).WithContext(a.ctx).WithTimeout(3 * patience).WithPolling(50 * time.Millisecond).Should(Succeed())
}

// prepare runs the steps that precede the test case.
func (a *act) prepare() {
	begin := beginnings[a.action]
	if a.start != nil {
		begin = a.start
	}
	for i, s := range begin {
		if s.byHelm {
			a.installByHelm(s.version)
			continue
		}
		task := a.create(fmt.Sprintf("before-%d", i), s.action, func(spec *v1alpha1.AppInstallTaskSpec) {
			switch s.action {
			case v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionClone, v1alpha1.ActionAdopt:
				spec.EnsureParameters().Version, spec.EnsureParameters().Values = s.version, values{}.raw()
			}
			if i == 0 && a.first != nil {
				spec.EnsureParameters().Values = a.first.raw()
			}
			if i == 0 && a.first["ready"] == false {
				hasty(spec)
			}
		})
		a.finished(task)
	}
	if a.trouble.prepare != nil {
		a.trouble.prepare(a)
	}
	instance := a.instance()
	a.before = transitions.StateOf(instance)
	if instance != nil {
		a.version = instance.Status.Version
	}
}

// installByHelm installs a release with the helm command.
func (a *act) installByHelm(version string) {
	args := []string{"install", a.name, a.on.archives[version], "--namespace", a.t.Namespace}
	for key, value := range a.first {
		args = append(args, "--set", fmt.Sprintf("%s=%v", key, value))
	}
	command := exec.CommandContext(a.ctx, a.on.helm.program, args...)
	command.Env = a.on.helm.env
	out, err := command.CombinedOutput()
	a.Expect(err).NotTo(HaveOccurred(), "%s", out)
}

// create creates a task for the instance.
func (a *act) create(name string, action v1alpha1.Action, change func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.t.Namespace, Name: name},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: action, ServiceAccountName: "tenant",
			AppRef: v1alpha1.AppReference{Source: a.t.Source.Name, Namespace: a.t.Source.Namespace, Name: "actor"},
		},
	}
	change(&task.Spec)
	a.Expect(cluster.Create(a.ctx, task)).To(Succeed())
	return task
}

// wish sets the fields of the spec that the action requires.
func (a *act) wish(spec *v1alpha1.AppInstallTaskSpec) {
	switch a.action {
	case v1alpha1.ActionInstall:
		spec.EnsureParameters().Version = older
	case v1alpha1.ActionClone:
		spec.InstanceName, spec.EnsureParameters().Version, spec.EnsureParameters().Title = a.name, older, "The copy"
		spec.Clone.From.Name = "actor"
	case v1alpha1.ActionUpgrade:
		spec.EnsureParameters().Version = newer
	case v1alpha1.ActionConfigure:
		spec.EnsureConfiguration().Values = values{"configured": true}.raw()
	}
	switch a.action {
	case v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure, v1alpha1.ActionAdopt:
		if a.own != nil {
			spec.EnsureConfiguration().Values = a.own.raw()
		}
	}
	spec.OnFailure = a.onFailure
}

// begin creates the task under test.
func (a *act) begin() {
	a.task = a.create("the-task", a.action, func(spec *v1alpha1.AppInstallTaskSpec) {
		a.wish(spec)
		if a.change != nil {
			a.change(spec)
		}
	})
}

// end waits for the task to finish.
func (a *act) end() {
	begun := a.task.CreationTimestamp
	a.root = a.finished(a.task)
	a.took = a.task.Status.CompletionTime.Sub(begun.Time)
}

// finished waits for a task to finish and returns its summary condition.
func (a *act) finished(task *v1alpha1.AppInstallTask) metav1.Condition {
	var root *metav1.Condition
	a.eventually(func(g Gomega) {
		g.Expect(a.on.seen.Get(a.ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		g.Expect(task.Finished()).To(BeTrue(), "%s %s: %v", task.Spec.Action, task.Name, task.Status.Conditions)
		root = meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		g.Expect(root).NotTo(BeNil())
	})
	return *root
}

// reach waits for the moment at which the task is canceled.
func (a *act) reach() {
	if a.at == inHook {
		hook := map[v1alpha1.Action]string{
			v1alpha1.ActionInstall: "-pre-install-", v1alpha1.ActionClone: "-pre-install-", v1alpha1.ActionUpgrade: "-pre-upgrade-",
			v1alpha1.ActionConfigure: "-pre-upgrade-", v1alpha1.ActionRollback: "-pre-rollback-", v1alpha1.ActionUninstall: "-pre-delete-",
		}[a.action]
		a.eventually(func(g Gomega) { g.Expect(a.on.hooks(a.t.Namespace)).To(ContainElement(HavePrefix(a.name + hook))) })
		return
	}
	reason := map[string]string{
		whileSuspended: v1alpha1.ReasonSuspended, behindAnother: v1alpha1.ReasonWaitingForTurn,
		withoutInput: v1alpha1.ReasonWaitingForInput, waitingForObjects: v1alpha1.ReasonWaitingForObjects,
	}[a.at]
	a.waits(func(g Gomega, c metav1.Condition) { g.Expect(c.Reason).To(Equal(reason), c.Message) })
}

// waits waits until the Reconciling condition of the unfinished task is as expected.
func (a *act) waits(expected func(Gomega, metav1.Condition)) {
	a.eventually(func(g Gomega) {
		g.Expect(a.on.seen.Get(a.ctx, client.ObjectKeyFromObject(a.task), a.task)).To(Succeed())
		g.Expect(a.task.Finished()).To(BeFalse(), "%v", a.task.Status.Conditions)
		c := meta.FindStatusCondition(a.task.Status.Conditions, v1alpha1.ConditionReconciling)
		g.Expect(c).NotTo(BeNil())
		expected(g, *c)
	})
}

// call cancels the task. If it can no longer be canceled, call lets the operation continue.
func (a *act) call() {
	if a.by == byTask {
		a.cancel = a.create("the-cancel", v1alpha1.ActionCancel, func(spec *v1alpha1.AppInstallTaskSpec) {
			if a.action == v1alpha1.ActionClone {
				spec.InstanceName = a.name
			}
			if a.at == behindAnother {
				spec.CancelTask = &v1alpha1.CancelParameters{Name: a.task.Name}
			}
		})
	} else {
		patch := values{"spec": values{"cancel": true}}
		a.Expect(cluster.Patch(a.ctx, a.task, client.RawPatch(types.MergePatchType, patch.raw().Raw))).To(Succeed())
	}
	if !a.committed() {
		return
	}
	if a.by == byTask {
		a.finished(a.cancel)
	} else {
		generation := a.task.Generation
		a.waits(func(g Gomega, c metav1.Condition) { g.Expect(c.ObservedGeneration).To(Equal(generation)) })
	}
	a.letGo()
}

// letGo lets the held Pods start.
func (a *act) letGo() {
	if a.at == waitingForObjects {
		a.mark(map[string]any{waitingMark: nil})
		return
	}
	patch := values{"metadata": values{"annotations": values{waitingMark: nil}}}
	for _, pod := range a.pods() {
		if _, waits := pod.Annotations[waitingMark]; waits {
			a.Expect(cluster.Patch(a.ctx, &pod, client.RawPatch(types.MergePatchType, patch.raw().Raw))).To(Succeed())
		}
	}
}

// play runs the prepared test case to its end.
func (a *act) play() {
	a.begin()
	if a.how == cancelled {
		a.reach()
		a.call()
	}
	a.end()
}

// abreast is the maximum number of acts that run in parallel.
const abreast = 24

// sideways calls do for all acts in parallel.
func sideways(all []*act, do func(*act)) {
	var open sync.WaitGroup
	places := make(chan struct{}, abreast)
	for _, a := range all {
		places <- struct{}{}
		open.Go(func() {
			a.attempt(func() { do(a) })
			<-places
		})
	}
	open.Wait()
}

// failures returns the failures of all acts.
func failures(all []*act) []string {
	said := []string{}
	for _, a := range all {
		if a.failed != nil {
			said = append(said, a.failed.Error())
		}
	}
	slices.Sort(said)
	return said
}
