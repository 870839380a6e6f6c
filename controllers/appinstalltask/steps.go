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
	"github.com/appmarket/operator/internal/outcome"
)

// takeSteps makes the tasks that have to end first, one after the other, once nothing
// else stands in the way: a task that is refused has begun nothing.
func (r *Reconciler) takeSteps(ctx context.Context, s *scope, p *findings) error {
	if p.Len() > 0 || len(p.steps) == 0 {
		return nil
	}
	for _, step := range p.steps {
		if err := r.checkRemoval(ctx, s, p, step); err != nil {
			return err
		}
	}
	if p.Len() > 0 {
		return nil
	}
	for _, step := range p.steps {
		if err := r.step(ctx, s, step); err != nil {
			return p.Take(err)
		}
	}
	p.Add(s.awaitSteps(time.Now()))
	return nil
}

// stepsGrace is how long what the steps have done may take to be seen. It is seen at
// once in nearly all cases: the caches of the operator show instances before tasks.
const stepsGrace = time.Minute

// awaitSteps waits for what the steps have done to be seen, ever longer, and fails when
// it is not: another client has undone it.
func (s *scope) awaitSteps(now time.Time) error {
	last := s.lastStep
	said := fmt.Sprintf("task %q (%s of %s) has succeeded", s.title(last), last.Spec.Action, last.Instance())
	since := now.Sub(last.Status.CompletionTime.Time)
	if since < stepsGrace {
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, max(since, lookAtOnce), fmt.Errorf("%s: waiting for its result", said))
	}
	return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf(
		"%s, but its result was undone since or is not what this task needs: check that instance, and create another task", said))
}

// installFirst has the apps that this one needs installed.
func (r *Reconciler) installFirst(ctx context.Context, s *scope, p *findings, instances []v1alpha1.AppInstance) error {
	needs, err := r.order(ctx, s, instances)
	if err != nil {
		return p.Take(err)
	}
	for _, n := range needs {
		step := s.draft(s.task.Namespace, n.app)
		step.Spec.Action, step.Spec.App, step.Spec.Version = v1alpha1.ActionInstall, s.task.Spec.App, n.version
		step.Spec.App.Name = n.app
		p.steps = append(p.steps, step)
	}
	return nil
}

// removeFirst has the instances removed that need this one.
func (s *scope) removeFirst(p *findings, dependents []v1alpha1.AppInstance) {
	for i := range dependents {
		p.steps = append(p.steps, s.removing(&dependents[i]))
	}
}

// removing is the task that removes another instance. That one keeps its own policy for
// its data: spec.dataPolicy of this task is about the instance that the task names.
func (s *scope) removing(of *v1alpha1.AppInstance) *v1alpha1.AppInstallTask {
	step := s.draft(of.Namespace, of.Name)
	step.Spec.Action, step.Spec.App, step.Spec.InstanceName = v1alpha1.ActionUninstall, of.Spec.AppRef, of.Name
	return step
}

// step makes a task of this one's, once. One that has not ended is waited for; one that
// has failed is an error.
func (r *Reconciler) step(ctx context.Context, s *scope, wish *v1alpha1.AppInstallTask) error {
	made := &v1alpha1.AppInstallTask{}
	err := r.Get(ctx, client.ObjectKeyFromObject(wish), made)
	if apierrors.IsNotFound(err) {
		made, err = wish, r.makeStep(ctx, s, wish)
	}
	if err != nil {
		return fmt.Errorf("task %s: %w", s.title(wish), err)
	}
	if s.former(made) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, lookAgain, fmt.Errorf(
			"task %s of an earlier task of this name is about to go; delete it if it does not", s.title(wish)))
	}
	if !s.made(made) {
		return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf(
			"there is a task %s that is not of this one; delete it, or give this one another name", s.title(wish)))
	}
	said := fmt.Sprintf("task %s (%s of %s)", s.title(wish), made.Spec.Action, made.Instance())
	root := meta.FindStatusCondition(made.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch {
	case root == nil:
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, errors.New(said))
	case !made.Finished():
		return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, fmt.Errorf("%s: %s", said, root.Message))
	case root.Status != metav1.ConditionTrue:
		return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("%s failed: %s", said, root.Message))
	}
	if s.lastStep == nil || s.lastStep.Status.CompletionTime.Before(made.Status.CompletionTime) {
		s.lastStep = made
	}
	return nil
}

// makeStep creates a step, in another namespace only if the tenant may have it carried
// out.
func (r *Reconciler) makeStep(ctx context.Context, s *scope, step *v1alpha1.AppInstallTask) error {
	if err := r.remember(ctx, s, step); err != nil {
		return err
	}
	if step.Namespace != s.task.Namespace {
		allowed, err := r.mayUninstall(ctx, s, step)
		if err != nil {
			return err
		}
		if !allowed {
			return s.removalDenied(step)
		}
		return r.Create(ctx, step)
	}
	if err := controllerutil.SetControllerReference(s.task, step, r.Scheme()); err != nil {
		return fmt.Errorf("own: %w", err)
	}
	return r.Create(ctx, step)
}

// draft is a step that acts on an instance in a namespace, without what it does.
func (s *scope) draft(namespace, of string) *v1alpha1.AppInstallTask {
	parent := s.task.Spec
	step := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: stepName(s.task.Name, of), Labels: map[string]string{v1alpha1.ParentLabel: s.task.Name},
		},
		Spec: v1alpha1.AppInstallTaskSpec{
			ServiceAccountName: parent.ServiceAccountName, OnMissingInput: parent.OnMissingInput,
			Timeout: parent.Timeout, RunID: string(s.task.UID),
		},
	}
	if namespace != s.task.Namespace {
		// It outlives its parent, which may be made again under its name.
		step.Name = stepName(s.task.Namespace+"-"+s.task.Name, fmt.Sprintf("%s-%s-%s", namespace, of, s.task.UID))
		step.Labels[v1alpha1.ParentNamespaceLabel] = s.task.Namespace
		step.Spec.ServiceAccountName = "" // That of the instance there.
	}
	return step
}

// made reports whether a task is a step of this one.
func (s *scope) made(step *v1alpha1.AppInstallTask) bool {
	return s.namesake(step) && step.Spec.RunID == string(s.task.UID)
}

// former reports whether a task is a step of an earlier one of this name. It goes
// with that.
func (s *scope) former(step *v1alpha1.AppInstallTask) bool {
	return s.namesake(step) && step.Namespace == s.task.Namespace && step.Spec.RunID != string(s.task.UID)
}

func (s *scope) namesake(step *v1alpha1.AppInstallTask) bool {
	from := cmp.Or(step.Labels[v1alpha1.ParentNamespaceLabel], step.Namespace)
	return step.Labels[v1alpha1.ParentLabel] == s.task.Name && from == s.task.Namespace
}

// title is what messages call a step.
func (s *scope) title(step *v1alpha1.AppInstallTask) string {
	if step.Namespace == s.task.Namespace {
		return step.Name
	}
	return step.Namespace + "/" + step.Name
}

// remember notes a step in status before it is made: whatever ends the task then
// finds it, and takes it back.
func (r *Reconciler) remember(ctx context.Context, s *scope, step *v1alpha1.AppInstallTask) error {
	noted := v1alpha1.Step{Task: step.Name, Instance: step.Instance(), Action: step.Spec.Action}
	if step.Namespace != s.task.Namespace {
		noted.Namespace = step.Namespace
	}
	if slices.Contains(s.task.Status.Steps, noted) || len(s.task.Status.Steps) >= maxSteps {
		return nil
	}
	s.task.Status.Steps = append(s.task.Status.Steps, noted)
	return s.keeper.Save(ctx)
}

// maxSteps bounds the steps in status.
const maxSteps = 50

// undoSteps ends what the task's steps are at and removes what they have installed,
// the last first, and then ends the task. What a task that failed has installed
// stays unless it says otherwise.
func (r *Reconciler) undoSteps(ctx context.Context, s *scope, why v1alpha1.Problem) error {
	end := outcome.Stalled(why.Reason, errors.New(why.Message))
	if why.Reason != v1alpha1.ReasonCancelled && s.task.Spec.OnFailure != v1alpha1.FailureRemove {
		return end
	}
	for _, step := range slices.Backward(s.task.Status.Steps) {
		if step.Namespace != "" {
			continue // Only who may write tasks there can cancel a removal.
		}
		if err := r.undoStep(ctx, s, step); err != nil {
			if s.task.Status.Undoing == nil {
				s.undoing(why)
			}
			return err
		}
	}
	return end
}

// undoStep takes one step back; an error that waits says that this goes on. One
// that cannot be taken back is left: its own task says why. What was removed stays
// so.
func (r *Reconciler) undoStep(ctx context.Context, s *scope, step v1alpha1.Step) error {
	made := &v1alpha1.AppInstallTask{}
	// The cache may not show yet what was made a moment ago.
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: step.Task}, made)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get task %s: %w", step.Task, err)
	}
	if !s.made(made) {
		return nil
	}
	if !made.Finished() {
		return r.cancelStep(ctx, made)
	}
	if step.Action != v1alpha1.ActionInstall || !meta.IsStatusConditionTrue(made.Status.Conditions, v1alpha1.ConditionSucceeded) {
		return nil
	}
	undo := s.draft(s.task.Namespace, "undo-"+step.Instance)
	undo.Spec.Action, undo.Spec.App, undo.Spec.InstanceName = v1alpha1.ActionUninstall, made.Spec.App, step.Instance
	if err := r.step(ctx, s, undo); !outcome.IsStalled(err) {
		return err
	}
	return nil
}

func (r *Reconciler) cancelStep(ctx context.Context, step *v1alpha1.AppInstallTask) error {
	if step.Spec.Cancel == nil || !*step.Spec.Cancel {
		before := client.MergeFrom(step.DeepCopy())
		cancel := true
		step.Spec.Cancel = &cancel
		if err := r.Patch(ctx, step, before); err != nil {
			return fmt.Errorf("cancel task %s: %w", step.Name, err)
		}
	}
	return outcome.Waiting(v1alpha1.ReasonProgressing, 0, fmt.Errorf("cancelling task %s", step.Name))
}

// maxTaskName bounds the name of a task, as that of a label's value: its steps bear
// it.
const maxTaskName = 63

// stepName is that of a step: cut, and told from others by a digest, where it would
// be too long.
func stepName(parent, of string) string {
	name := parent + "-" + of
	if len(name) <= maxTaskName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:4])
	return name[:maxTaskName-len(tail)] + tail
}
