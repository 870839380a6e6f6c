package appinstalltask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// TasksByInstance is the name of the index of AppInstallTasks by the AppInstance
// that they act on.
const TasksByInstance = "spec.instanceName"

func (r *Reconciler) readInstance(ctx context.Context, s *scope) error {
	instance, err := r.instance(ctx, s.task.Namespace, s.task.Instance())
	s.instance = instance
	return err
}

// instance is nil where there is none.
func (r *Reconciler) instance(ctx context.Context, namespace, name string) (*v1alpha1.AppInstance, error) {
	instance := &v1alpha1.AppInstance{}
	err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, instance)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get instance %s: %w", name, err)
	}
	return instance, nil
}

// await holds a task back that is suspended, or has others of its instance before
// it, and ends one that has waited too long.
func (r *Reconciler) await(ctx context.Context, s *scope) error {
	if s.begun() || s.goesOnUnnoted() {
		return nil
	}
	left, err := remaining(s.task)
	if err != nil {
		return r.refuse(ctx, s, err)
	}
	if s.task.Spec.Suspend != nil && *s.task.Spec.Suspend {
		return outcome.Waiting(v1alpha1.ReasonSuspended, left, errors.New("suspended by spec.suspend"))
	}
	before, err := r.before(ctx, s)
	if err != nil {
		return err
	}
	s.task.Status.QueuePosition = int32(len(before))
	if len(before) > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, left, errors.New(s.turn(before)))
	}
	return nil
}

// begun reports whether the task has written its instance, or takes that back.
func (s *scope) begun() bool { return s.task.Status.InstanceRef != nil || s.task.Status.Undoing != nil }

// turn says what a task waits for, and which of those before it wants the contrary.
func (s *scope) turn(before []v1alpha1.AppInstallTask) string {
	next := before[0]
	said := fmt.Sprintf("waiting for task %s (%s) of the same instance", next.Name, next.Spec.Action)
	for _, other := range before {
		if contrary(other.Spec.Action, s.task.Spec.Action) {
			return said + fmt.Sprintf("; task %s (%s) and this one (%s) undo each other: cancel one of them",
				other.Name, other.Spec.Action, s.task.Spec.Action)
		}
	}
	return said
}

// contrary reports whether one action undoes the other.
func contrary(a, b v1alpha1.Action) bool {
	makes := []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionResume}
	ends := []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop}
	return slices.Contains(makes, a) && slices.Contains(ends, b) || slices.Contains(ends, a) && slices.Contains(makes, b)
}

// remaining is the time to the deadline of a task, zero if it has none.
func remaining(task *v1alpha1.AppInstallTask) (time.Duration, error) {
	deadline := task.Spec.Deadline.Or(0)
	if deadline == 0 {
		return 0, nil
	}
	left := time.Until(task.CreationTimestamp.Add(deadline))
	if left > 0 {
		return left, nil
	}
	why := "its spec.deadline"
	for _, c := range task.Status.Conditions {
		if c.Type == v1alpha1.ConditionReconciling {
			why = c.Message
		}
	}
	return 0, outcome.Stalled(v1alpha1.ReasonDeadlineExceeded, fmt.Errorf("not admitted within %s: %s", task.Spec.Deadline, why))
}

// siblings are the unfinished tasks of the same instance, the next to run first: the
// one that has written the instance, and then by age, by name where they are of the
// same second. Those that cancel others are not among them.
func (r *Reconciler) siblings(ctx context.Context, s *scope) ([]v1alpha1.AppInstallTask, error) {
	var list v1alpha1.AppInstallTaskList
	err := r.List(ctx, &list, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByInstance: s.task.Instance()})
	if err != nil {
		return nil, fmt.Errorf("list tasks of instance %s: %w", s.task.Instance(), err)
	}
	waiting := slices.DeleteFunc(list.Items, func(t v1alpha1.AppInstallTask) bool {
		return t.Spec.Action == v1alpha1.ActionCancel || t.Finished() || !t.DeletionTimestamp.IsZero()
	})
	writer := s.writer()
	slices.SortFunc(waiting, func(a, b v1alpha1.AppInstallTask) int {
		switch {
		case a.Name == b.Name:
			return 0
		case a.Name == writer || b.Name != writer && older(&a, &b):
			return -1
		}
		return 1
	})
	return waiting, nil
}

// before are the tasks that come before this one. Writing the instance is what
// claims it; that two tasks do it at once is prevented by its resource version.
func (r *Reconciler) before(ctx context.Context, s *scope) ([]v1alpha1.AppInstallTask, error) {
	if s.writer() == s.task.Name {
		return nil, nil
	}
	waiting, err := r.siblings(ctx, s)
	at := slices.IndexFunc(waiting, func(t v1alpha1.AppInstallTask) bool { return t.UID == s.task.UID })
	if err != nil || at < 0 {
		return nil, err
	}
	return waiting[:at], nil
}

// writer is the task that has written the instance.
func (s *scope) writer() string {
	if s.instance == nil {
		return ""
	}
	return s.instance.Annotations[v1alpha1.TaskAnnotation]
}

func older(a, b *v1alpha1.AppInstallTask) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// ended notes the end of a task.
func ended(task *v1alpha1.AppInstallTask, err error) error {
	if err == nil || outcome.IsStalled(err) {
		now := metav1.Now()
		task.Status.CompletionTime = &now
		task.Status.QueuePosition = 0
	}
	return err
}
