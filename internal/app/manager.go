package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/crdcheck"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/leaderfence"
	"github.com/appmarket/operator/internal/placement"
)

// Settings without a flag.
const (
	// leaseName is the name of the lease for leader election.
	leaseName = "appmarket.io"
	// imageCacheTTL is how long the result for an image tag is cached.
	imageCacheTTL = 10 * time.Minute
	// imageCacheSize is the number of cached results.
	imageCacheSize = 5000
	// maxInspectionsPerRegistry is the number of concurrent inspections in one registry.
	maxInspectionsPerRegistry = 8
	// registryPause is how long an unavailable registry is not accessed.
	registryPause = time.Minute
	// maxConcurrentSyncs is the number of sources that are synchronized concurrently.
	maxConcurrentSyncs = 4
	// maxSlowSyncs is the number of sources in addition that wait for slow servers.
	maxSlowSyncs = 8
	// writeCheckInterval is the time between two checks whether a store that could not be written
	// can be written again.
	writeCheckInterval = 10 * time.Second
	// reconcilesPerTurn is the number of concurrent reconciles of instances for each operation
	// slot: most of them only check the status, or wait for a hook.
	reconcilesPerTurn = 16
	// crdTimeout is the time to wait for the CRDs.
	crdTimeout = 30 * time.Second
	// changeBuffer is the number of buffered changes of health.
	changeBuffer = 1024
)

// runOperator creates the components and runs them until the context is done.
func runOperator(ctx context.Context, o *options) error {
	logStart(o, repositoryURL(o))
	limitOwnMemory(o.ownMemory)
	// Panics in goroutines of client-go, such as informer handlers, are logged.
	utilruntime.ReallyCrash = false
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("load kubeconfig: %w", err)
	}
	cfg.UserAgent = userAgent()
	cfg.QPS = -1 // The API server applies priority and fairness.
	if err := checkCRDs(ctx, cfg); err != nil {
		return err
	}
	metricsOptions := metricsOptions(o, cfg)
	reviewer, err := newReviewer(cfg)
	if err != nil {
		return err
	}
	// Uploads and webhooks are received by all replicas.
	writer, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("create client of uploads and webhooks: %w", err)
	}
	cfg, lock, err := newLeaderLock(ctx, cfg, o)
	if err != nil {
		return err
	}
	known, err := kinds.New(cfg)
	if err != nil {
		return fmt.Errorf("configure REST mapper: %w", err)
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
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         map[client.Object]cache.ByObject{&corev1.Node{}: {Transform: placement.StripNode}},
		},
	})
	if err != nil {
		return fmt.Errorf("create manager: %w", err)
	}
	p, err := newComponents(mgr, known, o)
	if err != nil {
		return err
	}
	p.reviewer, p.writer = reviewer, writer
	defer p.workers.Close()
	if err := p.registerControllers(ctx, mgr, o); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run manager: %w", err)
	}
	return nil
}

// checkCRDs waits for the CRDs, which can be applied together with the operator.
func checkCRDs(ctx context.Context, cfg *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("create discovery client: %w", err)
	}
	return crdcheck.Wait(ctx, client.OpenAPIV3(), crdTimeout)
}

// newLeaderLock returns the lock for leader election, nil without election, and a
// configuration that rejects writes while this process is not certain to be the leader. Writes to a
// bucket are rejected, too.
func newLeaderLock(ctx context.Context, cfg *rest.Config, o *options) (*rest.Config, resourcelock.Interface, error) {
	if !o.leaderElection {
		return cfg, nil, nil
	}
	lock, err := leaderfence.NewLock(context.WithoutCancel(ctx), cfg, leaderfence.Lease{Namespace: o.leaseNamespace, Name: leaseName})
	if err != nil {
		return nil, nil, fmt.Errorf("configure leader election: %w", err)
	}
	guard := leaderfence.New()
	o.store.bucket.GuardWrites = guard.Transport
	if cfg, err = guard.Config(cfg); err != nil {
		return nil, nil, fmt.Errorf("configure leader fence: %w", err)
	}
	return cfg, guard.Lock(lock), nil
}
