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
	before, err := r.before(ctx, s)
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

// before are the unfinished tasks of the same instance that come first, the next to
// run first: the one that has written the instance, and those that are older, by
// name where they are of the same second. Writing the instance is what claims it;
// that two tasks do it at once is prevented by the instance's resource version.
func (r *Reconciler) before(ctx context.Context, s *scope) ([]string, error) {
	writer := ""
	if s.instance != nil {
		writer = s.instance.Annotations[v1alpha1.TaskAnnotation]
	}
	if writer == s.task.Name {
		return nil, nil
	}
	var list v1alpha1.AppInstallTaskList
	err := r.List(ctx, &list, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksByInstance: s.task.Instance()})
	if err != nil {
		return nil, fmt.Errorf("list tasks of instance %s: %w", s.task.Instance(), err)
	}
	first := slices.DeleteFunc(list.Items, func(other v1alpha1.AppInstallTask) bool {
		waits := other.UID != s.task.UID && !other.Finished() && other.DeletionTimestamp.IsZero()
		return !waits || other.Name != writer && !older(&other, s.task)
	})
	slices.SortFunc(first, func(a, b v1alpha1.AppInstallTask) int {
		switch {
		case a.Name == writer || b.Name != writer && older(&a, &b):
			return -1
		case b.Name == writer || older(&b, &a):
			return 1
		}
		return 0
	})
	var names []string
	for i := range first {
		names = append(names, first[i].Name)
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
