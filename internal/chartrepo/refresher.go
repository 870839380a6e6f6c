package chartrepo

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/outcome"
)

// failureLogInterval is the minimum time between two log messages about a storage that cannot be
// read.
const failureLogInterval = time.Minute

// Refresher reads at an interval the records that another process has changed, so that all replicas
// serve the same versions. It is a Runnable of controller-runtime's manager that runs on every
// replica: on the leader, it finds records that another program has removed, and files that other
// replicas have found to be damaged.
type Refresher struct {
	Store *Store
	// Interval is the time between two lists of the records.
	Interval time.Duration
}

// NeedLeaderElection returns false.
func (*Refresher) NeedLeaderElection() bool { return false }

// Start runs until the context is done.
func (r *Refresher) Start(ctx context.Context) error {
	logged := rate.Sometimes{Interval: failureLogInterval}
	refresh := outcome.Guarded(func() error {
		if _, err := r.Store.Refresh(); err != nil {
			return err
		}
		_, err := r.Store.CheckMarked(ctx)
		return err
	})
	wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
		if err := refresh(); err != nil {
			logged.Do(func() { log.FromContext(ctx).Error(err, "Failed to read the records of the chart store") })
		}
	}, r.Interval, 0.1, true)
	return nil
}
