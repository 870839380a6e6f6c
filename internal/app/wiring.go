package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/appmarket/operator/internal/leaderfence"
	"github.com/appmarket/operator/internal/preflight/collector"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinfo"
	"github.com/appmarket/operator/controllers/appinstalltask"
	"github.com/appmarket/operator/controllers/appinstance"
	"github.com/appmarket/operator/controllers/marketsource"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/crdcheck"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/health"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/worker"
)

// Settings that no one has needed to change yet.
const (
	// leaseName is that of the lease that makes one of several replicas the leader.
	leaseName = "appmarket.io"
	// imageAge is how long the answer of a registry about a tag is believed.
	imageCacheTTL = time.Hour
	// imageAnswers bounds the answers that are kept.
	imageCacheSize = 5000
	// perRegistry is how many questions one registry is asked at once.
	maxInspectionsPerRegistry = 8
	// registryPause is how long a registry that did not answer is left alone.
	registryPause = time.Minute
	// syncs is how many sources are synchronised at once.
	maxConcurrentSyncs = 4
	// workersPerTurn is how many reconciles of instances run at once for each that
	// may have an operation: most of them only look, or wait for a hook.
	workersPerTurn = 16
	// crdPatience is how long the CRDs may take to be there.
	crdTimeout = 30 * time.Second
	// changeBuffer holds changes of health until the controller reads them.
	changeBuffer = 1024
)

// start puts the parts together and runs them until the context ends.
func runOperator(ctx context.Context, o *options) error {
	logStart(o, repositoryURL(o))
	limitOwnMemory(o.ownMemory)
	// A panic in a goroutine of client-go, such as a handler of an informer, is logged.
	utilruntime.ReallyCrash = false
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find a cluster: %w", err)
	}
	cfg.UserAgent = userAgent()
	cfg.QPS = -1 // The API server's own fairness holds requests back.
	if err := checkCRDs(ctx, cfg); err != nil {
		return err
	}
	metricsOptions := metricsOptions(o, cfg)
	reviewer, err := newReviewer(cfg)
	if err != nil {
		return err
	}
	cfg, lock, err := newLeaderLock(ctx, cfg, o)
	if err != nil {
		return err
	}
	known, err := kinds.New(cfg)
	if err != nil {
		return fmt.Errorf("set up kinds: %w", err)
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                              scheme,
		MapperProvider:                      func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return known, nil },
		Metrics:                             metricsOptions,
		HealthProbeBindAddress:              o.probeAddress,
		LeaderElection:                      o.leaderElection,
		LeaderElectionID:                    leaseName,
		LeaderElectionReleaseOnCancel:       true,
		LeaderElectionResourceLockInterface: lock,
		Cache:                               cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return fmt.Errorf("make manager: %w", err)
	}
	p, err := newComponents(mgr, known, o)
	if err != nil {
		return err
	}
	p.reviewer = reviewer
	defer p.workers.Close()
	if err := p.registerControllers(ctx, mgr, o); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// checkCRDs waits for the CRDs, which may be applied together with the operator.
func checkCRDs(ctx context.Context, cfg *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("set up discovery: %w", err)
	}
	return crdcheck.Wait(ctx, client.OpenAPIV3(), crdTimeout)
}

// elect gives the lock by which one of several replicas leads, nil where there is no
// election, and a configuration by which nothing is changed while this process does
// not lead for certain.
func newLeaderLock(ctx context.Context, cfg *rest.Config, o *options) (*rest.Config, resourcelock.Interface, error) {
	if !o.leaderElection {
		return cfg, nil, nil
	}
	lock, err := leaderfence.NewLock(context.WithoutCancel(ctx), cfg, leaderfence.Lease{Namespace: o.leaseNamespace, Name: leaseName})
	if err != nil {
		return nil, nil, fmt.Errorf("set up the election of a leader: %w", err)
	}
	guard := leaderfence.New()
	if cfg, err = guard.Config(cfg); err != nil {
		return nil, nil, fmt.Errorf("set up the fence: %w", err)
	}
	return cfg, guard.Lock(lock), nil
}

// parts are the adapters that the controllers are given.
type components struct {
	url      string
	store    *chartrepo.Store
	reviewer *access.Reviewer
	damaged  chan event.GenericEvent
	changed  chan event.GenericEvent
	workers  *worker.Pool
	clients  *helm.Clients
	monitor  *health.Watcher
	opener   sourceFactory
	pipeline hydrate.Pipeline
	catalog  *catalog.Catalog
	tenants  *impersonation.Clients
	cluster  *collector.Collector
	// process identifies this process in the attempts that it notes.
	process string
}

func newComponents(mgr ctrl.Manager, known *kinds.Kinds, o *options) (*components, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	images, err := newImageAnalysis(o)
	if err != nil {
		return nil, err
	}
	p := &components{
		process: string(uuid.NewUUID()),
		url:     repositoryURL(o),
		damaged: make(chan event.GenericEvent),
		changed: make(chan event.GenericEvent, changeBuffer),
		workers: &worker.Pool{
			Command: []string{self, renderWorker}, Workers: o.renderWorkers, Time: o.renderTime, Memory: o.renderMemory,
		},
		opener:  sourceFactory{secrets: mgr.GetAPIReader(), options: o, userAgent: userAgent(), folders: &source.FolderCache{}},
		tenants: &impersonation.Clients{Config: mgr.GetConfig(), Mapper: mgr.GetRESTMapper(), Scheme: mgr.GetScheme()},
	}
	if p.store, err = chartrepo.Open(o.storeDir, chartrepo.Options{OnDamaged: (&damageReporter{events: p.damaged}).reportDamage, NamespaceBytes: o.limits.publishedBytes}); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if p.clients, err = helm.NewClients(mgr.GetConfig(), known); err != nil {
		return nil, fmt.Errorf("set up Helm: %w", err)
	}
	if p.cluster, err = collector.New(mgr.GetConfig(), mgr.GetRESTMapper()); err != nil {
		return nil, fmt.Errorf("set up preflight: %w", err)
	}
	p.monitor = health.NewWatcher(mgr.GetConfig(), mgr.GetRESTMapper(), p.changed, health.WithLimit(o.limits.watches))
	p.pipeline = hydrate.Pipeline{
		Observer: appinfo.Metrics{},
		Steps: []hydrate.Step{
			hydrate.Analysis{Worker: p.workers, Observer: appinfo.Metrics{}},
			images,
			hydrate.RepoUpdate{Publisher: p.store},
		},
	}
	p.catalog = &catalog.Catalog{
		Worker: p.workers, Cluster: p.clients,
		Objects: mgr.GetClient(), Archives: p.store, Secrets: mgr.GetAPIReader(),
		Markets: o.marketNamespaces(), Issuers: newIssuers(o),
		Profiles: catalog.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
	}
	return p, nil
}

// releases gives the Helm client of a tenant.
func (p *components) releaseClientFor(t release.Tenant, known release.Records) release.Client {
	return p.clients.For(t, known)
}

// register hands the controllers and servers to the manager.
func (p *components) registerControllers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	instances := &appinstance.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("appinstance"),
		Catalog: p.catalog, Clients: p.releaseClientFor, Monitor: p.monitor, Tenants: p.tenants, Cluster: p.cluster,
		Unrecorded: p.cluster.TakeUnrecorded,
	}
	installs, removals := fairlimiter.New(o.installs, instances.Wake), fairlimiter.New(o.installs, instances.Wake)
	instances.Turns, instances.Removals = installs, removals
	options := func(kind string, workers int) controller.Options {
		return controller.Options{MaxConcurrentReconciles: workers, LogConstructor: logConstructor(mgr.GetLogger(), kind)}
	}
	sources := &marketsource.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("marketsource"), RepositoryURL: p.url, Markets: o.marketNamespaces(), Process: p.process, MaxApps: o.limits.apps,
		Open: func(ctx context.Context, from *v1alpha1.MarketSource) (marketsource.Lister, error) {
			return p.opener.openSource(ctx, from)
		},
	}
	apps := &appinfo.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("appinfo"), RepositoryURL: p.url, Process: p.process,
		Open: func(ctx context.Context, from *v1alpha1.MarketSource) (hydrate.Fetcher, error) {
			return p.opener.openSource(ctx, from)
		},
		Pipeline: p.pipeline, Repository: p.store, Profiles: p.catalog.Profiles,
	}
	tasks := &appinstalltask.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("appinstalltask"), Catalog: p.catalog, Tenants: p.tenants, Cluster: p.cluster,
		MaxTasks: o.limits.tasks, MaxValueBytes: o.limits.taskBytes,
	}
	setTurns(o, sources, apps, tasks)
	return errors.Join(
		metrics.Registry.Register(fairlimiter.Gauges{installs, removals}),
		registerIndexes(ctx, mgr),
		sources.SetupWithManager(mgr, options(v1alpha1.MarketSourceKind, maxConcurrentSyncs+spareWorkers)),
		apps.SetupWithManager(mgr, p.damaged, options(v1alpha1.AppInfoKind, o.hydrations+spareWorkers)),
		instances.SetupWithManager(mgr, p.changed, options(v1alpha1.AppInstanceKind, workersPerTurn*o.installs)),
		tasks.SetupWithManager(mgr, options(v1alpha1.AppInstallTaskKind, o.installs+spareWorkers)),
		mgr.Add(&chartrepo.Maintenance{Store: p.store, Interval: o.scrub, Keep: installedCharts(mgr.GetClient())}),
		p.addServers(ctx, mgr, o),
	)
}

// serve adds the repository's server and the probes.
func (p *components) addServers(ctx context.Context, mgr ctrl.Manager, o *options) error {
	cached := func(ctx context.Context) error {
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("not in sync")
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

// indexes are what the controllers look objects up by.
func registerIndexes(ctx context.Context, mgr ctrl.Manager) error {
	indexer := mgr.GetFieldIndexer()
	return errors.Join(
		catalog.AddIndexes(ctx, indexer),
		appinstalltask.AddIndexes(ctx, indexer),
	)
}

// installed finds the charts that instances have installed.
func installedCharts(objects client.Reader) func(context.Context) (func(string) bool, error) {
	return func(ctx context.Context) (func(string) bool, error) {
		var list v1alpha1.AppInstanceList
		if err := objects.List(ctx, &list); err != nil {
			return nil, fmt.Errorf("list instances: %w", err)
		}
		digests := map[string]bool{}
		for i := range list.Items {
			digests[list.Items[i].Status.ChartDigest] = true
		}
		return func(digest string) bool { return digests[digest] }, nil
	}
}
