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

// check compares the result of the act with the table of transitions.
func (a *act) check() {
	a.checkTask()
	a.checkState()
	a.checkRecords()
	a.checkWorkload()
	a.checkHooks()
	a.checkClaims()
	a.checkContract()
}

// checkTask checks how the task, and the task that canceled it, ended.
func (a *act) checkTask() {
	want, reasons := metav1.ConditionFalse, a.reasons
	switch {
	case a.how == cancelled && !a.committed():
		reasons = []string{v1alpha1.ReasonCanceled}
	case a.how != fails:
		want, reasons = metav1.ConditionTrue, []string{v1alpha1.ReasonSucceeded}
	}
	a.Expect(a.root.Status).To(Equal(want), "%s: %s", a.root.Reason, a.root.Message)
	a.Expect(reasons).To(ContainElement(a.root.Reason), a.root.Message)
	if a.how == fails {
		found := slices.Index(milestones, a.failedAt())
		a.Expect(found).To(BeNumerically("<=", slices.Index(milestones, a.at)), "failed at %s: %s", a.failedAt(), a.root.Message)
	}
	if a.cancel == nil {
		return
	}
	said := a.finished(a.cancel)
	if a.committed() {
		a.Expect(said.Reason).To(Equal(v1alpha1.ReasonInvalidState), said.Message)
		return
	}
	a.Expect(said.Status).To(Equal(metav1.ConditionTrue), said.Message)
}

// failedAt returns the condition at which the task failed, or "" if it did not fail.
func (a *act) failedAt() string {
	if a.task == nil {
		return ""
	}
	for _, milestone := range milestones {
		if meta.IsStatusConditionFalse(a.task.Status.Conditions, milestone) {
			return milestone
		}
	}
	return ""
}

// wanted returns the state that the table requires.
func (a *act) wanted() transitions.State {
	if end := a.tale.end(a.failedAt()); end != transitions.Before {
		return end
	}
	return a.before
}

// checkState checks the state in which the instance stabilizes.
func (a *act) checkState() {
	a.eventually(func(g Gomega) {
		instance := a.instance()
		a.state = transitions.StateOf(instance)
		said := ""
		if instance != nil {
			said = fmt.Sprint(instance.Status.Conditions)
			g.Expect(instance.Status.CurrentOperation).To(BeNil())
			g.Expect(instance.Status.Version).To(Equal(a.wantedVersion()))
		}
		g.Expect(a.state).To(Equal(a.wanted()), said)
	})
}

// wantedVersion returns the version that is expected to be installed in the end. An applied version
// counts even if it did not become ready.
func (a *act) wantedVersion() string {
	done := a.how == succeeds || a.how == killed || a.committed() ||
		a.how == fails && a.onFailure == "" && a.failedAt() == v1alpha1.ConditionHealthy
	after, changes := versions[a.action]
	switch {
	case !done || !changes:
		return a.version
	case after == "none":
		return ""
	}
	return after
}

// instance returns the instance, or nil if it does not exist.
func (a *act) instance() *v1alpha1.AppInstance {
	instance := &v1alpha1.AppInstance{}
	err := cluster.Get(a.ctx, client.ObjectKey{Namespace: a.t.Namespace, Name: a.name}, instance)
	a.Expect(client.IgnoreNotFound(err)).To(Succeed())
	if err != nil {
		return nil
	}
	return instance
}

// checkRecords checks that no Helm record is pending, and that no record of a removed instance
// remains.
func (a *act) checkRecords() {
	var records corev1.SecretList
	a.Expect(cluster.List(a.ctx, &records, client.InNamespace(a.t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	var own []string
	for _, record := range records.Items {
		status := record.Labels["status"]
		a.Expect(status).NotTo(Or(HavePrefix("pending-"), Equal("uninstalling")), record.Name)
		if record.Labels["name"] == a.name {
			own = append(own, record.Name)
		}
	}
	if a.gone() {
		a.Expect(own).To(BeEmpty())
	}
}

// gone reports whether no object of the app may exist. A release of the helm command remains if it
// has not been adopted.
func (a *act) gone() bool {
	return a.state == transitions.Uninstalled || a.state == transitions.None && a.action != v1alpha1.ActionAdopt
}

// checkWorkload checks existence, version and number of Pods of the Deployment.
func (a *act) checkWorkload() {
	d := &appsv1.Deployment{}
	err := cluster.Get(a.ctx, client.ObjectKey{Namespace: a.t.Namespace, Name: a.name}, d)
	a.Expect(client.IgnoreNotFound(err)).To(Succeed())
	switch {
	case a.gone():
		a.Expect(err).To(HaveOccurred(), "the Deployment is there")
		return
	case a.version == "" && a.wantedVersion() == "":
		return // What a failed installation leaves is not specified.
	}
	a.Expect(err).NotTo(HaveOccurred())
	a.Expect(d.Spec.Template.Labels).To(HaveKeyWithValue("version", a.wantedVersion()))
	switch a.state {
	case transitions.Running:
		a.Expect(d.Status.ReadyReplicas).To(BeEquivalentTo(1))
	case transitions.Stopped:
		a.Expect(*d.Spec.Replicas).To(BeZero())
	}
}

// pods returns the Pods of the namespace.
func (a *act) pods() []corev1.Pod {
	var pods corev1.PodList
	a.Expect(cluster.List(a.ctx, &pods, client.InNamespace(a.t.Namespace))).To(Succeed())
	return pods.Items
}

// checkHooks checks that no hook ran twice. Two operations of one test case never have hooks of the
// same name, because they differ in action or version.
func (a *act) checkHooks() {
	ran := a.on.hooks(a.t.Namespace)
	slices.Sort(ran)
	once := slices.Compact(slices.Clone(ran))
	a.Expect(ran).To(Equal(once), "hooks that were run")
}

// checkClaims checks that no volume claim was deleted, and that the status lists the retained
// claims.
func (a *act) checkClaims() {
	w := a.on.witness
	a.Expect(in[*corev1.PersistentVolumeClaim](w, watch.Deleted, a.t.Namespace)).To(BeEmpty(), "volume claims that were deleted")
	if a.state != transitions.Uninstalled {
		return
	}
	kept := []string{}
	for _, claim := range a.instance().Status.RetainedObjects {
		kept = append(kept, claim.Name)
	}
	made := slices.DeleteFunc(in[*corev1.PersistentVolumeClaim](w, watch.Added, a.t.Namespace), func(name string) bool {
		return !strings.HasPrefix(name, a.name)
	})
	a.Expect(kept).To(Equal(made), "volume claims that are kept")
}

// checkContract checks the status of every instance and task against the status contract.
func (a *act) checkContract() {
	a.eventually(func(g Gomega) {
		var all []v1alpha1.Object
		var instances v1alpha1.AppInstanceList
		g.Expect(cluster.List(a.ctx, &instances, client.InNamespace(a.t.Namespace))).To(Succeed())
		for i := range instances.Items {
			all = append(all, &instances.Items[i])
		}
		var tasks v1alpha1.AppInstallTaskList
		g.Expect(cluster.List(a.ctx, &tasks, client.InNamespace(a.t.Namespace))).To(Succeed())
		for i := range tasks.Items {
			all = append(all, &tasks.Items[i])
		}
		for _, o := range all {
			g.Expect(conformance.Violations(o)).To(BeEmpty(), "%T %s", o, o.GetName())
		}
	})
}
