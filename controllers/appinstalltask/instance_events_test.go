package appinstalltask

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

func TestOnlyProgressOfWhatATaskHasWrittenMayBeShownLater(t *testing.T) {
	yes := true
	writtenBy := func(instance *v1alpha1.AppInstance, uid string) {
		NewWithT(t).Expect(taskrecord.WriteRecord(instance, taskrecord.Record{Task: "task", UID: uid})).To(Succeed())
	}
	for _, c := range []struct {
		why    string
		change func(*v1alpha1.AppInstallTask, *v1alpha1.AppInstance)
		want   bool
	}{
		{why: "the instance is busy", want: true, change: func(*v1alpha1.AppInstallTask, *v1alpha1.AppInstance) {}},
		{why: "the task is about to note what it wrote", want: true, change: func(task *v1alpha1.AppInstallTask, _ *v1alpha1.AppInstance) {
			task.Status.InstanceRef = nil
		}},
		{why: "another task has written the instance", change: func(task *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) {
			task.Status.InstanceRef = nil
			writtenBy(instance, "other")
		}},
		{why: "the instance has dealt with it", change: func(_ *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) {
			instance.Status.ObservedGeneration, instance.Status.LastHandledReconcileAt = 2, "task"
		}},
		{why: "it has dealt with the spec, and not with the request", want: true, change: func(_ *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) {
			instance.Status.ObservedGeneration = 2
		}},
		{why: "the spec was changed since", change: func(_ *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) { instance.Generation = 3 }},
		{why: "the instance is being deleted", change: func(_ *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) {
			now := metav1.Now()
			instance.DeletionTimestamp = &now
		}},
		{why: "another instance has the name", change: func(_ *v1alpha1.AppInstallTask, instance *v1alpha1.AppInstance) { instance.UID = "other" }},
		{why: "the task is canceled", change: func(task *v1alpha1.AppInstallTask, _ *v1alpha1.AppInstance) { task.Spec.Cancel = &yes }},
		{why: "the task takes it back", change: func(task *v1alpha1.AppInstallTask, _ *v1alpha1.AppInstance) {
			task.Status.Reverting = &v1alpha1.Problem{}
		}},
	} {
		task := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{UID: "task"}}
		task.Status.InstanceRef = &v1alpha1.InstanceReference{UID: "instance", Generation: 2}
		instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{
			UID: "instance", Generation: 2,
			Annotations: map[string]string{v1alpha1.ReconcileRequestAnnotation: "task"},
		}}
		writtenBy(instance, "task")
		c.change(task, instance)
		NewWithT(t).Expect(isOnlyProgress(task, instance)).To(Equal(c.want), c.why)
	}
}
