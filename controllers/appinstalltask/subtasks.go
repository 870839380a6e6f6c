package appinstalltask

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
)

// runSubtasks runs the subtasks one at a time if there are no findings, so that a task that
// is not admitted has not changed anything.
func runSubtasks(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if err := checkSubtaskPermissions(ctx, r, s, p); err != nil || p.Len() > 0 || len(p.subtasks) == 0 {
		return err
	}
	for _, step := range p.subtasks {
		if err := ensureSubtask(ctx, r, s, step); err != nil {
			return p.AddOrReturn(err)
		}
	}
	p.Add(waitForSubtaskResults(s.task, s.lastSubtask, time.Now()))
	return nil
}

// checkSubtaskPermissions checks the permissions that the subtasks require, if there are no other
// findings.
func checkSubtaskPermissions(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if p.Len() > 0 {
		return nil
	}
	for _, step := range p.subtasks {
		if err := checkUninstallPermission(ctx, r, s, p, step); err != nil {
			return err
		}
	}
	return nil
}

// subtaskGrace is the maximum time until the results of the subtasks appear in the cache.
// They nearly always appear immediately, because the cache receives instances before tasks.
const subtaskGrace = time.Minute

// waitForSubtaskResults waits with increasing delays for the results of the subtasks to appear in the
// cache. It returns a terminal error after subtaskGrace, when another client must have reverted
// them.
func waitForSubtaskResults(task, last *v1alpha1.AppInstallTask, now time.Time) error {
	title := fmt.Sprintf("subtask %q (%s of instance %q)", subtaskTitle(task, last), last.Spec.Action, last.Instance())
	since := now.Sub(last.Status.CompletionTime.Time)
	if since < subtaskGrace {
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, max(since, conflictRetryDelay), fmt.Errorf("waiting for the result of %s", title))
	}
	return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf(
		"%s has succeeded, but its result was reverted or does not satisfy this task; check the instance, and create another task", title))
}

// addInstallSubtasks adds the subtasks that install the missing dependencies.
func addInstallSubtasks(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	needs, err := admission.ResolveDependencies(ctx, newOperation(r, s))
	if err != nil {
		return p.AddOrReturn(err)
	}
	for _, n := range needs {
		step := newSubtask(s.task, s.task.Namespace, n.App)
		step.Spec.Action, step.Spec.AppRef = v1alpha1.ActionInstall, s.task.Spec.AppRef
		step.Spec.Install = &v1alpha1.AppParameters{Version: n.Version}
		step.Spec.AppRef.Name = n.App
		p.subtasks = append(p.subtasks, step)
	}
	return nil
}

// addUninstallSubtasks adds the subtasks that uninstall the dependent instances.
func addUninstallSubtasks(s *scope, p *taskFindings, dependents []v1alpha1.AppInstance) {
	for i := range dependents {
		p.subtasks = append(p.subtasks, newUninstallTask(s.task, &dependents[i]))
	}
}

// newUninstallTask returns the subtask that uninstalls another instance. It does not copy
// spec.dataPolicy, which only applies to the instance of this task.
func newUninstallTask(task *v1alpha1.AppInstallTask, of *v1alpha1.AppInstance) *v1alpha1.AppInstallTask {
	step := newSubtask(task, of.Namespace, of.Name)
	step.Spec.Action, step.Spec.AppRef, step.Spec.InstanceName = v1alpha1.ActionUninstall, of.Spec.AppRef, of.Name
	return step
}

// ensureSubtask creates a subtask if it does not exist. It returns a waiting error while the subtask
// is running, and a terminal error if the subtask has failed.
func ensureSubtask(ctx context.Context, r *Reconciler, s *scope, wish *v1alpha1.AppInstallTask) error {
	made := &v1alpha1.AppInstallTask{}
	err := r.Get(ctx, client.ObjectKeyFromObject(wish), made)
	if apierrors.IsNotFound(err) {
		made, err = wish, createSubtask(ctx, r, s, wish)
	}
	if err != nil {
		return fmt.Errorf("create subtask %q: %w", subtaskTitle(s.task, wish), err)
	}
	if isFromPreviousTask(s.task, made) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, recheckInterval, fmt.Errorf(
			"subtask %q of a deleted task with the same name is being deleted; delete it if it remains", subtaskTitle(s.task, wish)))
	}
	if !isOwnSubtask(s.task, made) {
		return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf(
			"task %q already exists and does not belong to this task; delete it, or use another name for this task", subtaskTitle(s.task, wish)))
	}
	title := fmt.Sprintf("subtask %q (%s of instance %q)", subtaskTitle(s.task, wish), made.Spec.Action, made.Instance())
	root := meta.FindStatusCondition(made.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch {
	case root == nil:
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, errors.New("waiting for "+title))
	case !made.Finished():
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, fmt.Errorf("waiting for %s: %s", title, root.Message))
	case root.Status != metav1.ConditionTrue:
		return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("%s failed: %s", title, root.Message))
	}
	if s.lastSubtask == nil || s.lastSubtask.Status.CompletionTime.Before(made.Status.CompletionTime) {
		s.lastSubtask = made
	}
	return nil
}

// createSubtask creates a subtask. In another namespace, it does so only if the tenant has
// permission to uninstall the instance.
func createSubtask(ctx context.Context, r *Reconciler, s *scope, step *v1alpha1.AppInstallTask) error {
	if err := recordSubtask(ctx, s, step); err != nil {
		return err
	}
	if step.Namespace != s.task.Namespace {
		allowed, err := canUninstall(ctx, r, s, step)
		if err != nil {
			return err
		}
		if !allowed {
			return s.uninstallDeniedError(step)
		}
		return r.Create(ctx, step)
	}
	if err := controllerutil.SetControllerReference(s.task, step, r.Scheme()); err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	return r.Create(ctx, step)
}

// newSubtask returns a subtask for an instance in a namespace, without its action.
func newSubtask(task *v1alpha1.AppInstallTask, namespace, of string) *v1alpha1.AppInstallTask {
	parent := task.Spec
	step := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: subtaskName(task.Name, of), Labels: map[string]string{v1alpha1.ParentLabel: task.Name},
		},
		Spec: v1alpha1.AppInstallTaskSpec{
			ServiceAccountName: parent.ServiceAccountName, OnMissingInput: parent.OnMissingInput, OnUnmetRequirement: parent.OnUnmetRequirement,
			Timeout: parent.Timeout, RunID: string(task.UID),
		},
	}
	if requester := task.Annotations[v1alpha1.RequestedByAnnotation]; requester != "" {
		step.Annotations = map[string]string{v1alpha1.RequestedByAnnotation: requester}
	}
	if namespace != task.Namespace {
		// A subtask in another namespace outlives its parent, which can be re-created under
		// the same name.
		step.Name = subtaskName(task.Namespace+"-"+task.Name, fmt.Sprintf("%s-%s-%s", namespace, of, task.UID))
		step.Labels[v1alpha1.ParentNamespaceLabel] = task.Namespace
		step.Spec.ServiceAccountName = "" // Use the service account of the instance.
	}
	return step
}

// isOwnSubtask reports whether step is a subtask of a task.
func isOwnSubtask(task, step *v1alpha1.AppInstallTask) bool {
	return hasThisParent(task, step) && step.Spec.RunID == string(task.UID)
}

// isFromPreviousTask reports whether step is a subtask of a deleted task with the same name. The
// garbage collector deletes it.
func isFromPreviousTask(task, step *v1alpha1.AppInstallTask) bool {
	return hasThisParent(task, step) && step.Namespace == task.Namespace && step.Spec.RunID != string(task.UID)
}

func hasThisParent(task, step *v1alpha1.AppInstallTask) bool {
	from := cmp.Or(step.Labels[v1alpha1.ParentNamespaceLabel], step.Namespace)
	return step.Labels[v1alpha1.ParentLabel] == task.Name && from == task.Namespace
}

// subtaskTitle returns the name of a subtask for messages, with its namespace if it differs.
func subtaskTitle(task, step *v1alpha1.AppInstallTask) string {
	if step.Namespace == task.Namespace {
		return step.Name
	}
	return step.Namespace + "/" + step.Name
}

// recordSubtask records a subtask in status before it is created, so that it can be found and
// reverted whenever the task ends.
func recordSubtask(ctx context.Context, s *scope, step *v1alpha1.AppInstallTask) error {
	noted := v1alpha1.Subtask{Task: step.Name, Instance: step.Instance(), Action: step.Spec.Action}
	if step.Namespace != s.task.Namespace {
		noted.Namespace = step.Namespace
	}
	if slices.Contains(s.task.Status.Subtasks, noted) || len(s.task.Status.Subtasks) >= maxSubtasks {
		return nil
	}
	s.task.Status.Subtasks = append(s.task.Status.Subtasks, noted)
	return s.statusWriter.Save(ctx)
}

// maxSubtasks is the maximum number of subtasks in status.
const maxSubtasks = 50

// revertSubtasks cancels the unfinished subtasks and uninstalls the apps that the others
// installed, in reverse order, and then ends the task. After a failure, it does so only if
// spec.onFailure is Remove.
func revertSubtasks(ctx context.Context, r *Reconciler, s *scope, why v1alpha1.Problem) error {
	end := outcome.Stalled(why.Reason, errors.New(why.Message))
	if why.Reason != v1alpha1.ReasonCanceled && s.task.Spec.OnFailure != v1alpha1.FailureRemove {
		return end
	}
	for _, step := range slices.Backward(s.task.Status.Subtasks) {
		if step.Namespace != "" {
			continue // Canceling a removal requires permission to write tasks there.
		}
		if err := revertSubtask(ctx, r, s, step); err != nil {
			if s.task.Status.Reverting == nil {
				markReverting(s, why)
			}
			return err
		}
	}
	return end
}

// revertSubtask reverts one subtask and returns a waiting error until that is done. It ignores a
// failed reversal, which the status of the subtask reports, and does not restore removed
// instances.
func revertSubtask(ctx context.Context, r *Reconciler, s *scope, step v1alpha1.Subtask) error {
	made := &v1alpha1.AppInstallTask{}
	// The cache may not yet contain a subtask that was just created.
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: step.Task}, made)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get subtask %q: %w", step.Task, err)
	}
	if !isOwnSubtask(s.task, made) {
		return nil
	}
	if !made.Finished() {
		return cancelSubtask(ctx, r, made)
	}
	if step.Action != v1alpha1.ActionInstall || !meta.IsStatusConditionTrue(made.Status.Conditions, v1alpha1.ConditionSucceeded) {
		return nil
	}
	undo := newSubtask(s.task, s.task.Namespace, "undo-"+step.Instance)
	undo.Spec.Action, undo.Spec.AppRef, undo.Spec.InstanceName = v1alpha1.ActionUninstall, made.Spec.AppRef, step.Instance
	if err := ensureSubtask(ctx, r, s, undo); !outcome.IsStalled(err) {
		return err
	}
	return nil
}

func cancelSubtask(ctx context.Context, writer client.Writer, step *v1alpha1.AppInstallTask) error {
	if !isCanceled(step) {
		before := client.MergeFrom(step.DeepCopy())
		cancel := true
		step.Spec.Cancel = &cancel
		if err := writer.Patch(ctx, step, before); err != nil {
			return fmt.Errorf("cancel subtask %q: %w", step.Name, err)
		}
	}
	return outcome.Waiting(v1alpha1.ReasonProgressing, 0, fmt.Errorf("canceling subtask %q", step.Name))
}

// maxTaskName is the maximum length of the name of a subtask, because it can become the
// value of a label.
const maxTaskName = 63

// subtaskName returns the name of a subtask. It shortens a long name and appends a digest, so
// that the name remains unique.
func subtaskName(parent, of string) string {
	name := parent + "-" + of
	if len(name) <= maxTaskName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:4])
	return name[:maxTaskName-len(tail)] + tail
}
