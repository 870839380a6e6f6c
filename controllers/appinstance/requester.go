package appinstance

import (
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// recordRequester records in status which task wrote the spec and the generation that it wrote,
// when it first sees the request of the task.
func (s *scope) recordRequester() {
	marks := s.instance.Annotations
	task := text.Limit(marks[v1alpha1.TaskAnnotation], 253)
	if task == "" || !s.isReconcileRequested() {
		return
	}
	writer := v1alpha1.SpecWriter{
		Task: task, UID: text.Limit(marks[v1alpha1.TaskUIDAnnotation], 128),
		Reverted: marks[v1alpha1.TaskUndoneAnnotation] != "", Generation: s.instance.Generation,
	}
	if noted := s.instance.Status.Writer; noted == nil || noted.Task != writer.Task || noted.UID != writer.UID || noted.Reverted != writer.Reverted {
		s.instance.Status.Writer = &writer
	}
}

// currentSpecTask returns the name of the task that wrote the current spec, or "" if the spec was
// edited since.
func (s *scope) currentSpecTask() string {
	task := text.Limit(s.instance.Annotations[v1alpha1.TaskAnnotation], 253)
	if noted := s.instance.Status.Writer; noted != nil && (noted.Task != task || noted.Generation != s.instance.Generation) {
		return ""
	}
	return task
}

// requestingTask returns the name of the task that requests an operation, or "" if another
// client has requested a reconcile since.
func (s *scope) requestingTask() string {
	marks := s.instance.Annotations
	request, uid := marks[v1alpha1.ReconcileRequestAnnotation], marks[v1alpha1.TaskUIDAnnotation]
	if uid != "" && request != "" && !strings.HasPrefix(request, uid) {
		return ""
	}
	return s.currentSpecTask()
}
