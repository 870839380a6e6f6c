// Package appinstance contains the controller of AppInstances, which installs apps as their
// specs require. It is the only package that runs Helm.
//
// A reconcile resolves the spec to an exact version, digest and values, or to an earlier
// revision, and compares that with the installed release. If they differ, it runs Helm as
// the service account of the tenant. It then stops or resumes the workloads and monitors
// the objects for as long as the instance is installed.
//
// An operation is saved to status before Helm is called. An operation that is found in
// status at the start of a reconcile was interrupted. Its releases are settled, it is
// recorded as interrupted, and the controller continues from the current state of the
// releases. A change of the spec cancels an operation that it supersedes. Failed operations
// are not retried automatically, because hooks may not be idempotent and partial results
// need a decision by a user.
package appinstance

import (
	"context"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/addresses"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// Reconciler reconciles AppInstances.
type Reconciler struct {
	client.Client
	// Live reads objects from the API server that are not cached.
	Live     client.Reader
	Recorder events.EventRecorder
	Catalog  *catalog.Catalog
	Planner  *installplan.Planner
	Clients  release.Clients
	Monitor  release.Monitor
	// Addresses determines the URLs of entrances. It may be nil.
	Addresses *addresses.Policy
	// Tenants returns the clients that read values and inputs as the service account.
	Tenants Tenants
	// Inputs watches the Secrets and ConfigMaps that instances read.
	Inputs InputWatcher
	// Cluster checks the requirements of an app against the cluster and the permissions of
	// the tenant.
	Cluster admission.Cluster
	// Unrecorded reports, once per check, whether a check has just found that a release
	// does not exist. If not specified, the releases are read again.
	Unrecorded func(tenant release.Tenant, name string) bool
	// Reconciles limits the number of instances that are reconciled concurrently.
	Reconciles *fairlimiter.Limiter
	// Turns limits the number of concurrent operations, and Removals the number of
	// concurrent uninstallations.
	Turns, Removals OperationLimiter

	// singletons is locked while an operation of an app that can be installed once in a cluster
	// starts.
	singletons       sync.Mutex
	activeOperations operationTracker
	driftChecks      driftTracker
	// staleHealth contains the instances whose objects have changed since the last refresh of the
	// monitor.
	staleHealth sync.Map
	// messageTimes contains the time of the last change of the message about objects that are not
	// ready, by instance.
	messageTimes sync.Map
	queue        atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
}

// Tenants returns a client that acts with the permissions of a service account.
type Tenants interface {
	ClientFor(tenant release.Tenant) (client.Client, error)
}

// scope is the state of one reconcile.
type scope struct {
	instance     *v1alpha1.AppInstance
	statusWriter *status.Writer
	tenant       release.Tenant
	helm         release.Client
	target       *desiredRelease
	planned      []plannedRelease           // the releases that the next operation installs
	retained     []v1alpha1.ObjectReference // all objects that the operations of this reconcile have kept
	operated     bool                       // an operation of this reconcile has changed the objects
	// unrecorded contains the new releases that did not exist when this reconcile checked.
	unrecorded []string
	observed   *observedHealth // the health of the objects, nil if not observed yet
	app        *catalog.App    // nil if it cannot be found
	// unresolved is the error of a spec that cannot be resolved while the installed release
	// is only stopped or resumed.
	unresolved error
	// described reports whether the message of the Ready condition is already set.
	described bool
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances,verbs=list;watch;patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos;marketsources;appinstalltasks,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;impersonate
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=appinstances.appmarket.io,verbs=get

// Reconcile runs the phases of an instance until one returns an error.
func (r *Reconciler) Reconcile(ctx context.Context, instance *v1alpha1.AppInstance) (result ctrl.Result, err error) {
	key := client.ObjectKeyFromObject(instance)
	if !r.Reconciles.TryAcquire(key) {
		return result, nil // Wake requeues it.
	}
	defer r.Reconciles.Release(key)
	writer := status.NewWriter(r.Client, r.Recorder, status.AppInstance, instance)
	s := &scope{instance: instance, statusWriter: writer}
	phases := []func(context.Context, *scope) error{
		r.ensureFinalizer,
		r.setHelmClient, // sets s.tenant and s.helm
		r.recoverInterrupted,
		r.checkSuspended,
		r.resolveSpec, // sets s.target, nil if the desired state is Uninstalled
		r.applyTarget,
		r.scaleWorkloads,
		r.restartWorkloads,
		r.watchObjects,
		r.detectDrift,
		r.reportHealth,
	}
	if !instance.DeletionTimestamp.IsZero() {
		phases = []func(context.Context, *scope) error{r.setHelmClient, r.finalizeInstance}
	}
	defer func() {
		describeFailure(ctx, r, s, err)
		recordTask(s, err)
		result, err = writer.Finish(ctx, err, requeueDelay(err))
	}()
	defer outcome.Recover(&err)
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}
