package leaderfence

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lock returns a lock for a leader elector, which sends one request at a time. The Fence
// learns from the lock how long the lease is held. The requests of the lock itself must not
// be guarded by the Fence.
func (f *Fence) Lock(inner resourcelock.Interface) resourcelock.Interface {
	return &fencedLock{Interface: inner, fence: f}
}

type fencedLock struct {
	resourcelock.Interface
	fence *Fence
}

// Get returns the lease, and breaks the fence if another process holds it.
func (l *fencedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil && record.HolderIdentity != l.Identity() {
		l.fence.invalidateLease()
	}
	return record, raw, err
}

// Create acquires a lease that does not exist yet.
func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.writeLease(ctx, record, l.Interface.Create)
}

// Update acquires, renews or releases the lease.
func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.writeLease(ctx, record, l.Interface.Update)
}

func (l *fencedLock) writeLease(
	ctx context.Context, record resourcelock.LeaderElectionRecord,
	send func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	if record.HolderIdentity != l.Identity() {
		l.fence.closeFence() // Another process can acquire the lease before the response arrives.
		return send(ctx, record)
	}
	requestedAt, err := l.fence.beginRequest()
	if err != nil {
		return fmt.Errorf("renew a lost lease: %w", err)
	}
	if err := send(ctx, record); err != nil {
		return err // The lease may have been renewed. Counting it as not renewed is safe.
	}
	l.fence.extendLease(requestedAt, time.Duration(record.LeaseDurationSeconds)*time.Second)
	return nil
}
