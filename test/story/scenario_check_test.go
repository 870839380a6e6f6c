package story_test

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/test/conformance"
)

// checkResult compares the result of the run with the table of transitions.
func (run *scenarioRun) checkResult() {
	run.checkTask()
	run.checkState()
	run.checkRecords()
	run.checkWorkload()
	run.checkHooks()
	run.checkClaims()
	run.checkContract()
}

// checkTask checks how the task, and the task that canceled it, ended.
func (run *scenarioRun) checkTask() {
	want, reasons := metav1.ConditionFalse, run.reasons
	switch {
	case run.course == canceled && !run.isCommitted():
		reasons = []string{v1alpha1.ReasonCanceled}
	case run.course != fails:
		want, reasons = metav1.ConditionTrue, []string{v1alpha1.ReasonSucceeded}
	}
	run.Expect(run.summary.Status).To(Equal(want), "%s: %s", run.summary.Reason, run.summary.Message)
	run.Expect(reasons).To(ContainElement(run.summary.Reason), run.summary.Message)
	if run.course == fails {
		found := slices.Index(progressConditions, run.failedAt())
		run.Expect(found).To(BeNumerically("<=", slices.Index(progressConditions, run.point)), "failed at %s: %s", run.failedAt(), run.summary.Message)
	}
	if run.cancel == nil {
		return
	}
	end := run.waitFinished(run.cancel)
	if run.isCommitted() {
		run.Expect(end.Reason).To(Equal(v1alpha1.ReasonInvalidState), end.Message)
		return
	}
	run.Expect(end.Status).To(Equal(metav1.ConditionTrue), end.Message)
}

// failedAt returns the condition at which the task failed, or "" if it did not fail.
func (run *scenarioRun) failedAt() string {
	if run.task == nil {
		return ""
	}
	for _, milestone := range progressConditions {
		if meta.IsStatusConditionFalse(run.task.Status.Conditions, milestone) {
			return milestone
		}
	}
	return ""
}

// expectedState returns the state that the table requires.
func (run *scenarioRun) expectedState() transitions.State {
	if end := run.scenario.finalState(run.failedAt()); end != transitions.Before {
		return end
	}
	return run.before
}

// checkState checks the state in which the instance stabilizes.
func (run *scenarioRun) checkState() {
	run.waitUntil(func(g Gomega) {
		instance := run.getInstance()
		run.state = transitions.StateOf(instance)
		conditions := ""
		if instance != nil {
			conditions = fmt.Sprint(instance.Status.Conditions)
			g.Expect(instance.Status.CurrentOperation).To(BeNil())
			g.Expect(instance.Status.Version).To(Equal(run.expectedVersion()))
		}
		g.Expect(run.state).To(Equal(run.expectedState()), conditions)
	})
}

// expectedVersion returns the version that is expected to be installed in the end. An applied version
// counts even if it did not become ready.
func (run *scenarioRun) expectedVersion() string {
	done := run.course == succeeds || run.course == killed || run.isCommitted() ||
		run.course == fails && run.onFailure == "" && run.failedAt() == v1alpha1.ConditionHealthy
	after, changes := versions[run.action]
	switch {
	case !done || !changes:
		return run.version
	case after == "none":
		return ""
	}
	return after
}

// getInstance returns the instance, or nil if it does not exist.
func (run *scenarioRun) getInstance() *v1alpha1.AppInstance {
	instance := &v1alpha1.AppInstance{}
	err := k8sClient.Get(run.ctx, client.ObjectKey{Namespace: run.t.Namespace, Name: run.name}, instance)
	run.Expect(client.IgnoreNotFound(err)).To(Succeed())
	if err != nil {
		return nil
	}
	return instance
}

// checkRecords checks that no Helm record is pending, and that no record of a removed instance
// remains.
func (run *scenarioRun) checkRecords() {
	var records corev1.SecretList
	run.Expect(k8sClient.List(run.ctx, &records, client.InNamespace(run.t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	var own []string
	for _, record := range records.Items {
		status := record.Labels["status"]
		run.Expect(status).NotTo(Or(HavePrefix("pending-"), Equal("uninstalling")), record.Name)
		if record.Labels["name"] == run.name {
			own = append(own, record.Name)
		}
	}
	if run.isGone() {
		run.Expect(own).To(BeEmpty())
	}
}

// isGone reports whether no object of the app may exist. A release of the helm command remains if it
// has not been adopted.
func (run *scenarioRun) isGone() bool {
	return run.state == transitions.Uninstalled || run.state == transitions.None && run.action != v1alpha1.ActionAdopt
}

// checkWorkload checks existence, version and number of Pods of the Deployment.
func (run *scenarioRun) checkWorkload() {
	deployment := &appsv1.Deployment{}
	err := k8sClient.Get(run.ctx, client.ObjectKey{Namespace: run.t.Namespace, Name: run.name}, deployment)
	run.Expect(client.IgnoreNotFound(err)).To(Succeed())
	switch {
	case run.isGone():
		run.Expect(err).To(HaveOccurred(), "the Deployment exists")
		return
	case run.version == "" && run.expectedVersion() == "":
		return // What a failed installation leaves is not specified.
	}
	run.Expect(err).NotTo(HaveOccurred())
	run.Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue("version", run.expectedVersion()))
	switch run.state {
	case transitions.Running:
		run.Expect(deployment.Status.ReadyReplicas).To(BeEquivalentTo(1))
	case transitions.Stopped:
		run.Expect(*deployment.Spec.Replicas).To(BeZero())
	}
}

// listPods returns the Pods of the namespace.
func (run *scenarioRun) listPods() []corev1.Pod {
	var pods corev1.PodList
	run.Expect(k8sClient.List(run.ctx, &pods, client.InNamespace(run.t.Namespace))).To(Succeed())
	return pods.Items
}

// checkHooks checks that no hook ran twice. Two operations of one scenario never have hooks of the
// same name, because they differ in action or version.
func (run *scenarioRun) checkHooks() {
	ran := run.env.createdHooks(run.t.Namespace)
	slices.Sort(ran)
	once := slices.Compact(slices.Clone(ran))
	run.Expect(ran).To(Equal(once), "each hook runs once")
}

// checkClaims checks that no volume claim was deleted, and that the status lists the retained
// claims.
func (run *scenarioRun) checkClaims() {
	w := run.env.recorder
	run.Expect(namesInNamespace[*corev1.PersistentVolumeClaim](w, watch.Deleted, run.t.Namespace)).To(BeEmpty(), "no volume claim is deleted")
	if run.state != transitions.Uninstalled {
		return
	}
	kept := []string{}
	for _, claim := range run.getInstance().Status.RetainedObjects {
		kept = append(kept, claim.Name)
	}
	made := slices.DeleteFunc(namesInNamespace[*corev1.PersistentVolumeClaim](w, watch.Added, run.t.Namespace), func(name string) bool {
		return !strings.HasPrefix(name, run.name)
	})
	run.Expect(kept).To(Equal(made), "every volume claim is retained")
}

// checkContract checks the status of every instance and task against the status contract.
func (run *scenarioRun) checkContract() {
	run.waitUntil(func(g Gomega) {
		var all []v1alpha1.Object
		var instances v1alpha1.AppInstanceList
		g.Expect(k8sClient.List(run.ctx, &instances, client.InNamespace(run.t.Namespace))).To(Succeed())
		for i := range instances.Items {
			all = append(all, &instances.Items[i])
		}
		var tasks v1alpha1.AppInstallTaskList
		g.Expect(k8sClient.List(run.ctx, &tasks, client.InNamespace(run.t.Namespace))).To(Succeed())
		for i := range tasks.Items {
			all = append(all, &tasks.Items[i])
		}
		for _, o := range all {
			g.Expect(conformance.Violations(o)).To(BeEmpty(), "%T %s", o, o.GetName())
		}
	})
}
