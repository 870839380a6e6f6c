package release

import (
	"context"
	"slices"

	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/helm/scale"
)

// Stop stops the workloads of a release; see scale.Workloads.Stop. If the release does not exist or is
// removed, nothing is stopped. Errors have the reason StopFailed or PermissionDenied.
func (c *Client) Stop(ctx context.Context, name string) error {
	return c.scaleWorkloads(ctx, name, v1alpha1.ReasonStopFailed, scale.Workloads.Stop)
}

// Resume restores the state of the workloads before Stop; see scale.Workloads.Resume. Errors have the
// reason ResumeFailed or PermissionDenied.
func (c *Client) Resume(ctx context.Context, name string) error {
	return c.scaleWorkloads(ctx, name, v1alpha1.ReasonResumeFailed, scale.Workloads.Resume)
}

// Restart sets the time of the restart of the workloads; see scale.Workloads.Restart. Errors have the
// reason RestartFailed or PermissionDenied.
func (c *Client) Restart(ctx context.Context, name string, at *metav1.Time) error {
	return c.scaleWorkloads(ctx, name, v1alpha1.ReasonRestartFailed, func(w scale.Workloads, ctx context.Context) error {
		return w.Restart(ctx, at)
	})
}

// Workloads counts the workloads of a release; see scale.Workloads.Count.
func (c *Client) Workloads(ctx context.Context, name string) (stopped, total int, err error) {
	err = c.scaleWorkloads(ctx, name, v1alpha1.ReasonStopFailed, func(w scale.Workloads, ctx context.Context) (err error) {
		stopped, total, err = w.Count(ctx)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return stopped, total, nil
}

// scaleWorkloads calls do with the workloads of a release.
func (c *Client) scaleWorkloads(ctx context.Context, name, reason string, do func(scale.Workloads, context.Context) error) error {
	o, err := c.newOperation(ctx)
	if err != nil {
		return err
	}
	history, err := o.readHistory(name)
	if err != nil {
		return o.classifyError(reason, err)
	}
	refs, err := o.inCluster(history)
	if err != nil || len(refs) == 0 {
		return o.classifyError(reason, err)
	}
	workloads := scale.Workloads{Client: o.Client, Objects: refs, Owner: history[len(history)-1]}
	return o.classifyError(reason, do(workloads, ctx))
}

// inCluster returns the objects of a release that may exist in the cluster, starting with the
// objects of the newest revision.
func (o *operation) inCluster(history []*release.Release) ([]v1alpha1.ObjectReference, error) {
	if len(history) == 0 || isRemoved(history[len(history)-1]) {
		return nil, nil
	}
	var all []v1alpha1.ObjectReference
	seen := map[cluster.Identity]bool{}
	for _, revision := range slices.Backward(replacedRevisions(history)) {
		refs, err := o.ObjectRefs(revision)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			if key := cluster.IdentityOf(ref); !seen[key] {
				seen[key] = true
				all = append(all, ref)
			}
		}
	}
	return all, nil
}
