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
	instance, err := r.getInstance(ctx, s.task.Namespace, s.task.Instance())
	s.instance = instance
	return err
}

// getInstance returns the instance from the cache, or nil if it does not exist.
func (r *Reconciler) getInstance(ctx context.Context, namespace, name string) (*v1alpha1.AppInstance, error) {
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

// waitInQueue makes a task wait while it is suspended or other tasks of its instance precede it.
// It ends a task that has exceeded its deadline or a limit of the queue.
func (r *Reconciler) waitInQueue(ctx context.Context, s *scope) error {
	if s.hasStarted() || s.isUnrecordedOwner() {
		return nil
	}
	left, err := timeUntilDeadline(s.task)
	if err != nil {
		return r.rejectAdmission(ctx, s, err)
	}
	if err := r.checkValueBytes(ctx, s); err != nil {
		return r.rejectAdmission(ctx, s, err)
	}
	before, err := r.tasksAhead(ctx, s)
	if err != nil {
		return err
	}
	if r.MaxTasks > 0 && len(before) >= r.MaxTasks {
		return r.rejectAdmission(ctx, s, outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"instance %q has %d unfinished tasks before this one, and may have %d: wait for them or delete some, and create the task again",
			s.task.Instance(), len(before), r.MaxTasks)))
	}
	if s.task.Spec.Suspend != nil && *s.task.Spec.Suspend {
		return r.withBlockedMessage(ctx, s, outcome.Waiting(v1alpha1.ReasonSuspended, left, errors.New("suspended by spec.suspend")))
	}
	s.task.Status.QueuePosition = int32(len(before))
	if len(before) > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, left, errors.New(s.queueMessage(before)))
	}
	return nil
}

// hasStarted reports whether the task has written its instance or is being reverted.
func (s *scope) hasStarted() bool {
	return s.task.Status.InstanceRef != nil || s.task.Status.Reverting != nil
}

// queueMessage returns the message of a task in the queue: the next task in the queue, the reason
// why that one waits, and the first task that conflicts with this one.
func (s *scope) queueMessage(before []v1alpha1.AppInstallTask) string {
	next := &before[0]
	said := fmt.Sprintf("waiting for task %q (%s) of the same instance", next.Name, next.Spec.Action)
	if why := idleMessage(next); why != "" {
		said += fmt.Sprintf(", which has not begun and %s: %s", maxWaitMessage(next), why)
	}
	for _, other := range before {
		if isOppositeAction(other.Spec.Action, s.task.Spec.Action) {
			return said + fmt.Sprintf("; task %q (%s) and this one (%s) undo each other: cancel one of them",
				other.Name, other.Spec.Action, s.task.Spec.Action)
		}
	}
	return said
}

// idleMessage returns the message of a task that has not started and waits for something
// other than its turn in the queue, otherwise "".
func idleMessage(task *v1alpha1.AppInstallTask) string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	if c == nil || task.Status.InstanceRef != nil || task.Status.Reverting != nil {
		return ""
	}
	switch c.Reason {
	case v1alpha1.ReasonWaitingForTurn, v1alpha1.ReasonProgressing, v1alpha1.ReasonProgressingWithRetry:
		return ""
	}
	return text.Limit(strings.TrimSuffix(c.Message, blocksOthers), 300)
}

// maxWaitMessage returns a phrase about how long a task may wait before it starts.
func maxWaitMessage(task *v1alpha1.AppInstallTask) string {
	if task.Spec.StartDeadline == "" {
		return "may wait without end, since it has no spec.startDeadline"
	}
	return fmt.Sprintf("may wait for %s from its creation", task.Spec.StartDeadline)
}

// blocksOthers ends the message of a waiting task that blocks other tasks of its instance.
const blocksOthers = "; other tasks of this instance wait for this one"

// withBlockedMessage appends blocksOthers to the message of a waiting error if other tasks wait
// for this one.
func (r *Reconciler) withBlockedMessage(ctx context.Context, s *scope, err error) error {
	after, waits := outcome.IsWaiting(err)
	if !waits {
		return err
	}
	line, listErr := r.queuedTasks(ctx, s)
	if listErr != nil {
		return listErr
	}
	compare := compareQueueOrder(s.ownerTask())
	if !slices.ContainsFunc(line, func(t v1alpha1.AppInstallTask) bool { return compare(*s.task, t) < 0 }) {
		return err
	}
	message := text.Limit(err.Error(), maxMessage-len(blocksOthers)) + blocksOthers
	return outcome.Waiting(outcome.Reason(err, v1alpha1.ReasonProgressing), after, errors.New(message))
}

// isOppositeAction reports whether one action undoes the other.
func isOppositeAction(a, b v1alpha1.Action) bool {
	makes := []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionResume}
	ends := []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop}
	return slices.Contains(makes, a) && slices.Contains(ends, b) || slices.Contains(ends, a) && slices.Contains(makes, b)
}

// timeUntilDeadline returns the time until the deadline of a task, 0 if it has none, and a terminal
// error if the deadline has passed.
func timeUntilDeadline(task *v1alpha1.AppInstallTask) (time.Duration, error) {
	deadline := task.Spec.StartDeadline.Or(0)
	if deadline == 0 {
		return 0, nil
	}
	left := time.Until(task.CreationTimestamp.Add(deadline))
	if left > 0 {
		return left, nil
	}
	said := fmt.Sprintf("not admitted within %s", task.Spec.StartDeadline)
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling); c != nil {
		said += ": " + strings.TrimSuffix(c.Message, blocksOthers)
	} else {
		said += ", the spec.startDeadline of the task: set a later one"
	}
	return 0, outcome.Stalled(v1alpha1.ReasonDeadlineExceeded, errors.New(said))
}

// queuedTasks returns the unfinished tasks of the instance that wait in its queue, unsorted. It
// omits tasks with the action Cancel.
func (r *Reconciler) queuedTasks(ctx context.Context, s *scope) ([]v1alpha1.AppInstallTask, error) {
	tasks, err := r.listUnfinishedTasks(ctx, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByInstance: s.task.Instance()})
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", s.task.Instance(), err)
	}
	return slices.DeleteFunc(tasks, func(t v1alpha1.AppInstallTask) bool { return !isQueued(&t) }), nil
}

func isQueued(task *v1alpha1.AppInstallTask) bool {
	return task.Spec.Action != v1alpha1.ActionCancel && !task.Finished() && task.DeletionTimestamp.IsZero()
}

// compareQueueOrder orders the tasks of an instance: first the task that wrote the instance,
// then by creation time and name.
func compareQueueOrder(writer string) func(a, b v1alpha1.AppInstallTask) int {
	return func(a, b v1alpha1.AppInstallTask) int {
		switch {
		case a.Name == b.Name:
			return 0
		case a.Name == writer || b.Name != writer && isOlder(&a, &b):
			return -1
		}
		return 1
	}
}

// firstInQueue returns the n oldest tasks in the queue.
func firstInQueue(tasks []v1alpha1.AppInstallTask, n int) []v1alpha1.AppInstallTask {
	line := slices.DeleteFunc(slices.Clone(tasks), func(t v1alpha1.AppInstallTask) bool { return !isQueued(&t) })
	slices.SortFunc(line, compareQueueOrder(""))
	return line[:min(len(line), n)]
}

// tasksAhead returns the tasks that precede this one, in order. A task claims the instance by
// writing it, and the resource version prevents concurrent claims.
func (r *Reconciler) tasksAhead(ctx context.Context, s *scope) ([]v1alpha1.AppInstallTask, error) {
	if s.ownerTask() == s.task.Name {
		return nil, nil
	}
	tasks, err := r.queuedTasks(ctx, s)
	if err != nil {
		return nil, err
	}
	compare, overtakes := compareQueueOrder(s.ownerTask()), s.hasPrecedence()
	before := slices.DeleteFunc(tasks, func(t v1alpha1.AppInstallTask) bool {
		return compare(t, *s.task) >= 0 || overtakes && !transitions.Outcomes[t.Spec.Action].Committed
	})
	slices.SortFunc(before, compare)
	return before, nil
}

// hasPrecedence reports whether the task precedes older tasks. An Uninstall of an installed
// instance interrupts their operations, except for operations that cannot be canceled.
func (s *scope) hasPrecedence() bool {
	return s.task.Spec.Action == v1alpha1.ActionUninstall && transitions.Admit(s.task.Spec.Action, s.task.Instance(), s.instance) == nil
}

// ownerTask returns the name of the task that last wrote the instance, or "" if there is none.
func (s *scope) ownerTask() string {
	if s.instance == nil {
		return ""
	}
	return s.instance.Annotations[v1alpha1.TaskAnnotation]
}

func isOlder(a, b *v1alpha1.AppInstallTask) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// recordCompletion records the completion of a task whose error is nil or terminal.
func recordCompletion(task *v1alpha1.AppInstallTask, err error) error {
	if err == nil || outcome.IsStalled(err) {
		now := metav1.Now()
		task.Status.CompletionTime = &now
		task.Status.QueuePosition = 0
	}
	return err
}
