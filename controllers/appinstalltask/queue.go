package appinstalltask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

func (r *Reconciler) readInstance(ctx context.Context, s *scope) error {
	instance, err := r.instance(ctx, s.task.Namespace, s.task.Instance())
	s.instance = instance
	return err
}

// instance returns the instance from the cache, or nil if it does not exist.
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

// await makes a task wait while it is suspended or other tasks of its instance precede it.
// It ends a task that has exceeded its deadline or a limit of the queue.
func (r *Reconciler) await(ctx context.Context, s *scope) error {
	if s.begun() || s.goesOnUnnoted() {
		return nil
	}
	left, err := remaining(s.task)
	if err != nil {
		return r.refuse(ctx, s, err)
	}
	if err := r.checkValueBytes(ctx, s); err != nil {
		return r.refuse(ctx, s, err)
	}
	before, err := r.before(ctx, s)
	if err != nil {
		return err
	}
	if r.MaxTasks > 0 && len(before) >= r.MaxTasks {
		return r.refuse(ctx, s, outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"instance %q has %d unfinished tasks before this one, and may have %d: wait for them or delete some, and create the task again",
			s.task.Instance(), len(before), r.MaxTasks)))
	}
	if s.task.Spec.Suspend != nil && *s.task.Spec.Suspend {
		return r.tellBlocked(ctx, s, outcome.Waiting(v1alpha1.ReasonSuspended, left, errors.New("suspended by spec.suspend")))
	}
	s.task.Status.QueuePosition = int32(len(before))
	if len(before) > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, left, errors.New(s.turn(before)))
	}
	return nil
}

// begun reports whether the task has written its instance or is being reverted.
func (s *scope) begun() bool { return s.task.Status.InstanceRef != nil || s.task.Status.Undoing != nil }

// turn returns the message of a task in the queue: the next task in the queue, the reason
// why that one waits, and the first task that conflicts with this one.
func (s *scope) turn(before []v1alpha1.AppInstallTask) string {
	next := &before[0]
	said := fmt.Sprintf("waiting for task %q (%s) of the same instance", next.Name, next.Spec.Action)
	if why := idleReason(next); why != "" {
		said += fmt.Sprintf(", which has not begun and %s: %s", until(next), why)
	}
	for _, other := range before {
		if contrary(other.Spec.Action, s.task.Spec.Action) {
			return said + fmt.Sprintf("; task %q (%s) and this one (%s) undo each other: cancel one of them",
				other.Name, other.Spec.Action, s.task.Spec.Action)
		}
	}
	return said
}

// idleReason returns the message of a task that has not started and waits for something
// other than its turn in the queue, otherwise "".
func idleReason(task *v1alpha1.AppInstallTask) string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	if c == nil || task.Status.InstanceRef != nil || task.Status.Undoing != nil {
		return ""
	}
	switch c.Reason {
	case v1alpha1.ReasonWaitingForTurn, v1alpha1.ReasonProgressing, v1alpha1.ReasonProgressingWithRetry:
		return ""
	}
	return text.Limit(strings.TrimSuffix(c.Message, blocksOthers), 300)
}

// until returns a phrase about how long a task may wait before it starts.
func until(task *v1alpha1.AppInstallTask) string {
	if task.Spec.Deadline == "" {
		return "may wait without end, since it has no spec.deadline"
	}
	return fmt.Sprintf("may wait for %s from its creation", task.Spec.Deadline)
}

// blocksOthers ends the message of a waiting task that blocks other tasks of its instance.
const blocksOthers = "; other tasks of this instance wait for this one"

// tellBlocked appends blocksOthers to the message of a waiting error if other tasks wait
// for this one.
func (r *Reconciler) tellBlocked(ctx context.Context, s *scope, err error) error {
	after, waits := outcome.IsWaiting(err)
	if !waits {
		return err
	}
	line, listErr := r.line(ctx, s)
	if listErr != nil {
		return listErr
	}
	compare := compareTurns(s.writer())
	if !slices.ContainsFunc(line, func(t v1alpha1.AppInstallTask) bool { return compare(*s.task, t) < 0 }) {
		return err
	}
	message := text.Limit(err.Error(), maxMessage-len(blocksOthers)) + blocksOthers
	return outcome.Waiting(outcome.Reason(err, v1alpha1.ReasonProgressing), after, errors.New(message))
}

// contrary reports whether one action undoes the other.
func contrary(a, b v1alpha1.Action) bool {
	makes := []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionResume}
	ends := []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop}
	return slices.Contains(makes, a) && slices.Contains(ends, b) || slices.Contains(ends, a) && slices.Contains(makes, b)
}

// remaining returns the time until the deadline of a task, 0 if it has none, and a terminal
// error if the deadline has passed.
func remaining(task *v1alpha1.AppInstallTask) (time.Duration, error) {
	deadline := task.Spec.Deadline.Or(0)
	if deadline == 0 {
		return 0, nil
	}
	left := time.Until(task.CreationTimestamp.Add(deadline))
	if left > 0 {
		return left, nil
	}
	said := fmt.Sprintf("not admitted within %s", task.Spec.Deadline)
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling); c != nil {
		said += ": " + strings.TrimSuffix(c.Message, blocksOthers)
	} else {
		said += ", the spec.deadline of the task: set a later one"
	}
	return 0, outcome.Stalled(v1alpha1.ReasonDeadlineExceeded, errors.New(said))
}

// line returns the unfinished tasks of the instance that wait in its queue, unsorted. It
// omits tasks with the action Cancel.
func (r *Reconciler) line(ctx context.Context, s *scope) ([]v1alpha1.AppInstallTask, error) {
	tasks, err := r.unfinished(ctx, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByInstance: s.task.Instance()})
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", s.task.Instance(), err)
	}
	return slices.DeleteFunc(tasks, func(t v1alpha1.AppInstallTask) bool { return !takesTurns(&t) }), nil
}

func takesTurns(task *v1alpha1.AppInstallTask) bool {
	return task.Spec.Action != v1alpha1.ActionCancel && !task.Finished() && task.DeletionTimestamp.IsZero()
}

// compareTurns orders the tasks of an instance: first the task that wrote the instance,
// then by creation time and name.
func compareTurns(writer string) func(a, b v1alpha1.AppInstallTask) int {
	return func(a, b v1alpha1.AppInstallTask) int {
		switch {
		case a.Name == b.Name:
			return 0
		case a.Name == writer || b.Name != writer && older(&a, &b):
			return -1
		}
		return 1
	}
}

// firstInLine returns the n oldest tasks in the queue.
func firstInLine(tasks []v1alpha1.AppInstallTask, n int) []v1alpha1.AppInstallTask {
	line := slices.DeleteFunc(slices.Clone(tasks), func(t v1alpha1.AppInstallTask) bool { return !takesTurns(&t) })
	slices.SortFunc(line, compareTurns(""))
	return line[:min(len(line), n)]
}

// before returns the tasks that precede this one, in order. A task claims the instance by
// writing it, and the resource version prevents concurrent claims.
func (r *Reconciler) before(ctx context.Context, s *scope) ([]v1alpha1.AppInstallTask, error) {
	if s.writer() == s.task.Name {
		return nil, nil
	}
	tasks, err := r.line(ctx, s)
	if err != nil {
		return nil, err
	}
	compare, overtakes := compareTurns(s.writer()), s.overtakes()
	before := slices.DeleteFunc(tasks, func(t v1alpha1.AppInstallTask) bool {
		return compare(t, *s.task) >= 0 || overtakes && !transitions.Outcomes[t.Spec.Action].Committed
	})
	slices.SortFunc(before, compare)
	return before, nil
}

// overtakes reports whether the task precedes older tasks. An Uninstall of an installed
// instance interrupts their operations, except for operations that cannot be canceled.
func (s *scope) overtakes() bool {
	return s.task.Spec.Action == v1alpha1.ActionUninstall && transitions.Admit(s.task.Spec.Action, s.task.Instance(), s.instance) == nil
}

// writer returns the name of the task that last wrote the instance, or "" if there is none.
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

// ended records the completion of a task whose error is nil or terminal.
func ended(task *v1alpha1.AppInstallTask, err error) error {
	if err == nil || outcome.IsStalled(err) {
		now := metav1.Now()
		task.Status.CompletionTime = &now
		task.Status.QueuePosition = 0
	}
	return err
}
