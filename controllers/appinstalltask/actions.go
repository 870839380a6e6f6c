package appinstalltask

import (
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/transitions"
)

// action describes how tasks with an action are carried out. A field that is not set means
// that the action has no such step or property.
type action struct {
	// checks run before a task is admitted, in this order. The state of the instance is
	// checked for every action.
	checks []check
	// apply sets the fields of the spec that only some actions set.
	apply func(s *scope, spec *v1alpha1.AppInstanceSpec)
	// revert restores the fields of the spec after the task was canceled or has failed.
	revert func(s *scope, spec *v1alpha1.AppInstanceSpec)
	// complete runs after the instance has completed the operation, until it returns nil.
	complete func(ctx context.Context, r *Reconciler, s *scope) error
	// preview returns the version to render to find objects that the inventory of the
	// instance does not contain, nil if there are none.
	preview func(s *scope) *preview
	// keepsVersion reports whether an instance with the version has still has the result of a
	// task that installed the version installed. If it is not set, the version does not matter.
	keepsVersion func(has, installed string) bool
	// conflicts are the actions that undo this one, and that this one undoes. It is enough
	// that one of two such actions lists the other.
	conflicts []v1alpha1.Action
	// outcome contains the states to which the action leads.
	outcome transitions.Outcome

	// isInstall is set if the action installs an instance that is not installed.
	isInstall bool
	// isUpgrade is set if fields that the task does not specify keep the values of the
	// instance.
	isUpgrade bool
	// changesRevision is set if spec.onFailure Rollback restores the revision before.
	changesRevision bool
	// overtakes is set if the action is carried out before older tasks of the instance.
	overtakes bool
	// isCancel is set if the action refers to another task. It does not wait in the queue of
	// the instance.
	isCancel bool
}

// check adds the problems that it finds to the findings of a task. It returns an error if the
// check itself failed.
type check func(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error

// admissionCheck returns a check that runs checks of package admission.
func admissionCheck(checks ...admission.Check) check {
	return func(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
		return admission.RunChecks(ctx, newOperation(r, s), &p.Findings, checks...)
	}
}

// withVersion returns a check that is skipped if the version of the app is unknown.
func withVersion(next check) check {
	return func(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
		if s.version == nil {
			return nil
		}
		return next(ctx, r, s, p)
	}
}

// preview is a version to render, and the objects of it that an action changes.
type preview struct {
	version string
	// hookEvents are the events of the hooks that run.
	hookEvents []string
	// restoresObjects is set if the action creates or updates objects other than hooks.
	restoresObjects bool
	// adoptsObjects is set if the action takes over existing objects and runs no hooks.
	adoptsObjects bool
}

// previewAdoption returns the release to adopt.
func previewAdoption(s *scope) *preview {
	return &preview{version: s.requestedVersion(), adoptsObjects: true}
}

// previewRollback returns the revision to roll back to.
func previewRollback(s *scope) *preview {
	if s.rollbackEntry == nil {
		return nil
	}
	return &preview{
		version: s.rollbackEntry.Operation.Version, restoresObjects: true, hookEvents: []string{"pre-rollback", "post-rollback"},
	}
}

// previewUninstallation returns the installed version.
func previewUninstallation(s *scope) *preview {
	if s.instance == nil || s.instance.Status.Version == "" {
		return nil
	}
	return &preview{version: s.instance.Status.Version, hookEvents: []string{"pre-delete", "post-delete"}}
}

// actions contains each action. A new action also needs a row in package transitions.
var actions = map[v1alpha1.Action]action{
	v1alpha1.ActionInstall: {
		checks: []check{
			findApp, findVersion, admissionCheck(admission.CheckWithdrawn, admission.CheckListing, admission.CheckAdministrator), dependenciesCheck, inputsCheck,
			admissionCheck(admission.CheckSharedCharts, admission.CheckConflicts, admission.CheckSingleInstance, admission.CheckClusterSingleton), checkCluster,
		},
		apply: setDesiredRelease, revert: setAbsent,
		conflicts: []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		isInstall: true,
	},
	v1alpha1.ActionClone: {
		checks: []check{
			checkCloneSource, findApp, findVersion, admissionCheck(admission.CheckWithdrawn, admission.CheckListing, admission.CheckAdministrator),
			dependenciesCheck, inputsCheck,
			admissionCheck(admission.CheckSharedCharts), checkClone, checkCluster,
		},
		apply: setDesiredRelease, revert: setAbsent,
		conflicts: []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		isInstall: true,
	},
	v1alpha1.ActionAdopt: {
		checks: []check{findApp, findSpecifiedVersion, admissionCheck(admission.AdoptChecks...), checkPermissions},
		// A canceled adoption has not changed the release.
		apply: setAdoptedRelease, preview: previewAdoption,
		conflicts: []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		isInstall: true,
	},
	v1alpha1.ActionUpgrade: {
		checks: []check{findApp, findVersion, checkNewerVersion, admissionCheck(admission.CheckListing), dependenciesCheck, inputsCheck, checkCluster},
		apply:  setDesiredRelease, revert: pinPreviousRevision,
		keepsVersion: func(has, installed string) bool { return has == installed || catalog.IsNewer(has, installed) },
		conflicts:    []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		isUpgrade:    true, changesRevision: true,
	},
	v1alpha1.ActionConfigure: {
		checks: []check{findApp, findInstalledVersion, dependenciesCheck, inputsCheck, checkCluster},
		apply:  configureInstalledRelease, revert: pinPreviousRevision,
		keepsVersion: func(has, installed string) bool { return has == installed || catalog.IsNewer(has, installed) },
		conflicts:    []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
		isUpgrade:    true, changesRevision: true,
	},
	v1alpha1.ActionRollback: {
		checks: []check{checkRevision, checkPermissions},
		apply:  setRevision, revert: pinPreviousRevision, preview: previewRollback,
		keepsVersion:    func(has, installed string) bool { return has == installed },
		changesRevision: true,
	},
	v1alpha1.ActionStop: {
		checks: []check{checkPermissions}, revert: setRunning,
	},
	v1alpha1.ActionResume: {
		checks: []check{checkPermissions}, revert: setStopped,
		conflicts: []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
	},
	v1alpha1.ActionRestart: {
		checks: []check{checkLastChange, checkPermissions},
		apply:  requestRestart, revert: withdrawRestart,
		conflicts: []v1alpha1.Action{v1alpha1.ActionUninstall, v1alpha1.ActionStop},
	},
	v1alpha1.ActionUninstall: {
		checks: []check{
			checkDependents, checkSingletonUsers, checkSharedUsers,
			checkSharedRemoval, checkPermissions,
		},
		revert: setAbsent, preview: previewUninstallation, complete: removeSharedCharts,
		overtakes: true,
	},
	v1alpha1.ActionCancel: {isCancel: true},
}

// Checks of several actions.
var (
	dependenciesCheck = withVersion(checkDependencies)
	inputsCheck       = withVersion(checkInputs)
)

// actionOf returns the row of the action of a task.
func actionOf(task *v1alpha1.AppInstallTask) action {
	row := actions[task.Spec.Action]
	row.outcome = transitions.Outcomes[task.Spec.Action]
	return row
}

// desiredState returns the desired state that the action writes to the instance.
func (a action) desiredState() v1alpha1.DesiredState {
	switch a.outcome.Succeeded {
	case transitions.Uninstalled:
		return v1alpha1.StateUninstalled
	case transitions.Stopped:
		return v1alpha1.StateStopped
	}
	return v1alpha1.StateRunning
}

// areOpposite reports whether one action undoes the other.
func areOpposite(a, b v1alpha1.Action) bool {
	return slices.Contains(actions[a].conflicts, b) || slices.Contains(actions[b].conflicts, a)
}

// isCancel reports whether a task cancels another one.
func isCancel(task *v1alpha1.AppInstallTask) bool { return actions[task.Spec.Action].isCancel }
