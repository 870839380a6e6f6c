// Package appinfo contains the controller of AppInfos. It decides which versions of an app
// are due and why, runs the hydration pipeline for each of them, and records the published
// versions.
//
// Published versions remain available while others are hydrated or fail. Versions fail
// independently, and the conditions of the app describe the newest one. A failed draft is
// kept in memory for some time, so that the retry continues with the step that failed.
package appinfo

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/status"
)

// Repository stores the published charts.
type Repository interface {
	catalog.Reports
	// Has reports whether the repository contains a version with this digest.
	Has(owner hydrate.Owner, app, version, digest string) bool
	// Remove deletes all versions of an app except those to keep.
	Remove(owner hydrate.Owner, app string, keep ...string) error
}

// Reconciler reconciles AppInfos.
type Reconciler struct {
	client.Client
	Recorder events.EventRecorder
	// Open opens a source as its spec requires.
	Open func(ctx context.Context, source *v1alpha1.MarketSource) (hydrate.Fetcher, error)
	// Policy returns the signature policy of a source that verifies signatures.
	Policy   func(ctx context.Context, source *v1alpha1.MarketSource) (*hydrate.SignaturePolicy, error)
	Pipeline hydrate.Pipeline
	// Inspector returns the inspector of the images of a source.
	Inspector  func(ctx context.Context, source *v1alpha1.MarketSource) hydrate.Inspector
	Repository Repository
	Profiles   platform.Profiles
	// Markets are the namespaces whose sources can be shared with other namespaces.
	Markets market.Namespaces
	// Placement determines whether apps run on this cluster. If it is nil, no app has a placement.
	Placement Placement
	// RepositoryURL is the URL at which the charts are served, without a trailing slash.
	RepositoryURL string
	// Process identifies this operator process among its predecessors and replicas.
	Process string
	// Turns limits the number of apps that are reconciled concurrently. Suspects allows
	// only one hydration at a time of versions whose hydration was interrupted by a crash.
	Turns, Suspects *fairlimiter.Limiter

	queue        fairlimiter.Queue
	drafts       draftCache
	failures     failureCache
	imageRetries imageRetries
}

// Wake requeues an app that has acquired a slot of Turns.
func (r *Reconciler) Wake(app types.NamespacedName) { r.queue.Wake(app) }

// scope is the state of one reconcile.
type scope struct {
	app          *v1alpha1.AppInfo
	statusWriter *status.Writer
	// source is nil if it does not exist.
	source *v1alpha1.MarketSource
	// policy is the signature policy, nil if it is not needed. policyDigest is its digest.
	policy       *hydrate.SignaturePolicy
	policyDigest string
	jobs         []hydrationJob
	// published contains the versions that this reconcile has published.
	published []string
	// renewed contains the published versions whose chart is new or has changed.
	renewed []string
	// missingCharts contains the published versions whose chart is missing from the repository.
	missingCharts map[string]bool
	// nextLookup is the time until images are looked up again, 0 if that is not scheduled.
	nextLookup time.Duration
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos,verbs=list;watch;patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=marketsources;appinstances,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// Reconcile runs the phases of an app until one returns an error.
func (r *Reconciler) Reconcile(ctx context.Context, app *v1alpha1.AppInfo) (result ctrl.Result, err error) {
	key := client.ObjectKeyFromObject(app)
	if app.DeletionTimestamp.IsZero() && !r.Turns.TryAcquire(key) {
		return result, nil // Wake requeues it.
	}
	defer r.Turns.Release(key)
	ctx = hydrate.WithAwaiter(ctx, func(ctx context.Context, request func(context.Context) error) error {
		return r.Turns.Await(ctx, key, request)
	})
	writer := status.NewWriter(r.Client, r.Recorder, status.AppInfo, app)
	s := &scope{app: app, statusWriter: writer}
	defer func() { result, err = writer.Finish(ctx, err, s.nextLookup) }()
	defer outcome.Recover(&err)
	if !app.DeletionTimestamp.IsZero() {
		return result, r.finalizeApp(ctx, s)
	}
	for _, phase := range []func(context.Context, *scope) error{
		r.ensureFinalizer,
		r.copySharing,
		r.assessPlacement,
		r.reviewListing,
		r.checkArtifacts, // sets s.missingCharts
		r.locateSource,   // sets s.source
		r.withdrawUncheckable,
		r.checkSuspended,
		r.readPolicy,      // sets s.policyDigest, and s.policy if a version is not verified with it
		r.planHydration,   // sets s.jobs, empty if nothing is due
		r.hydrateVersions, // sets the published versions in status
		r.pruneVersions,
		r.reviewListing,   // again, for new versions and their audits
		r.refreshImages,   // sets s.nextLookup
		r.assessPlacement, // again, for another selected version and other platforms of images
		r.reportServing,
	} {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}
