// Package marketsource contains the controller of MarketSources. It requests the listing of
// a source, creates, updates and prunes an AppInfo for each app, and aggregates their
// status.
//
// The source is only requested if that is due: the interval has passed, the spec has
// changed, a reconcile was requested, or an AppInfo is missing. Changes of AppInfos only
// requeue the source to update its counts.
package marketsource

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// fieldOwner is the field owner of the AppInfo fields that the source writes.
const fieldOwner = client.FieldOwner("appmarket-source")

// defaultInterval is the interval if spec.interval is not set or invalid.
const defaultInterval = 10 * time.Minute

// Lister lists the apps of a source. If a mark is given, the listing can be empty and not
// modified since then.
type Lister interface {
	List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error)
}

// Reconciler reconciles MarketSources.
type Reconciler struct {
	client.Client
	Recorder events.EventRecorder
	// Open opens a source as its spec requires.
	Open func(ctx context.Context, source *v1alpha1.MarketSource) (Lister, error)
	// PolicyDigest reads the verification policy of a source with its trust root, and returns its
	// digest, or "" if the source does not verify signatures.
	PolicyDigest func(ctx context.Context, source *v1alpha1.MarketSource) (string, error)
	// Markets contains the namespaces whose sources may be shared.
	Markets market.Namespaces
	// RepositoryURL is the URL at which the charts are served, without a trailing slash.
	RepositoryURL string
	// Process identifies this operator process among its predecessors and replicas.
	Process string
	// MaxApps is the maximum number of apps per namespace. 0 means no limit.
	MaxApps int
	// Clock is the clock of the write rate. Defaults to the clock of the machine.
	Clock clock.PassiveClock
	// Turns limits the number of sources that are reconciled concurrently. Suspects allows
	// only one source at a time to be read again whose reading was interrupted by a crash.
	Turns, Suspects *fairlimiter.Limiter

	queue fairlimiter.Queue
	// pollStates contains the last attempt of each source, by UID.
	pollStates sync.Map
	// changedOrigins contains the names of sources whose origin has reported a change.
	changedOrigins sync.Map
	writeLimits    writeLimiter
}

func (r *Reconciler) now() time.Time {
	if r.Clock == nil {
		return time.Now()
	}
	return r.Clock.Now()
}

// Wake requeues a source that has acquired a slot of Turns.
func (r *Reconciler) Wake(source types.NamespacedName) { r.queue.Wake(source) }

// RequestListing requeues a source whose origin has reported a change. The source is requested although
// its interval, or the delay after a failure, has not passed.
func (r *Reconciler) RequestListing(source types.NamespacedName) {
	r.changedOrigins.Store(source, true)
	r.queue.Wake(source)
}

// takeChange reports whether the origin of a source has reported a change since the last call.
func (r *Reconciler) takeChange(source types.NamespacedName) bool {
	_, changed := r.changedOrigins.LoadAndDelete(source)
	return changed
}

// scope is the state of one reconcile.
type scope struct {
	source       *v1alpha1.MarketSource
	statusWriter *status.Writer
	// apps are the AppInfos of the apps that the source offers. retained are the AppInfos of others, which contain
	// a decision of a user.
	apps, retained []v1alpha1.AppInfo
	listing        *hydrate.Listing
	// isRecorded reports whether this reconcile recorded an attempt. previousAttempt is the attempt before it.
	isRecorded      bool
	previousAttempt *v1alpha1.Attempt
}

// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources,verbs=list;watch;patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources/finalizers,verbs=update
// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile runs the phases of a source until one returns an error.
func (r *Reconciler) Reconcile(ctx context.Context, source *v1alpha1.MarketSource) (result ctrl.Result, err error) {
	if !source.DeletionTimestamp.IsZero() {
		return r.finalizeSource(ctx, source)
	}
	key := client.ObjectKeyFromObject(source)
	if !r.Turns.TryAcquire(key) {
		return result, nil // Wake requeues it.
	}
	defer r.Turns.Release(key)
	defer r.Suspects.Release(key)
	writer := status.NewWriter(r.Client, r.Recorder, status.MarketSource, source)
	defer func() { result, err = writer.Finish(ctx, err, r.nextPoll(source)) }()
	defer outcome.Recover(&err)
	s := &scope{source: source, statusWriter: writer}
	defer func() { s.clearAttempt(ctx) }()
	for _, phase := range []func(context.Context, *scope) error{
		r.protectUsed,
		r.checkSharing,
		r.checkSuspended,
		r.readApps,     // sets s.apps and s.retained
		r.fetchListing, // sets s.listing, nil if no listing is due or nothing has changed
		r.applyApps,
		r.reportVerification,
		r.countApps,
	} {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}

// sourceInterval returns the interval of a source.
func sourceInterval(source *v1alpha1.MarketSource) time.Duration {
	return source.Spec.Interval.Or(defaultInterval)
}

// nextPoll returns the time until the next request to the source, 0 if it is suspended.
func (r *Reconciler) nextPoll(source *v1alpha1.MarketSource) time.Duration {
	if isSuspended(source) {
		return 0
	}
	if last := r.lastPoll(source.UID); !last.at.IsZero() {
		return max(last.pollInterval(source)-time.Since(last.at), time.Second)
	}
	return sourceInterval(source)
}
