package helm

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/fault"
)

// Uninstall removes a release with its objects and waits until these are gone,
// for timeout at most (DefaultTimeout if zero). Volume claims are kept; see Claims
// and DeleteKept. The record of the release goes too unless keepHistory is set. A
// release that is not there is no error.
func (c *Client) Uninstall(ctx context.Context, name string, keepHistory bool, timeout time.Duration) error {
	o, err := c.begin(ctx)
	if err != nil {
		return err
	}
	history, err := o.history(name)
	if err == nil && len(history) == 0 {
		// Nothing but parts of a record that was never finished, or not quite deleted.
		err = o.secrets.sweep(ctx)
	}
	if err != nil || len(history) == 0 {
		return o.judge(v1alpha1.ReasonUninstallFailed, err)
	}
	last := history[len(history)-1]
	if keepHistory && last.Info.Status == release.StatusUninstalled {
		return nil
	}
	err = o.uninstall(history, keepHistory, cmp.Or(timeout, DefaultTimeout))
	if err != nil {
		err = o.giveUp(name, err)
	}
	return o.judge(v1alpha1.ReasonUninstallFailed, err)
}

func (o *operation) uninstall(history []*release.Release, keepHistory bool, timeout time.Duration) error {
	last := history[len(history)-1]
	// What is not in the last revision, because that was never complete say, is known
	// only as long as the others are recorded.
	if err := o.prune(replaced(history), last); err != nil {
		return err
	}
	o.cluster.forgiving = true
	o.cluster.hooks.run = runName(last.Version, "uninstall")
	if (pending(last) || interrupted(last)) && !last.Info.Deleted.IsZero() {
		o.cluster.hooks.resume([]*release.Release{last}, last.Info.Deleted)
	}
	uninstall := action.NewUninstall(o.action)
	uninstall.KeepHistory, uninstall.Timeout, uninstall.Wait = keepHistory, timeout, true
	if _, err := uninstall.Run(last.Name); err != nil {
		return errors.Join(err, o.failUninstall(err))
	}
	fault.Point(fault.HelmRecordFinal, o.records.subject())
	return nil
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
