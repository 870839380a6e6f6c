// Package marketsource keeps the apps of a MarketSource: it asks the source what
// it offers, creates, updates and prunes an AppInfo for each app, and counts how
// they fare.
//
// The source is asked only when that is due: the interval has passed, the spec has
// changed, somebody asked, or an AppInfo is gone. Changes of AppInfos bring the
// source back to count, without a word to anybody.
package marketsource

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// fieldOwner is the owner of the fields of an AppInfo that its source writes.
const fieldOwner = client.FieldOwner("appmarket-source")

// defaultInterval stands in for an interval that cannot be read.
const defaultInterval = 10 * time.Minute

// Lister says what a source offers. A listing since a mark may answer that nothing
// changed.
type Lister interface {
	List(ctx context.Context, since hydrate.Mark) (hydrate.Listing, error)
}

// Reconciler reconciles MarketSources.
type Reconciler struct {
	client.Client
	Recorder events.EventRecorder
	// Open reaches a source as its spec says.
	Open func(ctx context.Context, source *v1alpha1.MarketSource) (Lister, error)
	// Markets are the namespaces whose sources may be shared.
	Markets market.Namespaces
	// RepositoryURL is where the charts are served, without a slash at the end.
	RepositoryURL string
	// Process identifies this process among those that are or were the operator.
	Process string
	// MaxApps bounds the apps of a namespace; zero is no bound.
	MaxApps int
	// Turns bounds how many sources are worked on at once. Suspects lets those be read one
	// by one that were being read when a process ended.
	Turns, Suspects *fairlimiter.Limiter

	queue fairlimiter.Queue
	// attempts are how each source was asked last, by UID.
	attempts sync.Map
	changes  changes
}

// Wake has a source reconciled, whose turn has come.
func (r *Reconciler) Wake(source types.NamespacedName) { r.queue.Wake(source) }

// scope is what one reconcile knows.
type scope struct {
	source  *v1alpha1.MarketSource
	keeper  *status.Writer
	apps    []v1alpha1.AppInfo
	listing *hydrate.Listing
	// noted says that this reconcile noted an attempt, and left is the one before it.
	noted bool
	left  *v1alpha1.Attempt
}

// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources,verbs=list;watch
// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources/finalizers,verbs=update
// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings one source up to date.
func (r *Reconciler) Reconcile(ctx context.Context, source *v1alpha1.MarketSource) (result ctrl.Result, err error) {
	if !source.DeletionTimestamp.IsZero() {
		return result, nil
	}
	key := client.ObjectKeyFromObject(source)
	if !r.Turns.TryAcquire(key) {
		return result, nil // It is brought back when its turn has come.
	}
	defer r.Turns.Release(key)
	defer r.Suspects.Release(key)
	keeper := status.NewWriter(r.Client, r.Recorder, status.MarketSource, source)
	defer func() { result, err = keeper.Finish(ctx, err, r.next(source)) }()
	defer outcome.Recover(&err)
	s := &scope{source: source, keeper: keeper}
	defer func() { s.settle(ctx) }()
	for _, phase := range []func(context.Context, *scope) error{
		r.checkSharing,
		r.checkSuspended,
		r.readApps, // sets s.apps
		r.list,     // sets s.listing; nothing when nothing is due
		r.applyApps,
		r.count,
	} {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}

// interval is the time between two looks at a source.
func interval(source *v1alpha1.MarketSource) time.Duration {
	return source.Spec.Interval.Or(defaultInterval)
}

// next is the time until the source is to be asked again.
func (r *Reconciler) next(source *v1alpha1.MarketSource) time.Duration {
	if suspended(source) {
		return 0
	}
	if last := r.lastAttempt(source.UID); !last.at.IsZero() {
		return max(last.rest(source)-time.Since(last.at), time.Second)
	}
	return interval(source)
}
