package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/helm/cluster"
	plain "github.com/appmarket/operator/internal/release"
)

// Uninstall removes a release, waits until its objects are deleted, and deletes the hooks that its
// runs have left behind. It notifies the observer of ctx of the objects that are kept before they
// leave the release: volume claims, objects whose deletion would delete volume claims, and objects
// that the chart marks with helm.sh/resource-policy: keep. See DeleteKept.
//
// Delete hooks do not run for a release that was never complete, because objects that they need may
// not exist. A missing release is not an error.
func (c *Client) Uninstall(ctx context.Context, removal plain.Removal) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(removal.Timeout, DefaultTimeout))
	defer cancel()
	o, err := c.newOperationFor(ctx, removal.Name)
	if err != nil {
		return err
	}
	history, err := o.readHistory(removal.Name)
	if err == nil && len(history) == 0 {
		// Only chunks of a record remain that was not written or deleted completely.
		err = o.records.DeleteUnusedChunks(ctx)
	}
	if err != nil || len(history) == 0 {
		return o.classifyError(v1alpha1.ReasonUninstallFailed, err)
	}
	if removal.KeepHistory && history[len(history)-1].Info.Status == release.StatusUninstalled {
		return nil
	}
	err = o.uninstallRelease(history, removal)
	if err != nil {
		err = o.markFailed(removal.Name, err)
	}
	return o.classifyError(v1alpha1.ReasonUninstallFailed, err)
}

func (o *operation) uninstallRelease(history []*release.Release, removal plain.Removal) error {
	last := history[len(history)-1]
	o.cluster.phase = phaseDelete
	retained, err := o.objectsRetainedBy(history)
	if err != nil {
		return err
	}
	if err := o.noteRetained(retained); err != nil {
		return err
	}
	// The objects that are not in the last revision, for example because it was never complete, are
	// known only while the other revisions are recorded.
	if err := o.pruneObjects(replacedRevisions(history), last); err != nil {
		return err
	}
	if err := o.client.clients.kinds.Refresh(o.ctx, 0); err != nil {
		return err
	}
	incomplete, err := o.noteIncomplete(history)
	if err != nil {
		return err
	}
	o.cluster.ignoresMissingKinds = true
	o.cluster.hooks.run = removalRunName(last)
	if (isPending(last) || isInterrupted(last)) && !last.Info.Deleted.IsZero() {
		o.cluster.hooks.restoreRun([]*release.Release{last}, last.Info.Deleted)
	}
	o.records.BeforeDelete = func() error { return o.removeHooks(history) }
	uninstall := action.NewUninstall(o.action)
	uninstall.KeepHistory, uninstall.Timeout, uninstall.Wait = removal.KeepHistory, cmp.Or(removal.Timeout, DefaultTimeout), true
	uninstall.DisableHooks = removal.SkipHooks || incomplete
	if _, err := uninstall.Run(last.Name); err != nil {
		return errors.Join(err, o.failUninstall(err))
	}
	failpoint.Point(failpoint.HelmRecordFinal, o.records.FailpointSubject())
	return nil
}

// incompleteLabel labels a revision of a release that was never complete when its removal started.
// Later, the status of the revision does not contain this information.
const incompleteLabel = "appmarket.io/incomplete"

// noteIncomplete reports whether a release was never complete, and stores this before the removal
// starts.
func (o *operation) noteIncomplete(history []*release.Release) (bool, error) {
	last := history[len(history)-1]
	if last.Labels[incompleteLabel] != "" {
		return true, nil
	}
	if hasBeenDeployed(history) || !last.Info.Deleted.IsZero() {
		return false, nil
	}
	if last.Labels == nil {
		last.Labels = map[string]string{}
	}
	last.Labels[incompleteLabel] = "true"
	if err := o.store.Update(last); err != nil {
		return false, fmt.Errorf("record release %q: %w", last.Name, err)
	}
	return true, nil
}

// removalRunName returns the name of the run that removes a release.
func removalRunName(last *release.Release) string { return runName(last.Version, "uninstall") }

// removeHooks deletes the hooks that the runs of a release have left behind, except hooks that must
// be kept. When the records of the release are deleted, these hooks cannot be found anymore.
func (o *operation) removeHooks(history []*release.Release) error {
	seen := map[cluster.Identity]bool{}
	var left []removedObject
	revisions := history
	if current := o.records.Current; current != nil {
		revisions = append(slices.Clone(history), current)
	}
	for _, revision := range revisions {
		for _, hook := range revision.Hooks {
			ref, err := o.HookRef(hook, revision)
			if err != nil {
				return err
			}
			if hook.LastRun.Phase == "" || ref.Kind == claimKind.Kind || isContainer(ref) || seen[cluster.IdentityOf(ref)] {
				continue
			}
			seen[cluster.IdentityOf(ref)] = true
			live, err := o.GetObject(o.ctx, ref)
			if err != nil {
				return fmt.Errorf("get hook %s: %w", ref, err)
			}
			if live != nil && isLeftover(live, o.release) {
				left = append(left, removedObjectFor(ref, live))
			}
		}
	}
	return o.deleteLeftover(left)
}

// failUninstall marks a removal as failed if one of its own hooks has failed, so that the next
// removal is a new run, which creates the hook again. After any other failure, the next removal
// continues the run, because objects that hooks need may already be deleted.
func (o *operation) failUninstall(cause error) error {
	current := o.records.Current
	if current == nil || !slices.ContainsFunc(current.Hooks, func(hook *release.Hook) bool {
		return hook.LastRun.Phase == release.HookPhaseFailed && !hook.LastRun.StartedAt.Before(current.Info.Deleted)
	}) {
		return nil
	}
	return o.failPending("Removal", cause)
}
