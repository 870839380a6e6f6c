package appinstalltask

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

func TestNewOwnership(t *testing.T) {
	const hash = "sha256:mine"
	written := taskrecord.Record{Task: "upgrade", UID: "uid", Hash: hash, PreviousRevision: 3}
	reverted := written
	reverted.RevertReason = v1alpha1.ReasonCanceled
	recorded := &v1alpha1.InstanceReference{Name: "web", UID: "instance", Generation: 2}
	for _, c := range []struct {
		why    string
		action v1alpha1.Action
		record *taskrecord.Record
		status v1alpha1.AppInstallTaskStatus
		want   ownership
	}{
		{why: "no task has written the instance", action: v1alpha1.ActionUpgrade},
		{why: "another task has written it", action: v1alpha1.ActionUpgrade, record: &taskrecord.Record{Task: "other", UID: "other", Hash: hash},
			want: ownership{record: taskrecord.Record{Task: "other", UID: "other", Hash: hash}}},
		{why: "another task of the same name has written it", action: v1alpha1.ActionUpgrade, record: &taskrecord.Record{Task: "upgrade", UID: "other", Hash: "sha256:other"},
			want: ownership{record: taskrecord.Record{Task: "upgrade", UID: "other", Hash: "sha256:other"}}},
		{why: "a deleted task of the same name and spec has written it", action: v1alpha1.ActionUpgrade, record: &taskrecord.Record{Task: "upgrade", UID: "other", Hash: hash},
			want: ownership{record: taskrecord.Record{Task: "upgrade", UID: "other", Hash: hash}, isWriter: true, isWriteLost: true}},
		{why: "the status update after the write was lost", action: v1alpha1.ActionUpgrade, record: &written,
			want: ownership{record: written, isWriter: true, isSigned: true, isWriteLost: true}},
		{why: "the spec of the task was edited after the write", action: v1alpha1.ActionUpgrade, record: &taskrecord.Record{Task: "upgrade", UID: "uid", Hash: "sha256:before"},
			want: ownership{record: taskrecord.Record{Task: "upgrade", UID: "uid", Hash: "sha256:before"}, isWriter: true, isSigned: true, isWriteLost: true}},
		{why: "the status update after an uninstallation was written was lost", action: v1alpha1.ActionUninstall, record: &written,
			want: ownership{record: written, isWriter: true, isSigned: true, isWriteLost: true, isPastCancel: true}},
		{why: "the write is recorded", action: v1alpha1.ActionUpgrade, record: &written, status: v1alpha1.AppInstallTaskStatus{InstanceRef: recorded},
			want: ownership{record: written, isWriter: true, isSigned: true, isRecorded: true, hasStarted: true}},
		{why: "the instance of a recorded uninstallation was taken over", action: v1alpha1.ActionUninstall, status: v1alpha1.AppInstallTaskStatus{InstanceRef: recorded},
			want: ownership{isRecorded: true, hasStarted: true, isPastCancel: true}},
		{why: "the task reverts subtasks before it has written", action: v1alpha1.ActionInstall, status: v1alpha1.AppInstallTaskStatus{Reverting: &v1alpha1.Problem{}},
			want: ownership{isReverting: true, hasStarted: true}},
		{why: "a deleted task of the same name and spec has written and reverted it", action: v1alpha1.ActionUpgrade, record: &reverted,
			want: ownership{record: reverted, isWriter: true, isSigned: true}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			task := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Name: "upgrade", UID: "uid"}, Status: c.status}
			task.Spec.Action = c.action
			instance := &v1alpha1.AppInstance{}
			if c.record != nil {
				g.Expect(taskrecord.WriteRecord(instance, *c.record)).To(Succeed())
			}
			g.Expect(newOwnership(task, hash, instance)).To(Equal(c.want))
		})
	}
}

func TestNewOwnershipWithoutRecord(t *testing.T) {
	g := NewWithT(t)
	task := &v1alpha1.AppInstallTask{}
	g.Expect(newOwnership(task, "", nil)).To(BeZero(), "the instance does not exist")
	instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.TaskAnnotation: "install"}}}
	own := newOwnership(task, "", instance)
	g.Expect(own.recordError).To(HaveOccurred(), "the record is invalid")
	own.recordError = nil
	g.Expect(own).To(Equal(ownership{}), "an invalid record is one of no task")
}
