package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/crdcheck"
	"github.com/appmarket/operator/internal/leaderfence"
	"github.com/appmarket/operator/internal/kinds"
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
