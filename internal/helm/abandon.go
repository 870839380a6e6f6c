package helm

import (
	"context"
	"fmt"

	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Abandon settles a release whose operation was ended because nobody wants its
// result any more, and deletes the hooks that this run has left at work: nobody
// waits for them. It must not be called while an operation is under way. A release
// that is not there is no error.
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

// endHooks deletes the hooks of a revision that its run has made and that have not
// ended well.
func (o *operation) endHooks(cut *release.Release) error {
	run := cut.Labels[runMark]
	if run == "" || !interrupted(cut) {
		return nil
	}
	for _, hook := range cut.Hooks {
		if hook.LastRun.Phase == release.HookPhaseSucceeded || hook.Kind == claimKind.Kind {
			continue
		}
		var head objectHead
		if err := yaml.Unmarshal([]byte(hook.Manifest), &head); err != nil {
			return fmt.Errorf("read hook %s: %w", hook.Name, err)
		}
		if err := o.deleteOfRun(o.client.ref(head, cut.Namespace), run); err != nil {
			return fmt.Errorf("delete hook %s: %w", hook.Name, err)
		}
	}
	return nil
}

// deleteOfRun deletes an object if a run has made it.
func (o *operation) deleteOfRun(ref ObjectRef, run string) error {
	objects, err := o.resource(ref)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	live, err := objects.Get(o.ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || live.GetAnnotations()[runMark] != run {
		return err
	}
	return deleteObject(o.ctx, objects, ref.Name)
}
