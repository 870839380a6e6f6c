package chartrepo

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
)

// checkMargin is added to the size of a failed publication when the store checks whether it
// has space for it: for its record and for folders.
const checkMargin = 64 << 10

// appKey identifies an app of the repository.
type appKey struct {
	owner hydrate.Owner
	app   string
}

// writeFailures contains the publications that failed because of the storage. It is safe
// for concurrent use.
type writeFailures struct {
	mu sync.Mutex
	// last is the error of the last write, nil if it succeeded.
	last error
	// sizes contains the size of the failed publication of each app.
	sizes map[appKey]int64
}

// recordResult records the result of the last write for an app, and returns it.
func (f *writeFailures) recordResult(app appKey, size int64, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = err
	if err == nil {
		delete(f.sizes, app)
		return nil
	}
	if f.sizes == nil {
		f.sizes = map[appKey]int64{}
	}
	f.sizes[app] = size
	return err
}

// lastError returns the error of the last write, or nil if it succeeded or there was none.
func (f *writeFailures) lastError() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// maxSize returns the size of the largest failed publication. It reports false if there is none.
func (f *writeFailures) maxSize() (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var size int64
	for _, s := range f.sizes {
		size = max(size, s)
	}
	return size, len(f.sizes) > 0
}

// clear removes all failures, and returns their apps.
func (f *writeFailures) clear() []appKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	apps := make([]appKey, 0, len(f.sizes))
	for app := range f.sizes {
		apps = append(apps, app)
	}
	f.last, f.sizes = nil, nil
	return apps
}

// WriteCheck checks at an interval whether a store in which publications failed can be written
// again, and passes their apps to Options.OnWritable, so that they need not wait for their
// backoff. Without failed publications, it does not access the storage. It is a Runnable of
// controller-runtime's manager that runs on the leader only.
type WriteCheck struct {
	Store *Store
	// Interval is the time between two checks.
	Interval time.Duration
}

// Start runs until the context is done.
func (c *WriteCheck) Start(ctx context.Context) error {
	wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
		if err := outcome.Guarded(c.Store.retryFailed)(); err != nil {
			log.FromContext(ctx).Error(err, "The chart store cannot be written")
		}
	}, c.Interval, 0.1, true)
	return nil
}

// retryFailed passes the apps whose publication failed to Options.OnWritable if the largest of
// these publications fits now.
func (s *Store) retryFailed() error {
	size, failed := s.failures.maxSize()
	if !failed {
		return nil
	}
	if err := s.files.CheckSpace(size + checkMargin); err != nil {
		return volume.StorageError(err)
	}
	for _, app := range s.failures.clear() {
		s.options.OnWritable(app.owner, app.app)
	}
	return nil
}
