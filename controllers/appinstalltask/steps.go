package appinstalltask

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// installFirst installs the apps that this one needs, one after the other.
func (r *Reconciler) installFirst(ctx context.Context, s *scope, p *findings, instances []v1alpha1.AppInstance) error {
	needs, err := r.order(ctx, s, instances)
	if err != nil {
		return p.take(err)
	}
	for _, n := range needs {
		app := s.task.Spec.App
		app.Name = n.app
		done, err := r.step(ctx, s, stepName(s.task.Name, n.app), func(spec *v1alpha1.AppInstallTaskSpec) {
			spec.Action, spec.App, spec.Version = v1alpha1.ActionInstall, app, n.version
		})
		if err != nil {
			return p.take(err)
		}
		if !done {
			return nil
		}
	}
	// All of them have run; what is still missing is not yet in the cache.
	p.add(outcome.Waiting(v1alpha1.ReasonWaitingForDependency, lookAtOnce, errors.New("the apps that are needed were installed")))
	return nil
}

// removeFirst removes the instances that need this one, one after the other.
func (r *Reconciler) removeFirst(ctx context.Context, s *scope, p *findings, dependents []v1alpha1.AppInstance) error {
	for _, d := range dependents {
		_, err := r.step(ctx, s, stepName(s.task.Name, d.Name), func(spec *v1alpha1.AppInstallTaskSpec) {
			spec.Action, spec.App, spec.InstanceName = v1alpha1.ActionUninstall, d.Spec.AppRef, d.Name
			spec.DataPolicy = s.task.Spec.DataPolicy
		})
		if err != nil {
			return p.take(err)
		}
	}
	return nil
}

// step makes a task of this one's, once, and reports whether it has ended well. One
// that has not ended is waited for; one that has failed is an error.
func (r *Reconciler) step(ctx context.Context, s *scope, name string, wish func(*v1alpha1.AppInstallTaskSpec)) (bool, error) {
	made := &v1alpha1.AppInstallTask{}
	err := r.Get(ctx, types.NamespacedName{Namespace: s.task.Namespace, Name: name}, made)
	if apierrors.IsNotFound(err) {
		made, err = r.makeStep(ctx, s, name, wish)
	}
	if err != nil {
		return false, fmt.Errorf("task %s: %w", name, err)
	}
	if made.Labels[v1alpha1.ParentLabel] != s.task.Name {
		return false, outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf(
			"there is a task %s that is not of this one; delete it, or give this one another name", name))
	}
	said := fmt.Sprintf("task %s (%s of %s)", name, made.Spec.Action, made.Instance())
	root := meta.FindStatusCondition(made.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch {
	case root == nil:
		return false, outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, errors.New(said))
	case !made.Finished():
		return false, outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, fmt.Errorf("%s: %s", said, root.Message))
	case root.Status != metav1.ConditionTrue:
		return false, outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("%s failed: %s", said, root.Message))
	}
	return true, nil
}

func (r *Reconciler) makeStep(ctx context.Context, s *scope, name string, wish func(*v1alpha1.AppInstallTaskSpec)) (*v1alpha1.AppInstallTask, error) {
	parent := s.task.Spec
	step := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.task.Namespace, Name: name, Labels: map[string]string{v1alpha1.ParentLabel: s.task.Name},
		},
		Spec: v1alpha1.AppInstallTaskSpec{
			ServiceAccountName: parent.ServiceAccountName, OnMissingInput: parent.OnMissingInput,
			Timeout: parent.Timeout, RunID: string(s.task.UID),
		},
	}
	wish(&step.Spec)
	if err := r.remember(ctx, s, step); err != nil {
		return nil, err
	}
	if err := controllerutil.SetControllerReference(s.task, step, r.Scheme()); err != nil {
		return nil, fmt.Errorf("own: %w", err)
	}
	if err := r.Create(ctx, step); err != nil {
		return nil, err
	}
	return step, nil
}

// remember notes a step in status before it is made: whatever ends the task then
// finds it, and takes it back.
func (r *Reconciler) remember(ctx context.Context, s *scope, step *v1alpha1.AppInstallTask) error {
	known := slices.ContainsFunc(s.task.Status.Steps, func(noted v1alpha1.Step) bool { return noted.Task == step.Name })
	if known || len(s.task.Status.Steps) >= maxSteps {
		return nil
	}
	s.task.Status.Steps = append(s.task.Status.Steps, v1alpha1.Step{
		Task: step.Name, Instance: step.Instance(), Action: step.Spec.Action,
	})
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
		if step.Action != v1alpha1.ActionInstall {
			continue
		}
		if err := r.undoStep(ctx, s, step); err != nil {
			if s.task.Status.Undoing == nil {
				s.task.Status.Undoing = &why
			}
			return err
		}
	}
	return end
}

// undoStep takes one step back; an error that waits says that this goes on. One
// that cannot be taken back is left: its own task says why.
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
	if !made.Finished() {
		return r.cancelStep(ctx, made)
	}
	if !meta.IsStatusConditionTrue(made.Status.Conditions, v1alpha1.ConditionSucceeded) {
		return nil
	}
	_, err = r.step(ctx, s, stepName(s.task.Name, "undo-"+step.Instance), func(spec *v1alpha1.AppInstallTaskSpec) {
		spec.Action, spec.App, spec.InstanceName = v1alpha1.ActionUninstall, made.Spec.App, step.Instance
	})
	if outcome.IsStalled(err) {
		return nil
	}
	return err
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
