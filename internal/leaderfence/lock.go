package leaderfence

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lock is the lock of an elector, which asks for one thing at a time; the Fence
// learns from it until when the lease is held. The lock's own requests must not
// pass through the Fence.
func (f *Fence) Lock(inner resourcelock.Interface) resourcelock.Interface {
	return &lock{Interface: inner, fence: f}
}

type lock struct {
	resourcelock.Interface
	fence *Fence
}

// Get notices a lease that was taken by another.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil && record.HolderIdentity != l.Identity() {
		l.fence.lose()
	}
	return record, raw, err
}

// Create takes a lease that nobody had before.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

// Update takes or renews the lease, or gives it up.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

func (l *lock) write(
	ctx context.Context, record resourcelock.LeaderElectionRecord,
	send func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	if record.HolderIdentity != l.Identity() {
		l.fence.release() // Another may have it before the answer is here.
		return send(ctx, record)
	}
	asked, err := l.fence.ask()
	if err != nil {
		return fmt.Errorf("renew lease that was lost: %w", err)
	}
	if err := send(ctx, record); err != nil {
		return err // It may have been renewed all the same; believing less is safe.
	}
	l.fence.hold(asked, time.Duration(record.LeaseDurationSeconds)*time.Second)
	return nil
}
