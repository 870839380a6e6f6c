package helm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
)

const (
	// interruptedWord is the description of a revision whose operation was interrupted.
	interruptedWord = "Interrupted: the operation was cut off and can be taken up again"
	// settleTime bounds the time to settle a release after the context of the caller has ended.
	settleTime = 15 * time.Second
)

// interrupted reports whether a revision was settled after an interruption.
func interrupted(r *release.Release) bool {
	return r.Info.Status == release.StatusFailed && r.Info.Description == interruptedWord
}

// Settle marks a release as failed if its operation was interrupted by a crash or a lost
// connection, so that Upgrade or Uninstall can continue. Helm does not change a pending release.
// Settle does not install or remove objects and does not run hooks. Do not call it while an
// operation is in progress.
func (c *Client) Settle(ctx context.Context, name string) error {
	o, err := c.begin(ctx)
	if err != nil {
		return err
	}
	history, err := o.history(name)
	if err == nil {
		err = o.settle(history)
	}
	return o.judge(v1alpha1.ReasonInterrupted, err)
}

func (o *operation) settle(history []*release.Release) error {
	for _, revision := range history {
		if !pending(revision) {
			continue
		}
		revision.Info.Status, revision.Info.Description = release.StatusFailed, interruptedWord
		if err := o.store.Update(revision); err != nil {
			return fmt.Errorf("settle release %q: %w", revision.Name, err)
		}
	}
	return nil
}

// giveUp settles a release after its operation has failed or its context has ended, because Helm
// may have left it pending.
func (o *operation) giveUp(name string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), settleTime)
	defer cancel()
	unsettled := o.client.Settle(ctx, name)
	if _, explained := errors.AsType[*stepFailure](o.cluster.failure); explained {
		return errors.Join(o.cluster.failure, unsettled)
	}
	if o.ctx.Err() != nil {
		return errors.Join(o.cutOffError(err), unsettled)
	}
	// The next operation settles the release as well, and the cause of the failure is more
	// important.
	return err
}
