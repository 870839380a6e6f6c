package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
)

const (
	// interruptedDescription is the description of a revision whose operation was interrupted.
	interruptedDescription = "Interrupted: the operation was cut off and can be taken up again"
	// unlockTime bounds the time to settle a release after the context of the caller has ended.
	unlockTime = 15 * time.Second
)

// isInterrupted reports whether a revision was settled after an interruption.
func isInterrupted(r *release.Release) bool {
	return r.Info.Status == release.StatusFailed && r.Info.Description == interruptedDescription
}

// Unlock marks a release as failed if its operation was interrupted by a crash or a lost
// connection, so that Upgrade or Uninstall can continue. Helm does not change a pending release.
// Settle does not install or remove objects and does not run hooks. Do not call it while an
// operation is in progress.
func (c *Client) Unlock(ctx context.Context, name string) error {
	o, err := c.newOperation(ctx)
	if err != nil {
		return err
	}
	history, err := o.readHistory(name)
	if err == nil {
		err = o.unlockPending(history)
	}
	return o.classifyError(v1alpha1.ReasonInterrupted, err)
}

func (o *operation) unlockPending(history []*release.Release) error {
	for _, revision := range history {
		if !isPending(revision) {
			continue
		}
		revision.Info.Status, revision.Info.Description = release.StatusFailed, interruptedDescription
		if err := o.store.Update(revision); err != nil {
			return fmt.Errorf("settle release %q: %w", revision.Name, err)
		}
	}
	return nil
}

// markFailed settles a release after its operation has failed or its context has ended, because Helm
// may have left it pending.
func (o *operation) markFailed(name string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), unlockTime)
	defer cancel()
	unsettled := o.client.Unlock(ctx, name)
	if _, explained := errors.AsType[*stepFailure](o.cluster.failure); explained {
		return errors.Join(o.cluster.failure, unsettled)
	}
	if o.ctx.Err() != nil {
		return errors.Join(o.newContextEndedError(err), unsettled)
	}
	// The next operation settles the release as well, and the cause of the failure is more
	// important.
	return err
}
