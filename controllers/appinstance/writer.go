package appinstance

import (
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// noteWriter notes in status which task has written the spec, and the generation that it
// wrote, when the request of the task is seen for the first time.
func (s *scope) noteWriter() {
	marks := s.instance.Annotations
	task := text.Limit(marks[v1alpha1.TaskAnnotation], 253)
	if task == "" || !s.asked() {
		return
	}
	writer := v1alpha1.SpecWriter{
		Task: task, UID: text.Limit(marks[v1alpha1.TaskUIDAnnotation], 128),
		Undone: marks[v1alpha1.TaskUndoneAnnotation] != "", Generation: s.instance.Generation,
	}
	if noted := s.instance.Status.Writer; noted == nil || noted.Task != writer.Task || noted.UID != writer.UID || noted.Undone != writer.Undone {
		s.instance.Status.Writer = &writer
	}
}

// requester names the task that requests what the spec asks for. It is empty if the spec
// was edited since a task wrote it.
func (s *scope) requester() string {
	task := text.Limit(s.instance.Annotations[v1alpha1.TaskAnnotation], 253)
	if noted := s.instance.Status.Writer; noted != nil && (noted.Task != task || noted.Generation != s.instance.Generation) {
		return ""
	}
	return task
}

// requestingTask names the task that requests an operation. It is empty if another client
// has requested a reconcile since the task did.
func (s *scope) requestingTask() string {
	marks := s.instance.Annotations
	request, uid := marks[v1alpha1.ReconcileRequestAnnotation], marks[v1alpha1.TaskUIDAnnotation]
	if uid != "" && request != "" && !strings.HasPrefix(request, uid) {
		return ""
	}
	return s.requester()
}
