// Package appinfo hydrates the apps of the market: it decides which versions of an
// app are due and why, runs the pipeline over each, and records what is served.
//
// What is published stays served while newer work goes on or fails. Versions fail
// one by one; the newest speaks for the app. A draft that failed is kept for a
// while, so that the retry goes on with the step that failed.
package appinfo

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// Repository is where charts are served from.
type Repository interface {
	// Has reports whether a version is there with this digest.
	Has(owner hydrate.Owner, app, version, digest string) bool
	// Remove takes away all versions of an app but those to keep.
	Remove(owner hydrate.Owner, app string, keep ...string) error
}

// Reconciler reconciles AppInfos.
type Reconciler struct {
	client.Client
	Recorder events.EventRecorder
	// Open reaches a source as its spec says.
	Open       func(ctx context.Context, source *v1alpha1.MarketSource) (hydrate.Fetcher, error)
	Pipeline   hydrate.Pipeline
	Repository Repository
	Profiles   catalog.Profiles
	// RepositoryURL is where the charts are served, without a slash at the end.
	RepositoryURL string
	// Process identifies this process among those that are or were the operator.
	Process string
	// Turns bounds how many apps are worked on at once. Suspects lets those be hydrated
	// one by one that were being hydrated when a process ended.
	Turns, Suspects *fairlimiter.Limiter

	queue    fairlimiter.Queue
	drafts   drafts
	failures failures
}

// Wake has an app reconciled, whose turn has come.
func (r *Reconciler) Wake(app types.NamespacedName) { r.queue.Wake(app) }

// scope is what one reconcile knows.
type scope struct {
	app    *v1alpha1.AppInfo
	keeper *status.Writer
	source *v1alpha1.MarketSource
	jobs   []job
	// published are the versions that this reconcile has published.
	published []string
	// renewed are those of them whose chart differs from the one that was published before.
	renewed []string
	// lost are the published versions whose chart is not in the repository.
	lost map[string]bool
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos,verbs=list;watch;patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources;appinstances,verbs=list;watch

// Reconcile brings one app up to date.
func (r *Reconciler) Reconcile(ctx context.Context, app *v1alpha1.AppInfo) (result ctrl.Result, err error) {
	key := client.ObjectKeyFromObject(app)
	if app.DeletionTimestamp.IsZero() && !r.Turns.TryAcquire(key) {
		return result, nil // It is brought back when its turn has come.
	}
	defer r.Turns.Release(key)
	keeper := status.NewWriter(r.Client, r.Recorder, status.AppInfo, app)
	defer func() { result, err = keeper.Finish(ctx, err, 0) }()
	defer outcome.Recover(&err)
	s := &scope{app: app, keeper: keeper}
	if !app.DeletionTimestamp.IsZero() {
		return result, r.finalize(ctx, s)
	}
	for _, phase := range []func(context.Context, *scope) error{
		r.hold,
		r.checkArtifacts, // sets s.lost
		r.checkSuspended,
		r.locateSource,    // sets s.source
		r.decide,          // sets s.jobs; none when nothing is due
		r.hydrateVersions, // sets what is served
		r.prune,
		r.summarise,
	} {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}
