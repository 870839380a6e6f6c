package appinstance

import (
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

// recordRequester records in status which task wrote the spec and the generation that it wrote,
// when it first sees the request of the task.
func recordRequester(instance *v1alpha1.AppInstance) {
	record := readTaskRecord(instance)
	if record.Task == "" || !isReconcileRequested(instance) {
		return
	}
	writer := v1alpha1.SpecWriter{
		Task: record.Task, UID: record.UID, Reverted: record.IsReverted(), Generation: instance.Generation,
	}
	if noted := instance.Status.Writer; noted == nil || noted.Task != writer.Task || noted.UID != writer.UID || noted.Reverted != writer.Reverted {
		instance.Status.Writer = &writer
	}
}

// readTaskRecord returns the record of the task that last wrote the spec. If a user has made the
// record invalid, the spec counts as one that no task has written, since its author is
// unknown.
func readTaskRecord(instance *v1alpha1.AppInstance) taskrecord.Record {
	record, err := taskrecord.ReadRecord(instance)
	if err != nil {
		return taskrecord.Record{}
	}
	return record
}

// currentSpecTask returns the record of the task that wrote the current spec. It is zero if the
// spec was edited since.
func currentSpecTask(instance *v1alpha1.AppInstance) taskrecord.Record {
	record := readTaskRecord(instance)
	if noted := instance.Status.Writer; noted != nil && (noted.Task != record.Task || noted.Generation != instance.Generation) {
		return taskrecord.Record{}
	}
	return record
}

// requestingTask returns the record of the task that requests an operation. It is zero if another
// client has requested a reconcile since, or if the record has no UID. A user can forge the record.
func requestingTask(instance *v1alpha1.AppInstance) taskrecord.Record {
	request, record := instance.Annotations[v1alpha1.ReconcileRequestAnnotation], currentSpecTask(instance)
	if record.UID == "" || request != "" && !strings.HasPrefix(request, record.UID) {
		return taskrecord.Record{}
	}
	return record
}
