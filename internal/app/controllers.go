package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinfo"
	"github.com/appmarket/operator/controllers/appinstalltask"
	"github.com/appmarket/operator/controllers/appinstance"
	"github.com/appmarket/operator/controllers/marketsource"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/inputwatch"
)

// registerControllers adds the controllers and servers to the manager.
func (p *components) registerControllers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	instances := &appinstance.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("appinstance"),
		Catalog: p.catalog, Planner: p.planner, Clients: p.releaseClientFor, Monitor: p.monitor, Tenants: p.tenants, Cluster: p.cluster,
		Addresses: &o.addresses.policy, Unrecorded: p.cluster.TakeUnrecorded,
	}
	installs, removals := fairlimiter.New(o.installs, instances.Wake), fairlimiter.New(o.installs, instances.Wake)
	instances.Turns, instances.Removals = installs, removals
	instances.Reconciles = fairlimiter.New(reconcilesPerTurn*o.installs, instances.Wake)
	instances.Inputs = inputwatch.NewWatcher(mgr.GetConfig(), o.limits.watches, instances.Wake)
	options := func(kind string, workers int) controller.Options {
		return controller.Options{MaxConcurrentReconciles: workers, LogConstructor: logConstructor(mgr.GetLogger(), kind)}
	}
	sources := &marketsource.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("marketsource"), RepositoryURL: p.url,
		Markets: o.marketNamespaces(), Process: p.process, MaxApps: o.limits.apps,
		Open: func(ctx context.Context, from *v1alpha1.MarketSource) (marketsource.Lister, error) {
			return p.opener.openSource(ctx, from)
		},
		PolicyDigest: p.opener.policyDigest,
	}
	apps := &appinfo.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("appinfo"), RepositoryURL: p.url, Process: p.process,
		Open: func(ctx context.Context, from *v1alpha1.MarketSource) (hydrate.Fetcher, error) {
			return p.opener.openSource(ctx, from)
		},
		Policy:   p.opener.policyFor,
		Pipeline: p.pipeline, Inspector: p.images.inspectorFor, Repository: p.store, Profiles: p.profiles, Markets: o.marketNamespaces(),
		Placement: p.placement,
	}
	tasks := &appinstalltask.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("appinstalltask"),
		Catalog: p.catalog, Planner: p.planner, Reports: p.store, Tenants: p.tenants, Cluster: p.cluster, Clients: p.releaseClientFor,
		MaxTasks: o.limits.tasks, MaxValueBytes: o.limits.taskBytes,
	}
	tasks.Inputs = inputwatch.NewWatcher(mgr.GetConfig(), o.limits.watches, tasks.Wake)
	setTurns(o, sources, apps, tasks)
	return errors.Join(
		metrics.Registry.Register(fairlimiter.Gauges{installs, removals}),
		registerIndexes(ctx, mgr),
		sources.SetupWithManager(mgr, options(v1alpha1.MarketSourceKind, sources.Turns.MaxUnderWay()+spareWorkers)),
		apps.SetupWithManager(mgr, p.damaged, p.placement.Changed(), options(v1alpha1.AppInfoKind, apps.Turns.MaxUnderWay()+spareWorkers)),
		instances.SetupWithManager(mgr, p.changed, options(v1alpha1.AppInstanceKind, reconcilesPerTurn*o.installs+spareWorkers)),
		tasks.SetupWithManager(mgr, options(v1alpha1.AppInstallTaskKind, o.installs+spareWorkers)),
		mgr.Add(p.placement),
		p.addArtifactWatcher(mgr, sources.RequestListing),
		mgr.Add(&chartrepo.WriteCheck{Store: p.store, Interval: writeCheckInterval}),
		mgr.Add(&chartrepo.Maintenance{Store: p.store, Interval: o.scrub, Keep: installedCharts(mgr.GetClient())}),
		p.addUploadSweep(mgr),
		p.addRefresher(mgr, o),
		p.addServers(ctx, mgr, o),
	)
}

// addServers adds the server of the repository and the probes.
func (p *components) addServers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	cached := func(ctx context.Context) error {
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("cache is not synced")
		}
		return nil
	}
	return errors.Join(
		p.addRepository(ctx, mgr, o, chartrepo.Check{Name: "objects", Run: cached, Optional: true}),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("store", func(r *http.Request) error { return p.store.Check(r.Context()) }),
		mgr.AddReadyzCheck("objects", func(r *http.Request) error { return cached(r.Context()) }),
	)
}

// registerIndexes adds the field indexes of the controllers.
func registerIndexes(ctx context.Context, mgr ctrl.Manager) error {
	indexer := mgr.GetFieldIndexer()
	return errors.Join(
		catalog.AddIndexes(ctx, indexer),
		appinstalltask.AddIndexes(ctx, indexer),
	)
}

// installedCharts returns a function that lists the charts that instances name, and that AppInfos
// serve.
func installedCharts(objects client.Reader) func(context.Context) (func(string) bool, error) {
	return func(ctx context.Context) (func(string) bool, error) {
		var list v1alpha1.AppInstanceList
		if err := objects.List(ctx, &list); err != nil {
			return nil, fmt.Errorf("list instances: %w", err)
		}
		digests := map[string]bool{}
		for i := range list.Items {
			for _, digest := range catalog.NamedDigests(&list.Items[i]) {
				digests[digest] = true
			}
		}
		var apps v1alpha1.AppInfoList
		if err := objects.List(ctx, &apps, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list apps: %w", err)
		}
		for i := range apps.Items {
			for _, v := range apps.Items[i].Status.Versions {
				digests[v.Digest] = true
			}
		}
		return func(digest string) bool { return digests[digest] }, nil
	}
}
