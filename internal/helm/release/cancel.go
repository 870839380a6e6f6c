package release

import (
	"context"
	"fmt"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
)

// CancelRelease settles a release after its operation was canceled, and deletes the hooks of the run that
// have not succeeded. Do not call it while an operation is in progress. A missing release is not an
// error.
func (c *Client) CancelRelease(ctx context.Context, name string) error {
	o, err := c.newOperation(ctx)
	if err != nil {
		return err
	}
	history, err := o.readHistory(name)
	if err != nil || len(history) == 0 {
		return o.classifyError(v1alpha1.ReasonInterrupted, err)
	}
	if err = o.unlockPending(history); err == nil {
		err = o.deleteUnfinishedHooks(history[len(history)-1])
	}
	return o.classifyError(v1alpha1.ReasonInterrupted, err)
}

// deleteUnfinishedHooks deletes the hooks of an interrupted revision that its run has created and that have not
// succeeded.
func (o *operation) deleteUnfinishedHooks(cut *release.Release) error {
	run := cut.Labels[runKey]
	if !cut.Info.Deleted.IsZero() {
		run = removalRunName(cut)
	}
	if run == "" || !isInterrupted(cut) {
		return nil
	}
	for _, hook := range cut.Hooks {
		if hook.LastRun.Phase == release.HookPhaseSucceeded && !hook.LastRun.StartedAt.Before(cut.Info.Deleted) {
			continue
		}
		ref, err := o.HookRef(hook, cut)
		if err != nil {
			return err
		}
		if err := o.deleteHookOfRun(ref, run); err != nil {
			return fmt.Errorf("delete hook %s: %w", hook.Name, err)
		}
	}
	return nil
}

// deleteHookOfRun deletes a hook if the run has created it and the hook does not have to outlive its
// release.
func (o *operation) deleteHookOfRun(ref v1alpha1.ObjectReference, run string) error {
	if ref.Kind == claimKind.Kind || isContainer(ref) {
		return nil
	}
	live, err := o.GetObject(o.ctx, ref)
	if err != nil || live == nil || live.GetAnnotations()[runKey] != run {
		return err
	}
	return o.deleteObjectRef(ref)
}
