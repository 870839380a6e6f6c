package appinstance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// watch has the objects of the releases watched.
func (r *Reconciler) watch(ctx context.Context, s *scope) error {
	if s.target == nil {
		return nil
	}
	return status.At(v1alpha1.ConditionHealthy, r.track(ctx, s))
}

// track tells the monitor which objects there are, and, until it has taken note,
// that Helm has changed them.
func (r *Reconciler) track(ctx context.Context, s *scope) error {
	key := client.ObjectKeyFromObject(s.instance)
	objects, err := r.objects(ctx, s)
	if err != nil {
		return err
	}
	if err := r.Monitor.Track(ctx, key, s.tenant, objects, s.minds()); err != nil {
		return err
	}
	if _, owed := r.owed.Load(key); !owed {
		return nil
	}
	if err := r.Monitor.Refresh(ctx, key); err != nil {
		return err
	}
	r.owed.Delete(key)
	return nil
}

// follow looks at the objects, which the watches bring, until all of them are ready,
// and at every change from then on.
func (r *Reconciler) follow(ctx context.Context, s *scope) error {
	if s.target == nil {
		return nil
	}
	health, known, err := r.Monitor.Health(ctx, client.ObjectKeyFromObject(s.instance))
	if err != nil {
		return status.At(v1alpha1.ConditionHealthy, err)
	}
	if !known && s.settled() {
		return nil
	}
	if !known {
		return status.At(v1alpha1.ConditionHealthy, outcome.Waiting(
			v1alpha1.ReasonWaitingForObjects, 0, errors.New("waiting for the first look at the objects")))
	}
	s.counts(health)
	if !health.Healthy() {
		return status.At(v1alpha1.ConditionHealthy, s.unhealthy(health))
	}
	if s.instance.Status.Stopped {
		s.saysStopped()
		return nil
	}
	message := fmt.Sprintf("%d objects ready", health.Total)
	s.keeper.Reached(v1alpha1.ConditionHealthy, v1alpha1.ReasonHealthy, message)
	s.keeper.Says(v1alpha1.ReasonReady, fmt.Sprintf("running version %s, %s", s.instance.Status.Version, message))
	return nil
}

// counts notes how many objects are ready.
func (s *scope) counts(health release.Health) {
	if inventory := s.instance.Status.Inventory; inventory != nil {
		inventory.Ready = int32(health.Ready)
	}
}

// objects are all objects of the instance. Those of a large one do not fit into
// status, and are read from Helm again.
func (r *Reconciler) objects(ctx context.Context, s *scope) ([]v1alpha1.ObjectReference, error) {
	listed := s.instance.Status.Inventory
	if listed != nil && int(listed.Total) == len(listed.Objects) {
		return listed.Objects, nil
	}
	var all []v1alpha1.ObjectReference
	for _, known := range s.instance.Status.Releases {
		rel, err := s.helm.Get(ctx, known.Name)
		if err != nil {
			return nil, err
		}
		if rel != nil {
			all = append(all, rel.Objects...)
		}
	}
	return all, nil
}

// unhealthy says what it means that not every object is ready: they have the
// timeout of the instance to become so, counted from when they were last seen
// well, or from the operation.
func (s *scope) unhealthy(health release.Health) error {
	message := fmt.Errorf("%d of %d objects ready: %s", health.Ready, health.Total, health.Message)
	conditions := s.instance.Status.Conditions
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Reason == v1alpha1.ReasonTimedOut && stalled.ObservedGeneration == s.instance.Generation {
		return outcome.Stalled(v1alpha1.ReasonTimedOut, message)
	}
	since := time.Now()
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); c != nil {
		since = c.LastTransitionTime.Time
	}
	// It may have been reconciling for long before, waiting for its app say.
	if history := s.instance.Status.History; len(history) > 0 && history[0].EndedAt.After(since) {
		since = history[0].EndedAt.Time
	}
	if health.Failed {
		return outcome.Stalled(v1alpha1.ReasonNotHealthy, message)
	}
	left := time.Until(since.Add(timeout(s.instance)))
	if left <= 0 {
		return outcome.Stalled(v1alpha1.ReasonTimedOut, message)
	}
	return outcome.Waiting(v1alpha1.ReasonWaitingForObjects, left+time.Second, message)
}

// settled reports whether the status, as it is, speaks of this spec and of objects
// that were ready: after a restart it then stays until the watches say otherwise.
// An operation that was just carried out made it reconciling.
func (s *scope) settled() bool {
	conditions := s.instance.Status.Conditions
	root := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if root == nil || s.instance.Status.ObservedGeneration != s.instance.Generation ||
		meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling) ||
		!meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionHealthy) {
		return false
	}
	s.keeper.Says(root.Reason, root.Message)
	return true
}
