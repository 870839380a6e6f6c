package helm

import (
	"context"
	"fmt"
	"maps"

	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Adopt takes over a release that the helm command has made: its newest record gets
// the labels, by which it is an instance's from then on. Nothing else is read or
// written: no revision is made, and no object is touched. It returns the release and
// the values that were given to it. Again it does the same.
//
// AdoptFailed is stalled where there is no such release, where it is not deployed,
// and where the label appmarket.io/instance says that it is another instance's.
func (c *Client) Adopt(
	ctx context.Context, name string, labels map[string]string,
) (*Release, map[string]any, error) {
	const reason = v1alpha1.ReasonAdoptFailed
	o, err := c.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	history, err := o.history(name)
	if err != nil {
		return nil, nil, o.judge(reason, err)
	}
	if err := c.adoptable(name, labels, history); err != nil {
		return nil, nil, outcome.Stalled(reason, fmt.Errorf("adopt release %q: %w", name, err))
	}
	last := history[len(history)-1]
	if !carries(last.Labels, labels) {
		if err := o.label(last, labels); err != nil {
			return nil, nil, o.judge(reason, fmt.Errorf("label release %q: %w", name, err))
		}
		maps.Copy(last.Labels, labels)
	}
	if err := o.records.trust.noteAll(name); err != nil {
		return nil, nil, err
	}
	adopted, err := c.toRelease(history)
	if err != nil {
		return nil, nil, err
	}
	return adopted, last.Config, nil
}

// adoptable says why a release cannot be adopted, if so.
func (c *Client) adoptable(name string, labels map[string]string, history []*release.Release) error {
	if len(history) == 0 {
		return fmt.Errorf("namespace %s has no release of that name", c.tenant.Namespace)
	}
	last := history[len(history)-1]
	owner := last.Labels[v1alpha1.InstanceLabel]
	switch {
	case owner != "" && owner != labels[v1alpha1.InstanceLabel]:
		return fmt.Errorf("it belongs to instance %q", owner)
	case last.Info.Status != release.StatusDeployed:
		return fmt.Errorf("revision %d is %s; bring it to an end with helm first: helm status %s", last.Version, last.Info.Status, name)
	}
	return nil
}

// label puts labels on the record of a revision. What is recorded is not written
// anew: another version of Helm may have recorded more than this one knows.
func (o *operation) label(revision *release.Release, labels map[string]string) error {
	records := o.secrets.SecretInterface
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		record, err := records.Get(o.ctx, recordName(revision.Name, revision.Version), metav1.GetOptions{})
		if err != nil {
			return err
		}
		maps.Copy(record.Labels, labels)
		_, err = records.Update(o.ctx, record, metav1.UpdateOptions{})
		return err
	})
}
