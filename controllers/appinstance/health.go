package appinstance

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// watchObjects starts to watch the objects of the releases.
func (r *Reconciler) watchObjects(ctx context.Context, s *scope) error {
	if s.target == nil {
		return nil
	}
	return status.ForCondition(v1alpha1.ConditionHealthy, r.trackObjects(ctx, s))
}

// trackObjects sets the objects that the monitor watches. If an operation has changed them, it
// also refreshes their health, and retries that in later reconciles until it succeeds.
func (r *Reconciler) trackObjects(ctx context.Context, s *scope) error {
	key := client.ObjectKeyFromObject(s.instance)
	objects, err := listObjects(ctx, s)
	if err != nil {
		return err
	}
	if s.instance.Status.Stopped {
		// Stop only changes the workloads, so that the state of other objects is ignored.
		objects = slices.DeleteFunc(slices.Clone(objects), func(o v1alpha1.ObjectReference) bool { return !release.IsWorkload(o) })
	}
	if err := r.Monitor.Track(ctx, key, s.tenant, objects, shouldDetectDrift(s.instance)); err != nil {
		return err
	}
	if _, owed := r.staleHealth.Load(key); !owed {
		return nil
	}
	s.observed = nil
	if err := r.Monitor.Refresh(ctx, key); err != nil {
		return err
	}
	r.staleHealth.Delete(key)
	return nil
}

// observedHealth is the health of the objects as the monitor reports it.
type observedHealth struct {
	health release.Health
	known  bool
	err    error
}

// observeHealth returns the health of the objects. It queries the monitor once per reconcile, unless
// an operation changes the objects.
func (r *Reconciler) observeHealth(ctx context.Context, s *scope) observedHealth {
	if s.observed == nil {
		s.observed = &observedHealth{}
		s.observed.health, s.observed.known, s.observed.err = r.Monitor.Health(ctx, client.ObjectKeyFromObject(s.instance))
	}
	return *s.observed
}

// hasMissingObjects reports whether objects of a running instance are missing and a reconcile was
// requested, which restores them. If it is unknown, the request is not handled yet.
func hasMissingObjects(ctx context.Context, r *Reconciler, s *scope) (bool, error) {
	if !isReconcileRequested(s.instance) || isRestartRequest(s.instance) || s.instance.Status.Stopped || isScalingIncomplete(s.instance) {
		return false, nil
	}
	if err := r.watchObjects(ctx, s); err != nil {
		return false, err
	}
	seen := r.observeHealth(ctx, s)
	return seen.known && seen.health.Missing > 0, status.ForCondition(v1alpha1.ConditionHealthy, seen.err)
}

// reportHealth sets the Healthy and Ready conditions from the health of the objects. Later
// changes of the objects trigger a reconcile.
func (r *Reconciler) reportHealth(ctx context.Context, s *scope) error {
	if s.target == nil {
		return nil
	}
	seen := r.observeHealth(ctx, s)
	if seen.err != nil {
		return status.ForCondition(v1alpha1.ConditionHealthy, seen.err)
	}
	if !seen.known && s.hasReadyStatus() {
		return nil
	}
	if !seen.known {
		// The first result often changes soon, and is then shown after a delay.
		r.messageTimes.Store(client.ObjectKeyFromObject(s.instance), time.Now())
		return notObservedError()
	}
	r.observeEntrances(s)
	health := seen.health
	if !health.IsHealthy() {
		return status.ForCondition(v1alpha1.ConditionHealthy, unhealthyError(r, s, health))
	}
	setInventoryHealth(s.instance, health)
	if s.instance.Status.Stopped {
		markStopped(s)
		return nil
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionHealthy, v1alpha1.ReasonHealthy, objectsReadyMessage(health))
	s.statusWriter.SetReady(v1alpha1.ReasonReady, s.runningMessage(health))
	return nil
}

// notObservedError returns the error of an instance whose objects have not been observed yet.
func notObservedError() error {
	return status.ForCondition(v1alpha1.ConditionHealthy, outcome.Waiting(
		v1alpha1.ReasonWaitingForObjects, 0, errors.New("waiting for the initial state of the objects")))
}

// setInventoryHealth sets the number of ready objects and the objects that are not ready in status. It
// keeps the number of a stopped instance, because only the workloads are observed then.
func setInventoryHealth(instance *v1alpha1.AppInstance, health release.Health) {
	inventory := instance.Status.Inventory
	if inventory == nil {
		return
	}
	inventory.Unready = health.Unready
	if !instance.Status.Stopped {
		inventory.Ready = int32(health.Ready)
	}
}

// hasOtherUnready reports whether status lists other objects that are not ready, or other messages.
func hasOtherUnready(instance *v1alpha1.AppInstance, health release.Health) bool {
	inventory := instance.Status.Inventory
	return inventory != nil && !slices.Equal(inventory.Unready, health.Unready)
}

// listObjects returns all objects of the instance. It reads them from Helm if the inventory in
// status is incomplete.
func listObjects(ctx context.Context, s *scope) ([]v1alpha1.ObjectReference, error) {
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

// missingObjectsRemedy describes how to restore objects that another client deleted.
const missingObjectsRemedy = "change the annotation " + v1alpha1.ReconcileRequestAnnotation +
	" or set spec.driftPolicy to Correct to restore the missing objects"

// remedyForMissing returns the remedy for missing objects, or "" if none are missing or the
// app is being removed.
func remedyForMissing(instance *v1alpha1.AppInstance, health release.Health) string {
	switch {
	case health.Missing == 0 || shouldBeRemoved(instance):
		return ""
	case health.NoKindMatch:
		return "; use a version of the app without the kind, or install the operator that provides the CRD and then change the annotation " +
			v1alpha1.ReconcileRequestAnnotation
	}
	return "; " + missingObjectsRemedy
}

// shouldBeRemoved reports whether the spec requires that the instance has no objects.
func shouldBeRemoved(instance *v1alpha1.AppInstance) bool {
	return !instance.DeletionTimestamp.IsZero() || instance.Spec.DesiredState == v1alpha1.StateUninstalled
}

// unhealthyError returns the error of an instance with objects that are not ready. It waits for
// them until spec.timeout after the last operation or after they were last ready. Objects
// that have failed are a terminal error.
func unhealthyError(r *Reconciler, s *scope, health release.Health) error {
	text := objectsReadyMessage(health) + remedyForMissing(s.instance, health)
	message := errors.New(text)
	s.statusWriter.SetInterim(false, s.runningMessage(health))
	s.described = true
	conditions := s.instance.Status.Conditions
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	late := stalled != nil && stalled.Reason == v1alpha1.ReasonTimedOut && stalled.ObservedGeneration == s.instance.Generation
	switch {
	case health.Failed:
		setInventoryHealth(s.instance, health)
		return outcome.Stalled(v1alpha1.ReasonUnhealthy, message)
	case late && !isReconcileRequested(s.instance):
		setInventoryHealth(s.instance, health)
		return outcome.Stalled(v1alpha1.ReasonTimedOut, message)
	}
	since := time.Now()
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	if reconciling != nil {
		since = reconciling.LastTransitionTime.Time
	}
	// The instance may have started reconciling long before the operation, for example to
	// wait for its app.
	if history := s.instance.Status.History; len(history) > 0 && history[0].EndedAt.After(since) {
		since = history[0].EndedAt.Time
	}
	left := time.Until(since.Add(operationTimeout(s.instance)))
	if left <= 0 {
		setInventoryHealth(s.instance, health)
		return outcome.Stalled(v1alpha1.ReasonTimedOut, message)
	}
	if pause := messageDelay(r, s, reconciling, text, hasOtherUnready(s.instance, health)); pause > 0 {
		// Keep the previous message until then.
		s.statusWriter.SetInterim(false, meta.FindStatusCondition(conditions, v1alpha1.ConditionReady).Message)
		return outcome.Waiting(v1alpha1.ReasonWaitingForObjects, min(left, pause), errors.New(reconciling.Message))
	}
	setInventoryHealth(s.instance, health)
	return outcome.Waiting(v1alpha1.ReasonWaitingForObjects, left+time.Second, message)
}

// messageInterval is the minimum time between two messages about objects that are not
// ready. During a rollout they can change many times per second.
const messageInterval = time.Second

// messageDelay returns the time until the message about the objects, or the list of those that
// are not ready, may change. The first message is shown immediately.
func messageDelay(r *Reconciler, s *scope, reconciling *metav1.Condition, text string, changesList bool) time.Duration {
	key := client.ObjectKeyFromObject(s.instance)
	goesOn := reconciling != nil && reconciling.Reason == v1alpha1.ReasonWaitingForObjects &&
		reconciling.ObservedGeneration == s.instance.Generation
	changes := changesList || goesOn && reconciling.Message != text
	if last, ok := r.messageTimes.Load(key); ok && goesOn && changes {
		if left := time.Until(last.(time.Time).Add(messageInterval)); left > 0 {
			return left
		}
	}
	if !goesOn || changes {
		r.messageTimes.Store(key, time.Now())
	}
	return 0
}

// hasReadyStatus reports whether the status already shows that this spec was applied and its
// objects were ready. After a restart, the status is then kept until the monitor has
// observed the objects. It is not kept after an operation or while a reconcile request is
// pending, because it would then be outdated.
func (s *scope) hasReadyStatus() bool {
	conditions := s.instance.Status.Conditions
	root := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if root == nil || isReconcileRequested(s.instance) || s.instance.Status.ObservedGeneration != s.instance.Generation ||
		meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling) ||
		!meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionHealthy) {
		return false
	}
	s.statusWriter.SetReady(root.Reason, root.Message)
	return true
}
