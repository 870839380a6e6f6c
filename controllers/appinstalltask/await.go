package appinstalltask

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// TasksByInstance is the name of the index of AppInstallTasks by the AppInstance
// that they act on.
const TasksByInstance = "spec.instanceName"

func (r *Reconciler) readInstance(ctx context.Context, s *scope) error {
	instance := &v1alpha1.AppInstance{}
	err := r.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: s.task.Instance()}, instance)
	switch {
	case err == nil:
		s.instance = instance
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("get instance %s: %w", s.task.Instance(), err)
	}
	return nil
}

// await holds a task back that is suspended, or has others of its instance before
// it, and ends one that has waited too long.
func (r *Reconciler) await(ctx context.Context, s *scope) error {
	if s.task.Status.InstanceRef != nil {
		return nil
	}
	left, err := remaining(s.task)
	if err != nil {
		return status.At(v1alpha1.ConditionAdmitted, err)
	}
	if s.task.Spec.Suspend != nil && *s.task.Spec.Suspend {
		return outcome.Waiting(v1alpha1.ReasonSuspended, left, errors.New("suspended by spec.suspend"))
	}
	before, err := r.before(ctx, s.task)
	if err != nil {
		return err
	}
	s.task.Status.QueuePosition = int32(len(before))
	if len(before) > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, left, fmt.Errorf(
			"waiting for task %s of the same instance", before[0]))
	}
	return nil
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

// before are the unfinished tasks of the same instance that are older, by name
// where they are of the same second; the next to run first.
func (r *Reconciler) before(ctx context.Context, task *v1alpha1.AppInstallTask) ([]string, error) {
	var list v1alpha1.AppInstallTaskList
	err := r.List(ctx, &list, client.InNamespace(task.Namespace), client.MatchingFields{TasksByInstance: task.Instance()})
	if err != nil {
		return nil, fmt.Errorf("list tasks of instance %s: %w", task.Instance(), err)
	}
	var names []string
	var oldest *v1alpha1.AppInstallTask
	for i := range list.Items {
		other := &list.Items[i]
		if other.UID == task.UID || other.Finished() || !other.DeletionTimestamp.IsZero() || !older(other, task) {
			continue
		}
		names = append(names, other.Name)
		if oldest == nil || older(other, oldest) {
			oldest = other
			names[0], names[len(names)-1] = names[len(names)-1], names[0]
		}
	}
	return names, nil
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
