package helm

import (
	"context"
	"fmt"

	"helm.sh/helm/v3/pkg/release"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Abandon settles a release after its operation was canceled, and deletes the hooks of the run that
// have not succeeded. Do not call it while an operation is in progress. A missing release is not an
// error.
func (c *Client) Abandon(ctx context.Context, name string) error {
	o, err := c.begin(ctx)
	if err != nil {
		return err
	}
	history, err := o.history(name)
	if err != nil || len(history) == 0 {
		return o.judge(v1alpha1.ReasonInterrupted, err)
	}
	if err = o.settle(history); err == nil {
		err = o.endHooks(history[len(history)-1])
	}
	return o.judge(v1alpha1.ReasonInterrupted, err)
}

// endHooks deletes the hooks of an interrupted revision that its run has created and that have not
// succeeded.
func (o *operation) endHooks(cut *release.Release) error {
	run := cut.Labels[runMark]
	if !cut.Info.Deleted.IsZero() {
		run = removalRun(cut)
	}
	if run == "" || !interrupted(cut) {
		return nil
	}
	for _, hook := range cut.Hooks {
		if hook.LastRun.Phase == release.HookPhaseSucceeded && !hook.LastRun.StartedAt.Before(cut.Info.Deleted) {
			continue
		}
		ref, err := o.hookRef(hook, cut)
		if err != nil {
			return err
		}
		if err := o.deleteOfRun(ref, run); err != nil {
			return fmt.Errorf("delete hook %s: %w", hook.Name, err)
		}
	}
	return nil
}

// hookRef returns the reference of the object of a hook.
func (o *operation) hookRef(hook *release.Hook, of *release.Release) (ObjectRef, error) {
	var head objectHead
	if err := yaml.Unmarshal([]byte(hook.Manifest), &head); err != nil {
		return ObjectRef{}, fmt.Errorf("read hook %s: %w", hook.Name, err)
	}
	return o.client.ref(head, of.Namespace), nil
}

// deleteOfRun deletes a hook if the run has created it and the hook does not have to outlive its
// release.
func (o *operation) deleteOfRun(ref ObjectRef, run string) error {
	if ref.Kind == claimKind.Kind || isContainer(ref) {
		return nil
	}
	live, err := o.get(o.ctx, ref)
	if err != nil || live == nil || live.GetAnnotations()[runMark] != run {
		return err
	}
	return o.deleteRef(ref)
}
