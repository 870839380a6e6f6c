package appinstalltask

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
)

// conflictRetryDelay is the delay before an instance is read again that another client has just
// changed. The cache contains the change shortly after.
const conflictRetryDelay = 50 * time.Millisecond

// writeInstance applies the task to the instance, once. If the following status update is lost, the
// task writes the instance again, which does not change it.
func (r *Reconciler) writeInstance(ctx context.Context, s *scope) error {
	if s.hasStarted() {
		return nil
	}
	subject := s.task.Namespace + "/" + s.task.Name
	failpoint.Point(failpoint.TaskAdmitted, subject)
	instance, err := r.createOrPatchInstance(ctx, s)
	if err != nil {
		return writeConflictError(s.task, err)
	}
	failpoint.Point(failpoint.TaskWritten, subject)
	now := metav1.Now()
	s.instance = instance
	s.task.Status.StartTime = &now
	s.task.Status.InstanceRef = s.instanceReference()
	s.statusWriter.MarkReconciling(fmt.Sprintf("%s of instance %s", s.task.Spec.Action, instance.Name))
	// The operation has started, regardless of changes of the task in the meantime.
	s.statusWriter.IgnoreConflicts()
	return s.statusWriter.Save(ctx)
}

// writeConflictError requeues the task soon if another client has changed or created the instance.
func writeConflictError(task *v1alpha1.AppInstallTask, err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, conflictRetryDelay, fmt.Errorf(
			"instance %s was just changed by another client", task.Instance()))
	}
	return fmt.Errorf("write instance %s: %w", task.Instance(), err)
}

func (r *Reconciler) createOrPatchInstance(ctx context.Context, s *scope) (*v1alpha1.AppInstance, error) {
	if s.instance == nil {
		instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.task.Namespace, Name: s.task.Instance()}}
		s.applyTaskToSpec(instance)
		// Saves the request with which the instance controller would add the finalizer.
		controllerutil.AddFinalizer(instance, v1alpha1.Finalizer)
		return instance, r.Create(ctx, instance)
	}
	instance := s.instance.DeepCopy()
	before := client.MergeFromWithOptions(s.instance, client.MergeFromWithOptimisticLock{})
	s.applyTaskToSpec(instance)
	return instance, r.Patch(ctx, instance, before)
}

// applyTaskToSpec applies the spec of the task to the instance.
func (s *scope) applyTaskToSpec(instance *v1alpha1.AppInstance) {
	s.setTaskAnnotations(instance)
	task, spec := s.task.Spec, &instance.Spec
	if s.isInstallAction() {
		*spec = s.initialSpec(*spec)
		if from := s.cloneSource; from != nil {
			spec.DataPolicy, spec.DriftPolicy, spec.History = from.Spec.DataPolicy, from.Spec.DriftPolicy, from.Spec.History
		}
	}
	spec.DataPolicy = cmp.Or(task.DataPolicy, spec.DataPolicy, v1alpha1.DataRetain)
	spec.ServiceAccountName = s.specifiedServiceAccount()
	spec.Timeout = task.Timeout
	spec.DesiredState = s.desiredState()
	switch task.Action {
	case v1alpha1.ActionRollback:
		spec.Revision = s.rollbackEntry.Revision
	case v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionUpgrade, v1alpha1.ActionAdopt:
		s.setDesiredRelease(spec)
	}
}

// isInstallAction reports whether the action installs the instance.
func (s *scope) isInstallAction() bool {
	switch s.task.Spec.Action {
	case v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt:
		return true
	}
	return false
}

// setTaskAnnotations records in the annotations of the instance which task wrote it and the revision
// before. A repeated write keeps the recorded revision, because the current one may be that
// of this task.
func (s *scope) setTaskAnnotations(instance *v1alpha1.AppInstance) {
	if instance.Labels == nil {
		instance.Labels = map[string]string{}
	}
	if instance.Annotations == nil {
		instance.Annotations = map[string]string{}
	}
	marks := instance.Annotations
	if !s.ownsInstance() {
		marks[v1alpha1.TaskBeforeAnnotation] = strconv.Itoa(int(instance.Status.Revision))
	}
	delete(marks, v1alpha1.TaskUndoneAnnotation)
	marks[v1alpha1.TaskAnnotation], marks[v1alpha1.TaskHashAnnotation] = s.task.Name, s.hash
	marks[v1alpha1.TaskUIDAnnotation] = string(s.task.UID)
	// A new request makes the instance retry a failed operation although the spec is
	// unchanged.
	marks[v1alpha1.ReconcileRequestAnnotation] = string(s.task.UID)
	instance.Labels[v1alpha1.AppLabel] = s.task.Spec.App.Name
}

// setDesiredRelease sets the version, the values and the related fields of the spec.
func (s *scope) setDesiredRelease(spec *v1alpha1.AppInstanceSpec) {
	task := s.task.Spec
	given := s.resolveTaskInputs()
	spec.AppRef, spec.Revision = task.App, 0
	spec.Version = task.Version
	if s.version != nil {
		spec.Version = s.version.Version
	}
	spec.Title = cmp.Or(task.Title, spec.Title)
	if len(task.Entrances) > 0 {
		spec.Entrances = task.Entrances
	}
	if task.CredentialRef != nil {
		spec.CredentialRef = task.CredentialRef
	}
	spec.Values, spec.ValuesFrom, spec.Envs = given.Values, given.ValuesFrom, given.Envs
	spec.CloneOf, spec.Adopt = task.CloneOf, nil
	if task.Action == v1alpha1.ActionAdopt {
		spec.Adopt = new(true)
	}
}
