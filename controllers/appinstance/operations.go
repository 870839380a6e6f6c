package appinstance

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/release"
)

// operationKind describes how operations of a type are carried out. A field that is not set
// means that the type has no such step or property.
type operationKind struct {
	// doing and done are the verbs of messages about an operation that is in progress or has
	// succeeded.
	doing, done string
	// begins and ends are the reasons of the events at the start and the end.
	begins, ends string
	// prepare checks an operation that leads to the target, and returns the function that
	// runs it.
	prepare func(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) (func(context.Context) error, error)
	// checks admit such an operation, except for an adoption together with the check of the
	// rendered app. If there are none, it needs no admission.
	checks []admission.Check
	// complete runs after such an operation has succeeded.
	complete func(ctx context.Context, r *Reconciler, s *scope) error
	// scale stops or resumes the workloads of a release.
	scale func(ctx context.Context, helm release.Client, name string) error
	// restart sets the time of the restart of the workloads of a release.
	restart func(ctx context.Context, helm release.Client, name string, at *metav1.Time) error

	// isInstall is set if the operation installs or adopts a release.
	isInstall bool
	// isRemoval is set if the operation has slots of its own and is not canceled by a change
	// of the spec.
	isRemoval bool
	// leavesStopped is set if the workloads have no Pods afterwards.
	leavesStopped bool
}

// operationKinds contains each type of operation. It does not change after the start.
var operationKinds map[v1alpha1.OperationType]operationKind

// init fills the table. An initializer cannot, because the functions of the table read it.
func init() {
	operationKinds = map[v1alpha1.OperationType]operationKind{
		v1alpha1.OperationInstall: {
			doing: "installing", done: "installed", begins: v1alpha1.EventInstalling, ends: v1alpha1.EventInstalled,
			prepare: prepareInstallation, checks: admission.InstallChecks, isInstall: true,
		},
		v1alpha1.OperationUpgrade: {
			doing: "upgrading to", done: "upgraded to", begins: v1alpha1.EventUpgrading, ends: v1alpha1.EventUpgraded,
			prepare: prepareInstallation, checks: admission.UpgradeChecks,
		},
		v1alpha1.OperationRollback: {
			doing: "rolling back", done: "rolled back", begins: v1alpha1.EventRollingBack, ends: v1alpha1.EventRolledBack,
			prepare: prepareRollback,
		},
		v1alpha1.OperationAdopt: {
			doing: "adopting", done: "adopted", begins: v1alpha1.EventAdopting, ends: v1alpha1.EventAdopted,
			prepare: prepareAdoption, checks: admission.AdoptChecks, complete: recordAdoptedValues, isInstall: true,
		},
		v1alpha1.OperationUninstall: {
			doing: "removing", done: "removed", begins: v1alpha1.EventUninstalling, ends: v1alpha1.EventUninstalled,
			isRemoval: true,
		},
		v1alpha1.OperationStop: {
			doing: "stopping", done: "stopped", begins: v1alpha1.EventStopping, ends: v1alpha1.EventStopped,
			scale:         func(ctx context.Context, helm release.Client, name string) error { return helm.Stop(ctx, name) },
			leavesStopped: true,
		},
		v1alpha1.OperationResume: {
			doing: "resuming", done: "resumed", begins: v1alpha1.EventResuming, ends: v1alpha1.EventResumed,
			scale: func(ctx context.Context, helm release.Client, name string) error { return helm.Resume(ctx, name) },
		},
		v1alpha1.OperationRestart: {
			doing: "restarting", done: "restarted", begins: v1alpha1.EventRestarting, ends: v1alpha1.EventRestarted,
			restart: func(ctx context.Context, helm release.Client, name string, at *metav1.Time) error {
				return helm.Restart(ctx, name, at)
			},
		},
	}
}

// inProgressMessage describes an operation that is in progress.
func inProgressMessage(o v1alpha1.Operation) string {
	if o.Version == "" {
		return operationKinds[o.Type].doing + " the releases"
	}
	return operationKinds[o.Type].doing + " " + operationTarget(o)
}

// doneMessage describes an operation that has succeeded.
func doneMessage(o v1alpha1.Operation) string {
	return strings.TrimSpace(operationKinds[o.Type].done + " " + operationTarget(o))
}

// operationTarget returns the revision and the version of an operation for messages. It is empty if
// the version is unknown.
func operationTarget(o v1alpha1.Operation) string {
	if o.Version == "" {
		return ""
	}
	if o.To != 0 {
		return fmt.Sprintf("to revision %d, version %s", o.To, o.Version)
	}
	return "version " + o.Version
}
