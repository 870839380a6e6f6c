package appinstalltask

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// withValues is the key of the TasksWithValues index.
const withValues = "true"

// valuesIndexKey returns the key of a task in the TasksWithValues index.
func valuesIndexKey(task *v1alpha1.AppInstallTask) string {
	if valueBytes(task) == 0 {
		return ""
	}
	return withValues
}

// valueBytes returns the size in bytes of the values and the inputs in the spec of a task.
func valueBytes(task *v1alpha1.AppInstallTask) int64 {
	bytes := 0
	if values := task.Spec.Parameters().Values; values != nil {
		bytes = len(values.Raw)
	}
	for _, env := range task.Spec.Parameters().Inputs {
		if env.Value != nil {
			bytes += len(*env.Value)
		}
	}
	return int64(bytes)
}

// checkValueBytes returns an error if the values of the task and of the older unfinished
// tasks in its namespace exceed the limit of the namespace. It neither decodes nor copies
// the specs.
func checkValueBytes(ctx context.Context, r *Reconciler, s *scope) error {
	own := valueBytes(s.task)
	if r.MaxValueBytes <= 0 || own == 0 {
		return nil
	}
	tasks, err := listUnfinishedTasks(ctx, r, client.InNamespace(s.task.Namespace), client.MatchingFields{TasksWithValues: withValues})
	if err != nil {
		return fmt.Errorf("sum values of namespace %q: %w", s.task.Namespace, err)
	}
	before := int64(0)
	for i := range tasks {
		if isOlder(&tasks[i], s.task) && tasks[i].DeletionTimestamp.IsZero() {
			before += valueBytes(&tasks[i])
		}
	}
	if before+own <= r.MaxValueBytes {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
		"exceeded limit of %d bytes for the values of unfinished tasks in namespace %q (this task has %d bytes, earlier tasks have %d); "+
			"create the task again after the earlier tasks have ended, use %s.valuesFrom, or ask a cluster administrator to increase --namespace-task-bytes",
		r.MaxValueBytes, s.task.Namespace, own, before, s.task.Spec.ParametersPath()))
}
