package appinstalltask

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/taskrecord"
)

// conflictRetryDelay is the delay before an instance that another client has changed is read again.
// The cache contains the change shortly after it was made.
const conflictRetryDelay = 50 * time.Millisecond

// writeInstance applies the task to the instance, once. If the following status update is lost, the
// task writes the instance again, which does not change it.
func (r *Reconciler) writeInstance(ctx context.Context, s *scope) error {
	if s.ownership.hasStarted {
		return nil
	}
	subject := s.task.Namespace + "/" + s.task.Name
	failpoint.Point(failpoint.TaskAdmitted, subject)
	if admission.IsSingletonInstallation(newOperation(r, s)) {
		r.singletons.Lock()
		defer r.singletons.Unlock()
		if err := checkSingletonAgain(ctx, r, s); err != nil {
			return err
		}
	}
	instance, err := createOrPatchInstance(ctx, r, s)
	if err != nil {
		return writeConflictError(s.task, err)
	}
	failpoint.Point(failpoint.TaskWritten, subject)
	now := metav1.Now()
	s.task.Status.StartTime = &now
	s.recordInstance(instance)
	s.statusWriter.MarkReconciling(fmt.Sprintf("%s of instance %q", s.task.Spec.Action, instance.Name))
	// The operation has started, regardless of changes of the task in the meantime.
	s.statusWriter.IgnoreConflicts()
	return s.statusWriter.Save(ctx)
}

// writeConflictError requeues the task soon if another client has changed or created the instance.
func writeConflictError(task *v1alpha1.AppInstallTask, err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, conflictRetryDelay, fmt.Errorf(
			"instance %q was changed by another client; retrying", task.Instance()))
	}
	return fmt.Errorf("write instance %q: %w", task.Instance(), err)
}

func createOrPatchInstance(ctx context.Context, r *Reconciler, s *scope) (*v1alpha1.AppInstance, error) {
	if s.instance == nil {
		instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.task.Namespace, Name: s.task.Instance()}}
		if err := applyTask(s, instance); err != nil {
			return nil, err
		}
		// Saves the request with which the instance controller would add the finalizer.
		controllerutil.AddFinalizer(instance, v1alpha1.Finalizer)
		return instance, r.Create(ctx, instance)
	}
	instance := s.instance.DeepCopy()
	before := client.MergeFromWithOptions(s.instance, client.MergeFromWithOptimisticLock{})
	if err := applyTask(s, instance); err != nil {
		return nil, err
	}
	return instance, r.Patch(ctx, instance, before)
}

// applyTask applies the spec of the task to the instance, and records the task in it.
func applyTask(s *scope, instance *v1alpha1.AppInstance) error {
	if err := signInstance(s, instance); err != nil {
		return err
	}
	task, spec := &s.task.Spec, &instance.Spec
	if s.action.isInstall {
		*spec = s.initialSpec(*spec)
		if from := s.cloneSource; from != nil {
			spec.DataPolicy, spec.DriftPolicy, spec.RevisionHistoryLimit = from.Spec.DataPolicy, from.Spec.DriftPolicy, from.Spec.RevisionHistoryLimit
		}
	}
	spec.DataPolicy = cmp.Or(task.RequestedDataPolicy(), spec.DataPolicy, v1alpha1.DataRetain)
	spec.ServiceAccountName = s.specifiedServiceAccount()
	spec.Timeout = task.Timeout
	spec.DesiredState = s.action.desiredState()
	// A restart that was requested before and failed must not be part of another operation.
	spec.RestartRequestedAt = instance.Status.RestartedAt.DeepCopy()
	if s.action.apply != nil {
		s.action.apply(s, spec)
	}
	return taskrecord.SetCode(instance)
}

// signInstance records in the instance which task wrote it, and the revision and the restart before.
// A repeated write keeps both, because this task may have created the current ones.
func signInstance(s *scope, instance *v1alpha1.AppInstance) error {
	record := taskrecord.Record{
		Task: s.task.Name, UID: string(s.task.UID), Hash: s.hash,
		RequestedBy:      taskrecord.TrimRequester(s.task.Annotations[v1alpha1.RequestedByAnnotation]),
		PreviousRevision: instance.Status.Revision, PreviousRestart: instance.Status.RestartedAt,
	}
	if s.ownership.isWriter {
		record.PreviousRevision, record.PreviousRestart = s.ownership.record.PreviousRevision, s.ownership.record.PreviousRestart
	}
	if err := taskrecord.WriteRecord(instance, record); err != nil {
		return err
	}
	// A new request makes the instance retry a failed operation although the spec is
	// unchanged.
	instance.Annotations[v1alpha1.ReconcileRequestAnnotation] = string(s.task.UID)
	if instance.Labels == nil {
		instance.Labels = map[string]string{}
	}
	if from := s.cloneSource; from != nil {
		instance.Annotations[v1alpha1.ClonedFromAnnotation] = strings.TrimPrefix(from.Namespace+"/"+from.Name, s.task.Namespace+"/")
	}
	instance.Labels[v1alpha1.AppLabel] = s.task.Spec.AppRef.Name
	return nil
}

// setRevision pins the instance to the revision to roll back to.
func setRevision(s *scope, spec *v1alpha1.AppInstanceSpec) {
	spec.PinnedRevision = s.rollbackEntry.Revision
}

// setAdoptedRelease sets the fields of setDesiredRelease for a release that is adopted.
func setAdoptedRelease(s *scope, spec *v1alpha1.AppInstanceSpec) {
	setDesiredRelease(s, spec)
	spec.AdoptionPolicy = v1alpha1.AdoptionAdopt
}

// setDesiredRelease sets the version and the configuration of the spec.
func setDesiredRelease(s *scope, spec *v1alpha1.AppInstanceSpec) {
	spec.AppRef, spec.Version = s.task.Spec.AppRef, s.task.Spec.Parameters().Version
	if s.version != nil {
		spec.Version = s.version.Version
	}
	setConfiguration(s, spec)
	spec.AdoptionPolicy = v1alpha1.AdoptionReject
}

// configureInstalledRelease sets the configuration of the spec and keeps the installed version. A
// version constraint that selects another version, for example after a rollback, is replaced by the
// installed version.
func configureInstalledRelease(s *scope, spec *v1alpha1.AppInstanceSpec) {
	if selected, err := s.app.FindVersion(spec.Version, "spec.version"); spec.Version != "" && (err != nil || selected.Version != s.version.Version) {
		spec.Version = s.version.Version
	}
	setConfiguration(s, spec)
}

// setConfiguration sets the values, the inputs and the titles of the spec. Fields that the task does
// not specify keep their values. A revision to which the instance is pinned is released, because
// the configuration would have no effect.
func setConfiguration(s *scope, spec *v1alpha1.AppInstanceSpec) {
	configuration, given := s.task.Spec.Parameters(), s.resolveTaskInputs()
	spec.PinnedRevision = 0
	spec.Title = cmp.Or(configuration.Title, spec.Title)
	if len(configuration.Entrances) > 0 {
		spec.Entrances = configuration.Entrances
	}
	if configuration.CredentialSecretRef != nil {
		spec.CredentialSecretRef = configuration.CredentialSecretRef
	}
	spec.Values, spec.ValuesFrom, spec.Inputs = given.Values, given.ValuesFrom, given.Envs
}
