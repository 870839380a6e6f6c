package release

import (
	"context"
	"fmt"
	"maps"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// Adopt adds labels to the newest record of a release that the helm command has created, so that
// the release belongs to an instance. It creates no revision and changes no object. It returns the
// release and its values. Adopt is idempotent.
//
// It returns a stalled AdoptFailed error if the release does not exist, is not deployed, or has the
// label appmarket.io/instance of another instance.
func (c *Client) Adopt(
	ctx context.Context, name string, labels map[string]string,
) (*plain.Release, map[string]any, error) {
	const reason = v1alpha1.ReasonAdoptFailed
	o, err := c.newOperation(ctx)
	if err != nil {
		return nil, nil, err
	}
	history, err := o.readHistory(name)
	if err != nil {
		return nil, nil, o.classifyError(reason, err)
	}
	if err := c.checkAdoptable(name, labels, history); err != nil {
		return nil, nil, outcome.Stalled(reason, fmt.Errorf("adopt release %q: %w", name, err))
	}
	last := history[len(history)-1]
	if !hasLabels(last.Labels, labels) {
		if err := o.records.AddLabels(ctx, last, labels); err != nil {
			return nil, nil, o.classifyError(reason, fmt.Errorf("label release %q: %w", name, err))
		}
		maps.Copy(last.Labels, labels)
	}
	if err := o.records.StoreDigests(name); err != nil {
		return nil, nil, err
	}
	adopted, err := o.toRelease(history)
	if err != nil {
		return nil, nil, err
	}
	return adopted, last.Config, nil
}

// checkAdoptable returns an error if a release cannot be adopted.
func (c *Client) checkAdoptable(name string, labels map[string]string, history []*release.Release) error {
	if len(history) == 0 {
		return fmt.Errorf("not found in namespace %q", c.tenant.Namespace)
	}
	last := history[len(history)-1]
	owner := last.Labels[v1alpha1.InstanceLabel]
	switch {
	case owner != "" && owner != labels[v1alpha1.InstanceLabel]:
		return fmt.Errorf("belongs to instance %q", owner)
	case last.Info.Status != release.StatusDeployed:
		return fmt.Errorf("revision %d is %s; complete the operation with Helm first, see \"helm status %s\"", last.Version, last.Info.Status, name)
	}
	return nil
}
