package app

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/uuid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinfo"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/health"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/placement"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/preflight/collector"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/worker"
)

// components are the adapters that the controllers use.
type components struct {
	url   string
	store *chartrepo.Store
	// uploads is nil if uploads are not received.
	uploads  *uploads.Store
	listed   *listedApps
	reviewer *access.Reviewer
	// writer writes objects without the leader fence.
	writer    client.Client
	damaged   chan event.GenericEvent
	changed   chan event.GenericEvent
	workers   *worker.Pool
	clients   *helmrelease.Clients
	monitor   *health.Watcher
	opener    sourceFactory
	pipeline  hydrate.Pipeline
	images    *imageInspectors
	catalog   *catalog.Catalog
	profiles  platform.Profiles
	planner   *installplan.Planner
	tenants   *impersonation.Clients
	cluster   *collector.Collector
	placement *placement.Observer
	// process identifies this process in recorded attempts.
	process string
}

func newComponents(mgr ctrl.Manager, known *kinds.Kinds, o *options) (*components, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find executable: %w", err)
	}
	images, err := newImageInspectors(o, mgr.GetAPIReader())
	if err != nil {
		return nil, err
	}
	p := &components{
		process: string(uuid.NewUUID()),
		url:     repositoryURL(o),
		images:  images,
		damaged: make(chan event.GenericEvent),
		changed: make(chan event.GenericEvent, changeBuffer),
		workers: &worker.Pool{
			Command: []string{self, renderWorker}, Workers: o.renderWorkers, Time: o.renderTime, Memory: o.renderMemory,
		},
		opener: sourceFactory{
			secrets: mgr.GetAPIReader(), options: o, userAgent: userAgent(), folders: &source.FolderCache{},
			checkouts: &source.Checkouts{Dir: filepath.Join(o.store.dir, "git")}, shared: &source.SharedListings{}, kinds: mgr.GetRESTMapper(),
		},
		tenants: &impersonation.Clients{Config: mgr.GetConfig(), Mapper: mgr.GetRESTMapper(), Scheme: mgr.GetScheme()},
	}
	// The operator serves charts from a volume that is read-only, too. Checkouts that are left are not used again.
	if err := p.opener.checkouts.RemoveAll(); err != nil {
		mgr.GetLogger().Error(err, "Cannot remove checkouts", "dir", p.opener.checkouts.Dir)
	}
	reporter := &appReporter{events: p.damaged}
	p.listed = &listedApps{refresh: func(owner hydrate.Owner) { p.store.RefreshIndex(owner) }}
	p.store, err = o.store.openStore(chartrepo.Options{
		OnDamaged: reporter.reportDamage, OnWritable: reporter.reportApp, NamespaceBytes: o.limits.publishedBytes,
		Indexed: p.listed.isIndexed,
	}, mgr.Elected())
	if err != nil {
		return nil, err
	}
	if o.receiveUploads {
		p.uploads, err = uploads.Open(filepath.Join(o.store.dir, uploadsFolder), uploads.Options{Reader: p.workers, NamespaceBytes: o.limits.uploadedBytes})
		if err != nil {
			return nil, fmt.Errorf("--store-dir: %w", err)
		}
		p.opener.uploads = uploadStore{p.uploads}
	}
	if p.clients, err = helmrelease.NewClients(mgr.GetConfig(), known); err != nil {
		return nil, fmt.Errorf("configure Helm: %w", err)
	}
	if p.cluster, err = collector.New(mgr.GetConfig(), mgr.GetRESTMapper(), collector.WithNodesOnDemand(o.nodesOnDemand)); err != nil {
		return nil, fmt.Errorf("configure preflight: %w", err)
	}
	p.placement = placement.NewObserver(mgr.GetCache(), known, p.cluster.CanAddNodes)
	p.monitor = health.NewWatcher(mgr.GetConfig(), mgr.GetRESTMapper(), p.changed, health.WithLimit(o.limits.watches))
	p.pipeline = hydrate.Pipeline{
		Observer: appinfo.Metrics{},
		Steps: []hydrate.Step{
			hydrate.Analysis{Worker: p.workers, Observer: appinfo.Metrics{}},
			hydrate.ImageAnalysis{},
			hydrate.RepoUpdate{Publisher: p.store},
		},
	}
	p.catalog = &catalog.Catalog{Objects: mgr.GetClient(), Markets: o.marketNamespaces()}
	p.opener.catalog, p.opener.archives = p.catalog, p.store
	p.profiles = platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}}
	p.planner = &installplan.Planner{
		Objects: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Tenants: p.tenants, Archives: p.store,
		Profiles: p.profiles, Worker: p.workers, Cluster: p.clients, Issuers: newIssuers(o),
		Addresses: &o.addresses.policy,
	}
	return p, nil
}

// releaseClientFor returns the Helm client of a tenant.
func (p *components) releaseClientFor(t release.Tenant, known release.Records) release.Client {
	return p.clients.For(t, known)
}
