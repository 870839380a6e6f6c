package appinstance

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
)

// isSingletonInstallation reports whether an operation installs an app that can be installed once in
// a cluster.
func isSingletonInstallation(r *Reconciler, s *scope, operation v1alpha1.Operation) bool {
	return operationKinds[operation.Type].isInstall && admission.IsSingletonInstallation(newAdmissionOperation(r, s, operation))
}

// startOperation saves the operation to status before Helm is called. The instance of an app that can
// be installed once in a cluster waits if another instance has started since it was admitted. Only
// one such operation starts at a time, so that the first one is visible to the next one.
func startOperation(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) error {
	if !isSingletonInstallation(r, s, operation) {
		return saveOperation(ctx, s, operation)
	}
	r.singletons.Lock()
	defer r.singletons.Unlock()
	checked, found := newAdmissionOperation(r, s, operation), newFindings(s)
	checked.Objects = r.Live
	if err := admission.CheckStartedSingletons(ctx, checked, found); err != nil {
		return err
	}
	s.instance.Status.Preflight = found.ToProblems()
	if err := unmetError(found); err != nil {
		return err
	}
	s.markResolved()
	return saveOperation(ctx, s, operation)
}
