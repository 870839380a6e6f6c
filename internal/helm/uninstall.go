package helm

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
)

// Uninstall removes a release with its objects and waits until these are gone, and
// deletes the hooks that any of its runs has left behind. The observer of ctx is
// notified of the objects that are kept, before their release loses them: volume
// claims, what would take volume claims with it, and what the chart marks with
// helm.sh/resource-policy: keep. See DeleteKept.
//
// Delete hooks do not run for a release that was never complete, since what they need
// may never have been created. A release that is not there is no error.
func (c *Client) Uninstall(ctx context.Context, removal Removal) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(removal.Timeout, DefaultTimeout))
	defer cancel()
	o, err := c.beginOn(ctx, removal.Name)
	if err != nil {
		return err
	}
	history, err := o.history(removal.Name)
	if err == nil && len(history) == 0 {
		// Nothing but parts of a record that was never finished, or not quite deleted.
		err = o.secrets.sweep(ctx)
	}
	if err != nil || len(history) == 0 {
		return o.judge(v1alpha1.ReasonUninstallFailed, err)
	}
	if removal.KeepHistory && history[len(history)-1].Info.Status == release.StatusUninstalled {
		return nil
	}
	err = o.uninstall(history, removal)
	if err != nil {
		err = o.giveUp(removal.Name, err)
	}
	return o.judge(v1alpha1.ReasonUninstallFailed, err)
}

func (o *operation) uninstall(history []*release.Release, removal Removal) error {
	last := history[len(history)-1]
	o.cluster.phase = phaseDelete
	retained, err := o.retainedBy(history)
	if err != nil {
		return err
	}
	if err := o.noteRetained(retained); err != nil {
		return err
	}
	// What is not in the last revision, because that was never complete say, is known
	// only as long as the others are recorded.
	if err := o.prune(replaced(history), last); err != nil {
		return err
	}
	if err := o.client.clients.kinds.Refresh(o.ctx, 0); err != nil {
		return err
	}
	incomplete, err := o.noteIncomplete(history)
	if err != nil {
		return err
	}
	o.cluster.forgiving = true
	o.cluster.hooks.run = removalRun(last)
	if (pending(last) || interrupted(last)) && !last.Info.Deleted.IsZero() {
		o.cluster.hooks.resume([]*release.Release{last}, last.Info.Deleted)
	}
	o.records.beforeDelete = func() error { return o.removeHooks(history) }
	uninstall := action.NewUninstall(o.action)
	uninstall.KeepHistory, uninstall.Timeout, uninstall.Wait = removal.KeepHistory, cmp.Or(removal.Timeout, DefaultTimeout), true
	uninstall.DisableHooks = removal.SkipHooks || incomplete
	if _, err := uninstall.Run(last.Name); err != nil {
		return errors.Join(err, o.failUninstall(err))
	}
	failpoint.Point(failpoint.HelmRecordFinal, o.records.subject())
	return nil
}

// incompleteMark labels a revision that was never complete when its removal began.
// Afterwards its status does not tell.
const incompleteMark = "appmarket.io/incomplete"

// noteIncomplete reports whether a release was never complete, and records that before
// its removal begins.
func (o *operation) noteIncomplete(history []*release.Release) (bool, error) {
	last := history[len(history)-1]
	if last.Labels[incompleteMark] != "" {
		return true, nil
	}
	if everDeployed(history) || !last.Info.Deleted.IsZero() {
		return false, nil
	}
	if last.Labels == nil {
		last.Labels = map[string]string{}
	}
	last.Labels[incompleteMark] = "true"
	if err := o.store.Update(last); err != nil {
		return false, fmt.Errorf("record release %q: %w", last.Name, err)
	}
	return true, nil
}

// removalRun names the run that removes a release.
func removalRun(last *release.Release) string { return runName(last.Version, "uninstall") }

// removeHooks deletes the hooks that the runs of a release have left behind, but for
// those that must stay. Nobody knows them any more when the release is not recorded.
func (o *operation) removeHooks(history []*release.Release) error {
	seen := map[identity]bool{}
	var left []leaving
	revisions := history
	if current := o.records.current; current != nil {
		revisions = append(slices.Clone(history), current)
	}
	for _, revision := range revisions {
		for _, hook := range revision.Hooks {
			ref, err := o.hookRef(hook, revision)
			if err != nil {
				return err
			}
			if hook.LastRun.Phase == "" || ref.Kind == claimKind.Kind || isContainer(ref) || seen[identityOf(ref)] {
				continue
			}
			seen[identityOf(ref)] = true
			live, err := o.get(o.ctx, ref)
			if err != nil {
				return fmt.Errorf("get hook %s: %w", ref, err)
			}
			if live != nil && isLeftover(live, o.release) {
				left = append(left, leavingOf(ref, live))
			}
		}
	}
	return o.deleteLeft(left)
}

// failUninstall records that a removal has failed by a hook of its own, so that the
// next is another run, which makes the hook anew. After any other failure the next
// takes the run up again: hooks need what may be deleted by then.
func (o *operation) failUninstall(cause error) error {
	current := o.records.current
	if current == nil || !slices.ContainsFunc(current.Hooks, func(hook *release.Hook) bool {
		return hook.LastRun.Phase == release.HookPhaseFailed && !hook.LastRun.StartedAt.Before(current.Info.Deleted)
	}) {
		return nil
	}
	return o.failPending("Removal", cause)
}
