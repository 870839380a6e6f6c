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
	// interruptedWord is the description of a revision whose operation was cut off.
	interruptedWord = "Interrupted: the operation was cut off and can be taken up again"
	// settleTime bounds the settling after the caller has gone.
	settleTime = 15 * time.Second
)

// interrupted reports whether a revision was settled after being cut off.
func interrupted(r *release.Release) bool {
	return r.Info.Status == release.StatusFailed && r.Info.Description == interruptedWord
}

// Settle marks a release as failed whose operation was cut off, by a crash or by
// a lost connection, so that Upgrade or Uninstall go on from there: Helm itself
// refuses to touch a pending release. Nothing is installed, removed or run by it.
// It must not be called while an operation is under way.
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

// giveUp leaves nothing pending after an operation that failed or whose caller
// left, where Helm did not or could not see to it.
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
	// The next operation settles as well; what matters is why this one failed.
	return err
}
