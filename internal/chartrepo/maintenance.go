package chartrepo

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/outcome"
)

// sweepAge is how old a blob must be before it may be swept, so that one which is
// just being published is never taken.
const sweepAge = time.Hour

// Upkeep looks after a store for as long as it runs: it compares everything with
// its digest, and removes what nothing names any more. It is a Runnable of
// controller-runtime's manager, for the leader alone.
type Maintenance struct {
	Store *Store
	// Interval is the time between two rounds; the first begins at once.
	Interval time.Duration
	// Keep returns a function that says which blobs must stay although no record
	// names them: those that an instance has installed.
	Keep func(ctx context.Context) (func(digest string) bool, error)
}

// Start runs until the context ends. A round that fails or panics is logged, and made
// again at its time.
func (u *Maintenance) Start(ctx context.Context) error {
	wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
		if err := u.runOnce(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Could not look after the store")
		}
	}, u.Interval, 0.1, true)
	return nil
}

func (u *Maintenance) runOnce(ctx context.Context) (err error) {
	defer outcome.Recover(&err)
	logger := log.FromContext(ctx).WithName("store")
	damaged, err := u.Store.Scrub(ctx)
	if err != nil {
		return err
	}
	keep, err := u.Keep(ctx)
	if err != nil {
		return err
	}
	swept, err := u.Store.Sweep(ctx, keep, sweepAge)
	if err != nil {
		return err
	}
	if len(damaged) > 0 || swept.Files > 0 {
		logger.Info("Looked after the store", "damaged", len(damaged), "removedFiles", swept.Files, "removedBytes", swept.Bytes)
	}
	return nil
}
