package chartrepo

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/outcome"
)

// sweepAge is the minimum age of a blob that is swept, so that a blob that is being published
// is kept.
const sweepAge = time.Hour

// Maintenance maintains a store: at an interval, it compares all files with their digests and
// removes unreferenced ones. It is a Runnable of controller-runtime's manager that runs on
// the leader only.
type Maintenance struct {
	Store *Store
	// Interval is the time between two runs. The first run starts immediately.
	Interval time.Duration
	// Keep returns a function that selects the unreferenced blobs to keep: the charts that
	// an instance, its history or an AppInfo names.
	Keep func(ctx context.Context) (func(digest string) bool, error)
}

// Start runs until the context is done. A run that fails or panics is logged, and repeated
// after the interval.
func (u *Maintenance) Start(ctx context.Context) error {
	wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
		if err := u.runOnce(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Store maintenance failed")
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
		logger.Info("Store maintenance finished", "damaged", len(damaged), "removedFiles", swept.Files, "removedBytes", swept.Bytes)
	}
	return nil
}
