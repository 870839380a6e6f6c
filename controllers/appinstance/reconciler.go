// Package appinstance makes an installation of an app be what its AppInstance says.
// It is the only place from which Helm is run.
//
// A reconcile resolves the spec to an exact version, digest and values, or to an
// earlier revision; compares that with what is installed; runs Helm as the tenant's
// service account if they differ; stops or resumes the workloads; and follows the
// objects until they are ready, and from then on for as long as the instance runs.
//
// An operation is written to status before Helm is called. One that is found there
// at the start of a reconcile was interrupted: its releases are settled, it is
// noted as such, and the work goes on from what is there. One whose result is no
// longer wanted, since the spec has changed, is ended at once. A failed operation
// is not repeated by itself: hooks and half-made objects are for a person to judge.
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
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// Reconciler reconciles AppInstances.
type Reconciler struct {
	client.Client
	// Live reads from the API server what is not cached.
	Live     client.Reader
	Recorder events.EventRecorder
	Catalog  *catalog.Catalog
	Clients  release.Clients
	Monitor  release.Monitor
	// Tenants acts as the tenant, for the objects that values come from.
	Tenants Tenants
	// Cluster compares what an app asks for with what the cluster and the tenant have.
	Cluster admission.Cluster
	// Unrecorded reports whether a check has just seen that a release has no records, once. If
	// not specified, the records are listed.
	Unrecorded func(tenant release.Tenant, name string) bool
	// Turns bounds how many operations run at once, and Removals how many removals.
	Turns, Removals Turns

	running  operations
	compared comparisons
	// owed are the instances whose objects were changed since the monitor was told.
	owed sync.Map
	// told are the times at which the message about objects that are not ready was
	// changed last.
	told  sync.Map
	queue atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
}

// Tenants gives a client that may do what a service account may do.
type Tenants interface {
	ClientFor(tenant release.Tenant) (client.Client, error)
}

// scope is what one reconcile knows.
type scope struct {
	instance *v1alpha1.AppInstance
	keeper   *status.Writer
	tenant   release.Tenant
	helm     release.Client
	target   *target
	retained []v1alpha1.ObjectReference // all that an operation of this reconcile has kept
	operated bool                       // Helm has changed the objects in this reconcile
	// unrecorded are releases to be made that had no records when this reconcile looked.
	unrecorded []string
	seen       *sight       // how the objects were seen last in this reconcile
	app        *catalog.App // nil if it cannot be found
	// unresolved is why the spec cannot be resolved, where what is installed is only
	// stopped or resumed.
	unresolved error
	// described says that the keeper was told what the root condition says now.
	described bool
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances,verbs=list;watch;patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinfos;marketsources,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;impersonate
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=appinstances.appmarket.io,verbs=get

// Reconcile brings one instance up to date.
func (r *Reconciler) Reconcile(ctx context.Context, instance *v1alpha1.AppInstance) (result ctrl.Result, err error) {
	keeper := status.NewWriter(r.Client, r.Recorder, status.AppInstance, instance)
	s := &scope{instance: instance, keeper: keeper}
	phases := []func(context.Context, *scope) error{
		r.hold,
		r.connect, // sets s.helm
		r.settle,
		r.resolve, // sets s.target; nothing for an instance that should be absent
		r.apply,
		r.scale,
		r.watch,
		r.compare,
		r.follow,
	}
	if !instance.DeletionTimestamp.IsZero() {
		phases = []func(context.Context, *scope) error{r.connect, r.removeForGood}
	}
	defer func() {
		r.describe(ctx, s, err)
		s.enter(err)
		result, err = keeper.Finish(ctx, err, lookAgain(err))
	}()
	defer outcome.Recover(&err)
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil {
			return result, err
		}
	}
	return result, nil
}
