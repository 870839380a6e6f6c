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
	return &fencedLock{Interface: inner, fence: f}
}

type fencedLock struct {
	resourcelock.Interface
	fence *Fence
}

// Get notices a lease that was taken by another.
func (l *fencedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil && record.HolderIdentity != l.Identity() {
		l.fence.invalidateLease()
	}
	return record, raw, err
}

// Create takes a lease that nobody had before.
func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.writeLease(ctx, record, l.Interface.Create)
}

// Update takes or renews the lease, or gives it up.
func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.writeLease(ctx, record, l.Interface.Update)
}

func (l *fencedLock) writeLease(
	ctx context.Context, record resourcelock.LeaderElectionRecord,
	send func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	if record.HolderIdentity != l.Identity() {
		l.fence.closeFence() // Another may have it before the answer is here.
		return send(ctx, record)
	}
	asked, err := l.fence.beginRequest()
	if err != nil {
		return fmt.Errorf("renew lease that was lost: %w", err)
	}
	if err := send(ctx, record); err != nil {
		return err // It may have been renewed all the same; believing less is safe.
	}
	l.fence.extendLease(asked, time.Duration(record.LeaseDurationSeconds)*time.Second)
	return nil
}
