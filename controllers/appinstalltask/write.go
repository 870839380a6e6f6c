package appinstalltask

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// lookAtOnce is when an instance that somebody else has just changed is looked at
// again: the cache shows the change in a moment.
const lookAtOnce = 50 * time.Millisecond

// write makes the instance what the task wants, once. A write whose note in status
// was lost is made again, and changes nothing then.
func (r *Reconciler) write(ctx context.Context, s *scope) error {
	if s.task.Status.InstanceRef != nil {
		return nil
	}
	instance, err := r.wanted(ctx, s)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, lookAtOnce, fmt.Errorf(
			"instance %s was just changed by somebody else", s.task.Instance()))
	}
	if err != nil {
		return err
	}
	now := metav1.Now()
	s.instance = instance
	s.task.Status.StartTime = &now
	s.task.Status.InstanceRef = &v1alpha1.InstanceReference{
		Name: instance.Name, UID: string(instance.UID), Generation: instance.Generation,
	}
	s.keeper.Working(fmt.Sprintf("%s of instance %s", s.task.Spec.Action, instance.Name))
	return s.keeper.Save(ctx)
}

func (r *Reconciler) wanted(ctx context.Context, s *scope) (*v1alpha1.AppInstance, error) {
	if s.instance == nil {
		instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.task.Namespace, Name: s.task.Instance()}}
		s.fill(instance)
		if err := r.Create(ctx, instance); err != nil {
			return nil, fmt.Errorf("create instance %s: %w", instance.Name, err)
		}
		return instance, nil
	}
	instance := s.instance.DeepCopy()
	before := client.MergeFromWithOptions(s.instance, client.MergeFromWithOptimisticLock{})
	s.fill(instance)
	if err := r.Patch(ctx, instance, before); err != nil {
		return nil, fmt.Errorf("change instance %s: %w", instance.Name, err)
	}
	return instance, nil
}

// fill puts the task's wish into the instance.
func (s *scope) fill(instance *v1alpha1.AppInstance) {
	if instance.Labels == nil {
		instance.Labels = map[string]string{}
	}
	if instance.Annotations == nil {
		instance.Annotations = map[string]string{}
	}
	instance.Labels[v1alpha1.AppLabel] = s.task.Spec.App.Name
	instance.Annotations[v1alpha1.TaskAnnotation] = s.task.Name
	task, spec := s.task.Spec, &instance.Spec
	spec.DataPolicy = cmp.Or(task.DataPolicy, spec.DataPolicy, v1alpha1.DataRetain)
	spec.ServiceAccountName = cmp.Or(task.ServiceAccountName, spec.ServiceAccountName)
	spec.Timeout = task.Timeout
	if task.Action == v1alpha1.ActionUninstall {
		spec.DesiredState = v1alpha1.StateAbsent
		return
	}
	given, _ := s.given()
	spec.AppRef = task.App
	spec.DesiredState = v1alpha1.StateRunning
	spec.Version = s.version.Version
	spec.Title = cmp.Or(task.Title, spec.Title)
	spec.Values, spec.ValuesFrom, spec.Envs = given.Values, given.ValuesFrom, given.Envs
}
