// Package appinstalltask carries out wishes: it checks a task, writes the
// AppInstance, follows it to the end and keeps the result. It never runs Helm.
//
// Before a task is admitted, everything that stands in its way is reported at
// once, and its parameters may still be edited. Tasks of the same instance take
// turns by age; those of different instances know nothing of each other. Once the
// instance is written, the task only watches: its conditions are those of the
// instance for the generation that it wrote.
//
// A task that is cancelled, or that fails and is to leave nothing behind, takes
// back what it wrote by writing the instance once more, and follows that to its end
// too. A task that was carried out before, under its name and with its spec, finds
// itself in the instance's ledger and ends at once. Apps that the app needs are
// installed by tasks of their own, one after the other.
package appinstalltask

import (
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// Reconciler reconciles AppInstallTasks.
type Reconciler struct {
	client.Client
	// Live reads from the API server what the cache may not show yet.
	Live     client.Reader
	Recorder events.EventRecorder
	Catalog  *catalog.Catalog
	// Tenants acts as the tenant, for the objects that values come from.
	Tenants Tenants
	// Cluster compares what an app asks for with what the cluster and the tenant
	// have.
	Cluster admission.Cluster
	// Turns bounds how many tasks are worked on at once.
	Turns *fairlimiter.Limiter
	// MaxTasks bounds the unfinished tasks of an instance; zero is no bound.
	MaxTasks int
	// MaxValueBytes bounds the values of the unfinished tasks of a namespace together; zero
	// is no bound.
	MaxValueBytes int64

	queue fairlimiter.Queue
}

// Wake has a task reconciled, whose turn has come.
func (r *Reconciler) Wake(task types.NamespacedName) { r.queue.Wake(task) }

// Tenants gives a client that may do what a service account may do.
type Tenants interface {
	ClientFor(tenant release.Tenant) (client.Client, error)
}

// scope is what one reconcile knows.
type scope struct {
	task     *v1alpha1.AppInstallTask
	keeper   *status.Writer
	hash     string                // of what the task wishes for
	instance *v1alpha1.AppInstance // nil when there is none
	origin   *v1alpha1.AppInstance // what a clone copies
	tenant   release.Tenant        // who installs it
	app      *catalog.App
	version  *v1alpha1.PublishedVersion
	plan     *catalog.Plan            // what it comes to, rendered
	back     *v1alpha1.HistoryEntry   // the revision that a rollback goes back to
	lastStep *v1alpha1.AppInstallTask // the step that ended last
	ended    bool                     // nothing is left to do
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks/finalizers,verbs=update
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances,verbs=get;list;watch;create;patch

// Reconcile takes one task a step further.
func (r *Reconciler) Reconcile(ctx context.Context, task *v1alpha1.AppInstallTask) (result ctrl.Result, err error) {
	if !task.DeletionTimestamp.IsZero() {
		return result, nil
	}
	if key := client.ObjectKeyFromObject(task); !task.Finished() && task.Spec.Action != v1alpha1.ActionCancel && task.Spec.Cancel == nil {
		if !r.Turns.TryAcquire(key) {
			return result, nil // It is brought back when its turn has come.
		}
		defer r.Turns.Release(key)
	} else {
		r.Turns.Cancel(key)
	}
	keeper := status.NewWriter(r.Client, r.Recorder, status.AppInstallTask, task)
	task.Status.InstanceName = task.Instance()
	if task.Finished() {
		markEdited(task)
		if err := keeper.Save(ctx); err != nil {
			return result, client.IgnoreNotFound(err)
		}
		return r.expire(ctx, task)
	}
	defer func() { result, err = keeper.Finish(ctx, ended(task, err), 0) }()
	defer outcome.Recover(&err)
	s := &scope{task: task, keeper: keeper}
	phases := []func(context.Context, *scope) error{
		r.readInstance, // sets s.instance
		r.replay,       // sets s.hash
		r.heed,
		r.await,
		r.admit, // sets s.app, s.version, s.origin and s.back
		r.write,
		r.follow,
	}
	if task.Spec.Action == v1alpha1.ActionCancel {
		phases = []func(context.Context, *scope) error{r.readInstance, r.cancel}
	}
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil || s.ended {
			return result, err
		}
	}
	return result, nil
}

// markEdited notes in the status of a finished task that its spec was changed after the
// end, which the task does not carry out.
func markEdited(task *v1alpha1.AppInstallTask) {
	task.SetObservedGeneration(task.Generation)
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil || c.ObservedGeneration == task.Generation {
		return
	}
	c.ObservedGeneration = task.Generation
	const edited = "; spec was changed after the task ended, which has no effect but for ttlSecondsAfterFinished: " +
		"delete the task and apply it again, or create another one"
	if !strings.HasSuffix(c.Message, edited) {
		c.Message = text.Limit(c.Message, maxMessage-len(edited)) + edited
	}
}

// maxMessage bounds the message of a condition.
const maxMessage = 1024

// expire removes a finished task when its time has come.
func (r *Reconciler) expire(ctx context.Context, task *v1alpha1.AppInstallTask) (ctrl.Result, error) {
	ttl := task.Spec.TTLSecondsAfterFinished
	if ttl == nil || tracked(task) {
		return ctrl.Result{}, nil
	}
	left := time.Until(task.Status.CompletionTime.Add(time.Duration(*ttl) * time.Second))
	if left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, task, client.Preconditions{UID: &task.UID}))
}

// tracked reports whether a GitOps tool keeps the task: it would create it again.
func tracked(task *v1alpha1.AppInstallTask) bool {
	_, argo := task.Annotations["argocd.argoproj.io/tracking-id"]
	_, hook := task.Annotations["argocd.argoproj.io/hook"]
	_, flux := task.Labels["kustomize.toolkit.fluxcd.io/name"]
	return argo && !hook || flux
}
