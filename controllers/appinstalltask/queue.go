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

func (r *Reconciler) readInstance(ctx context.Context, s *scope) (err error) {
	if s.hash, err = transitions.HashSpec(s.task); err != nil {
		return err
	}
	instance, err := getInstance(ctx, r, s.task.Namespace, s.task.Instance())
	s.setInstance(instance)
	return err
}

// getInstance returns the instance from the cache, or nil if it does not exist.
func getInstance(ctx context.Context, reader client.Reader, namespace, name string) (*v1alpha1.AppInstance, error) {
	instance := &v1alpha1.AppInstance{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, instance)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get instance %q: %w", name, err)
	}
	return instance, nil
}

// waitInQueue makes a task wait while it or its instance is suspended, or other tasks of its instance
// precede it. It ends a task that has exceeded its deadline or a limit of the queue.
func (r *Reconciler) waitInQueue(ctx context.Context, s *scope) error {
	if s.ownership.hasStarted || s.ownership.isWriteLost {
		return nil
	}
	left, err := timeUntilDeadline(s.task)
	if err != nil {
		return rejectAdmission(ctx, r, s, err)
	}
	if err := r.limitValueBytes(ctx, s); err != nil {
		return err
	}
	before, err := tasksAhead(ctx, r, s)
	if err != nil {
		return err
	}
	if r.MaxTasks > 0 && len(before) >= r.MaxTasks {
		return rejectAdmission(ctx, r, s, outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"exceeded limit of %d unfinished tasks of instance %q; wait for earlier tasks or delete some of them, and create the task again",
			r.MaxTasks, s.task.Instance())))
	}
	if s.task.Spec.Suspend != nil && *s.task.Spec.Suspend {
		return withBlockedMessage(ctx, r, s, outcome.Waiting(v1alpha1.ReasonSuspended, left, errors.New("suspended by spec.suspend")))
	}
	s.task.Status.QueuePosition = int32(len(before))
	if len(before) > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, left, errors.New(queueMessage(s.task, before)))
	}
	if i := s.instance; i != nil && i.DeletionTimestamp.IsZero() && i.Spec.Suspend != nil && *i.Spec.Suspend {
		return withBlockedMessage(ctx, r, s, outcome.Waiting(v1alpha1.ReasonSuspended, left, fmt.Errorf(
			"instance %q is suspended: set spec.suspend of the AppInstance to false", i.Name)))
	}
	return nil
}

// limitValueBytes ends a task if the values of the unfinished tasks of its namespace are too large.
func (r *Reconciler) limitValueBytes(ctx context.Context, s *scope) error {
	if err := checkValueBytes(ctx, r, s); err != nil {
		return rejectAdmission(ctx, r, s, err)
	}
	return nil
}

// queueMessage returns the message of a task in the queue: the next task in the queue, the reason
// why that one waits, and the first task that conflicts with this one.
func queueMessage(task *v1alpha1.AppInstallTask, before []v1alpha1.AppInstallTask) string {
	next := &before[0]
	said := fmt.Sprintf("waiting for task %q (%s) of the same instance", next.Name, next.Spec.Action)
	if why := idleMessage(next); why != "" {
		said += fmt.Sprintf(", which waits %s: %s; %s", maxWaitMessage(next), why, cancelHint(next))
	}
	for _, other := range before {
		if areOpposite(other.Spec.Action, task.Spec.Action) {
			return said + fmt.Sprintf("; task %q (%s) and this task (%s) revert each other; cancel one of them",
				other.Name, other.Spec.Action, task.Spec.Action)
		}
	}
	return said
}

// idleMessage returns the message of a task that has not started and waits for something
// other than its turn in the queue, otherwise "".
func idleMessage(task *v1alpha1.AppInstallTask) string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	if c == nil || hasStarted(task) {
		return ""
	}
	switch c.Reason {
	case v1alpha1.ReasonWaitingForTurn, v1alpha1.ReasonProgressing, v1alpha1.ReasonProgressingWithRetry:
		return ""
	}
	return text.Limit(withoutBlockedMessage(c.Message), 300)
}

// maxWaitMessage returns a phrase about how long a task may wait before it starts.
func maxWaitMessage(task *v1alpha1.AppInstallTask) string {
	if task.Spec.StartDeadline == "" {
		return "indefinitely because its spec.startDeadline is not set"
	}
	return fmt.Sprintf("until %s after its creation", task.Spec.StartDeadline)
}

// cancelHint describes how to cancel a task.
func cancelHint(task *v1alpha1.AppInstallTask) string {
	return fmt.Sprintf("to cancel task %q, set its spec.cancel to true, or run \"kubectl market cancel %s -n %s\"", task.Name, task.Name, task.Namespace)
}

// blocksOthers is the part of the message of a waiting task that blocks other tasks of its instance,
// before the hint how to cancel it.
const blocksOthers = "; other tasks of the instance wait for this task"

// withoutBlockedMessage returns a message without the part that withBlockedMessage appends.
func withoutBlockedMessage(message string) string {
	message, _, _ = strings.Cut(message, blocksOthers)
	return message
}

// withBlockedMessage appends blocksOthers and a hint to the message of a waiting error if other tasks
// wait for this one.
func withBlockedMessage(ctx context.Context, r *Reconciler, s *scope, err error) error {
	after, waits := outcome.IsWaiting(err)
	if !waits {
		return err
	}
	queued, listErr := queuedTasks(ctx, r, s)
	if listErr != nil {
		return listErr
	}
	compare := compareQueueOrder(s.ownership.record.Task)
	if !slices.ContainsFunc(queued, func(t v1alpha1.AppInstallTask) bool { return compare(*s.task, t) < 0 }) {
		return err
	}
	suffix := blocksOthers + "; " + cancelHint(s.task)
	message := text.Limit(err.Error(), maxMessage-len(suffix)) + suffix
	return outcome.Waiting(outcome.Reason(err, v1alpha1.ReasonProgressing), after, errors.New(message))
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
	said := fmt.Sprintf("not admitted within spec.startDeadline (%s)", task.Spec.StartDeadline)
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling); c != nil {
		said += ": " + withoutBlockedMessage(c.Message)
	} else {
		said += "; set a later deadline"
	}
	return 0, outcome.Stalled(v1alpha1.ReasonDeadlineExceeded, errors.New(said))
}

// queuedTasks returns the unfinished tasks of the instance that wait in its queue, unsorted. It
// omits dry runs and tasks with the action Cancel.
func queuedTasks(ctx context.Context, r *Reconciler, s *scope) ([]v1alpha1.AppInstallTask, error) {
	tasks, err := listUnfinishedTasks(ctx, r, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByInstance: s.task.Instance()})
	if err != nil {
		return nil, fmt.Errorf("instance %q: %w", s.task.Instance(), err)
	}
	return slices.DeleteFunc(tasks, func(t v1alpha1.AppInstallTask) bool { return !isQueued(&t) }), nil
}

func isQueued(task *v1alpha1.AppInstallTask) bool {
	return !isCancel(task) && !task.IsDryRun() && !task.Finished() && task.DeletionTimestamp.IsZero()
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
	queued := slices.DeleteFunc(slices.Clone(tasks), func(t v1alpha1.AppInstallTask) bool { return !isQueued(&t) })
	slices.SortFunc(queued, compareQueueOrder(""))
	return queued[:min(len(queued), n)]
}

// tasksAhead returns the tasks that precede this one, in order. A task claims the instance by
// writing it, and the resource version prevents concurrent claims.
func tasksAhead(ctx context.Context, r *Reconciler, s *scope) ([]v1alpha1.AppInstallTask, error) {
	if s.ownership.record.Task == s.task.Name {
		return nil, nil
	}
	tasks, err := queuedTasks(ctx, r, s)
	if err != nil {
		return nil, err
	}
	compare, overtakes := compareQueueOrder(s.ownership.record.Task), hasPrecedence(s)
	before := slices.DeleteFunc(tasks, func(t v1alpha1.AppInstallTask) bool {
		return compare(t, *s.task) >= 0 || overtakes && !transitions.Outcomes[t.Spec.Action].Committed
	})
	slices.SortFunc(before, compare)
	return before, nil
}

// hasPrecedence reports whether the task precedes older tasks. An Uninstall of an installed
// instance interrupts their operations, except for operations that cannot be canceled.
func hasPrecedence(s *scope) bool {
	return s.action.overtakes && transitions.Admit(s.task.Spec.Action, s.task.Instance(), s.instance) == nil
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
