package release

import (
	"context"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/drift"
	plain "github.com/appmarket/operator/internal/release"
)

// Drift lists the objects of a release that differ from the newest complete revision; see
// drift.Comparison.Compare. A release that does not exist, was never complete, or is removed has no
// drift. Do not call Drift while an operation is in progress. An error has the reason UpgradeFailed or
// PermissionDenied. The returned list then contains the objects that could be compared.
func (c *Client) Drift(ctx context.Context, name string) ([]plain.Drifted, error) {
	return c.compareRelease(ctx, name, (*drift.Comparison).Compare)
}

// Correct restores the objects that have drifted, and lists the restored objects; see
// drift.Comparison.Correct. Errors have the same reasons as errors of Drift.
func (c *Client) Correct(ctx context.Context, name string) ([]plain.Drifted, error) {
	return c.compareRelease(ctx, name, (*drift.Comparison).Correct)
}

// compareRelease calls do for the newest complete revision of a release.
func (c *Client) compareRelease(
	ctx context.Context, name string, do func(*drift.Comparison, context.Context) ([]plain.Drifted, error),
) ([]plain.Drifted, error) {
	o, err := c.newOperation(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.compareRevision(name, do)
	return found, o.classifyError(v1alpha1.ReasonUpgradeFailed, o.cluster.storePanic(err))
}

func (o *operation) compareRevision(
	name string, do func(*drift.Comparison, context.Context) ([]plain.Drifted, error),
) ([]plain.Drifted, error) {
	history, err := o.readHistory(name)
	if err != nil {
		return nil, err
	}
	present := newestCompleteRevision(history)
	if present == nil {
		return nil, nil
	}
	if err := o.client.clients.kinds.Refresh(o.ctx, capabilitiesAge); err != nil {
		return nil, err
	}
	return do(&drift.Comparison{Client: o.Client, Revision: present, History: history}, o.ctx)
}

// newestCompleteRevision returns the newest revision that was complete, or nil if there is none or the
// release is removed.
func newestCompleteRevision(history []*release.Release) *release.Release {
	if len(history) == 0 || isRemoved(history[len(history)-1]) {
		return nil
	}
	if last := lastCompleteIndex(history); last >= 0 {
		return history[last]
	}
	return nil
}
