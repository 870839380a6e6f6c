package appinstalltask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// admitTask runs all checks of the action and reports all findings together. A finding that may
// resolve itself, such as a missing app, dependency or input, makes the task wait. Any
// other finding ends the task.
func (r *Reconciler) admitTask(ctx context.Context, s *scope) error {
	if s.ownership.hasStarted {
		return nil
	}
	if s.ownership.isWriteLost {
		recordLostWrite(s)
		return nil
	}
	p := newTaskFindings(s.task, time.Now())
	if err := runChecks(ctx, r, s, p); err != nil {
		return err
	}
	if err := runSubtasks(ctx, r, s, p); err != nil {
		return err
	}
	s.task.Status.Preflight = p.ToProblems()
	if err := p.toError(s.task); err != nil {
		return rejectAdmission(ctx, r, s, requeueOnce(s.task, err))
	}
	s.markAdmitted()
	if s.version != nil {
		s.task.Status.Version = s.version.Version
	}
	return nil
}

// runChecks runs all checks of the action.
func runChecks(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	s.task.Status.RequiredInputs = nil
	state, err := withOtherInstances(ctx, r, s, s.checkState())
	if err != nil {
		return err
	}
	p.Add(state)
	for _, check := range s.action.checks {
		if err := check(ctx, r, s, p); err != nil {
			return err
		}
	}
	return nil
}

// rejectAdmission ends or delays the admission with an error. If the error is terminal and the task
// has subtasks, it first reverts them as spec.onFailure specifies.
func rejectAdmission(ctx context.Context, r *Reconciler, s *scope, err error) error {
	if outcome.IsStalled(err) && len(s.task.Status.Subtasks) > 0 {
		err = revertSubtasks(ctx, r, s, newProblem(outcome.Reason(err, v1alpha1.ReasonInvalidSpec), err.Error()))
	}
	err = withBlockedMessage(ctx, r, s, err)
	return status.ForCondition(v1alpha1.ConditionAdmitted, err)
}

// requeueOnce requeues the task once, 1s after it starts to wait for dependencies. A
// dependency that becomes ready during the checks does not trigger a reconcile, because the
// task does not yet wait for it.
func requeueOnce(task *v1alpha1.AppInstallTask, err error) error {
	after, waiting := outcome.IsWaiting(err)
	if !waiting || outcome.Reason(err, "") != v1alpha1.ReasonWaitingForDependency || after > 0 && after < recheckInterval {
		return err
	}
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	if c != nil && c.Reason == v1alpha1.ReasonWaitingForDependency {
		return err
	}
	return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, time.Second, errors.New(err.Error()))
}

// recordLostWrite restores the status of a task that wrote its instance but failed to save its own
// status. The checks are not repeated: they could fail now because the operation is in
// progress or done.
func recordLostWrite(s *scope) {
	now := metav1.Now()
	s.task.Status.StartTime = &now
	s.recordInstance(s.instance)
	s.task.Status.Preflight, s.task.Status.RequiredInputs = nil, nil
	s.statusWriter.MarkTrue(v1alpha1.ConditionAdmitted, v1alpha1.ReasonAdmitted, "all checks passed")
}

// checkState returns an error if the name or the state of the instance does not allow the
// action.
func (s *scope) checkState() error {
	name := s.task.Instance()
	if len(name) > maxInstanceName {
		return outcome.Stalled(v1alpha1.ReasonNameTooLong, fmt.Errorf(
			"spec.instanceName: Invalid value: %q: must have at most %d characters; set a shorter name", name, maxInstanceName))
	}
	if s.instance != nil && s.instance.DeletionTimestamp.IsZero() {
		if err := checkInstance(s, name); err != nil {
			return err
		}
	}
	return transitions.Admit(s.task.Spec.Action, name, s.instance)
}

// checkInstance returns an error if the instance belongs to another app.
func checkInstance(s *scope, name string) error {
	has, wants := s.instance.Spec.AppRef, s.task.Spec.AppRef
	if has.Source != wants.Source || has.Name != wants.Name {
		return outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf(
			"instance %q belongs to app %q of source %q, not to app %q of source %q; set another spec.instanceName",
			name, has.Name, has.Source, wants.Name, wants.Source))
	}
	return nil
}

// maxInstanceName is the maximum length of an instance name. Release names are derived from
// it.
const maxInstanceName = 40

// findApp sets the app of the scope.
func findApp(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	app, err := r.Catalog.Find(ctx, s.task.Spec.AppRef, s.task.Namespace)
	if left := sourceGraceLeft(s.task, err, time.Now()); left > 0 {
		p.AddUntil(outcome.Waiting(v1alpha1.ReasonWaitingForSource, left, err), fmt.Sprintf(
			"the task waits for the source until %s after its creation", cmp.Or(s.task.Spec.StartDeadline, v1alpha1.Duration(sourceGrace.String()))))
		return nil
	}
	if err == nil {
		s.app = app
	}
	return p.AddOrReturn(err)
}

// findVersion sets the version of the scope.
func findVersion(_ context.Context, _ *Reconciler, s *scope, p *taskFindings) (err error) {
	if s.app == nil {
		return nil
	}
	s.version, err = s.app.FindVersion(s.requestedVersion(), s.task.Spec.ParametersPath()+".version")
	return p.AddOrReturn(err)
}

// findSpecifiedVersion sets the version of the scope if the task specifies one.
func findSpecifiedVersion(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.task.Spec.Parameters().Version == "" {
		return nil
	}
	return findVersion(ctx, r, s, p)
}

// findInstalledVersion sets the version of the scope to the installed version of the instance.
func findInstalledVersion(_ context.Context, _ *Reconciler, s *scope, p *taskFindings) (err error) {
	if s.app == nil || s.instance == nil || s.instance.Status.Version == "" {
		return nil
	}
	s.version, err = s.app.FindVersion(s.instance.Status.Version, "status.version")
	return p.AddOrReturn(err)
}

// sourceGrace is the time that a new task without spec.startDeadline waits for a missing source.
// Tools that apply both together often create the task first.
const sourceGrace = 30 * time.Second

// sourceGraceLeft returns how much longer the task waits for a source that does not exist
// or is not shared with the namespace of the task: until its deadline, or for sourceGrace
// after its creation.
func sourceGraceLeft(task *v1alpha1.AppInstallTask, err error, now time.Time) time.Duration {
	if outcome.Reason(err, "") != v1alpha1.ReasonRefNotPermitted {
		return 0
	}
	return task.Spec.StartDeadline.Or(sourceGrace) - now.Sub(task.CreationTimestamp.Time)
}

// requestedVersion returns the exact version or the range that is requested. It defaults to
// the version of the cloned instance.
func (s *scope) requestedVersion() string {
	if s.task.Spec.Parameters().Version == "" && s.cloneSource != nil {
		return s.cloneSource.Status.Version
	}
	return s.task.Spec.Parameters().Version
}

// checkNewerVersion adds a finding if an upgrade does not lead to a newer version.
func checkNewerVersion(_ context.Context, _ *Reconciler, s *scope, p *taskFindings) error {
	if s.instance != nil && s.version != nil {
		p.Add(notNewerError(s))
	}
	return nil
}

// notNewerError returns an error if the version is not newer than the installed one, and the
// task does not allow that.
func notNewerError(s *scope) error {
	have, version := s.instance.Status.Version, s.version.Version
	if have == "" || catalog.IsNewer(version, have) {
		return nil
	}
	if version == have {
		return outcome.Stalled(v1alpha1.ReasonVersionNotNewer, fmt.Errorf(
			"instance %q already has version %s; to change its configuration, use action Configure", s.instance.Name, have))
	}
	if s.task.Spec.AllowsDowngrade() {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonVersionNotNewer, fmt.Errorf(
		"version %s is not newer than the installed version %s; to install it, set spec.upgrade.version and spec.upgrade.allowDowngrade", version, have))
}

// checkRevision finds the revision to roll back to.
func checkRevision(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.instance == nil {
		return nil
	}
	if number := s.task.Spec.RollbackRevision(); number != 0 {
		if s.rollbackEntry = transitions.FindRevision(s.instance, number); s.rollbackEntry == nil {
			p.Add(outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
				"spec.rollback.revision: revision %d of instance %q not found; %s", number, s.instance.Name, revisionsMessage(s.instance))))
		}
	} else if s.rollbackEntry = transitions.PreviousRevision(s.instance); s.rollbackEntry == nil {
		p.Add(outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
			"instance %q has no revision before the current one; %s", s.instance.Name, revisionsMessage(s.instance))))
	}
	if s.rollbackEntry == nil {
		return nil
	}
	s.task.Status.Version, s.task.Status.Revision = s.rollbackEntry.Operation.Version, s.rollbackEntry.Revision
	return checkRecorded(ctx, r, s, p)
}

// checkRecorded reports a revision whose Helm release no longer exists. If the service
// account has no permission to read the releases, checkPermissions lists the missing
// permissions.
func checkRecorded(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	reader, err := r.Tenants.ClientFor(s.tenant())
	if err != nil {
		return fmt.Errorf("impersonate service account %q: %w", s.serviceAccountName(), err)
	}
	lost, err := release.FindLostRevision(ctx, reader, s.task.Namespace, s.rollbackEntry)
	switch {
	case apierrors.IsForbidden(err):
	case err != nil:
		return err
	case lost != nil:
		p.Add(outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
			"revision %d of instance %q cannot be restored because its record of Helm release %q was deleted; "+
				"set a later revision, and increase spec.revisionHistoryLimit of the instance to keep more records", s.rollbackEntry.Revision, s.instance.Name, lost.Name)))
	}
	return nil
}

// maxNamed is the maximum number of instances or revisions that a message lists.
const maxNamed = 10

// revisionsMessage lists the revisions of an instance that can be restored.
func revisionsMessage(instance *v1alpha1.AppInstance) string {
	var numbers []string
	for _, entry := range instance.Status.History {
		if entry.Revision != 0 && transitions.FindRevision(instance, entry.Revision) != nil {
			numbers = append(numbers, fmt.Sprintf("revision %d with version %s", entry.Revision, entry.Operation.Version))
		}
	}
	if len(numbers) == 0 {
		return "status.history of the instance has no revisions"
	}
	return "status.history of the instance has " + text.List(numbers, ", ", maxNamed)
}

// withOtherInstances returns the error about the state of the instance. If the instance does not
// exist, the error lists the other instances of the app.
func withOtherInstances(ctx context.Context, r *Reconciler, s *scope, state error) (error, error) {
	if s.instance != nil || outcome.Reason(state, "") != v1alpha1.ReasonNotInstalled {
		return state, nil
	}
	others, err := otherInstances(ctx, r, s)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range others {
		has, wants := others[i].Spec.AppRef, s.task.Spec.AppRef
		if has.Name == wants.Name && has.Source == wants.Source && others[i].DeletionTimestamp.IsZero() {
			names = append(names, others[i].Name)
		}
	}
	if len(names) == 0 {
		return state, nil
	}
	return outcome.Stalled(v1alpha1.ReasonNotInstalled, fmt.Errorf(
		"instance %q not found; set spec.instanceName to an instance of app %q (%s)",
		s.task.Instance(), s.task.Spec.AppRef.Name, text.List(names, ", ", maxNamed))), nil
}
