// Package appinstalltask contains the controller of AppInstallTasks. It checks a task,
// writes the AppInstance, waits for the operation to complete and records the result. It
// never runs Helm.
//
// Before a task is admitted, all problems are reported together, and the spec may still be
// edited. Tasks of the same instance run one at a time, by age. Tasks of different
// instances are independent. After the task has written the instance, its conditions are
// the conditions of the instance for the generation that it wrote.
//
// A task that is canceled, or that fails and whose spec.onFailure requires it, reverts its
// write by writing the instance again and waits for that operation too. A task that is
// applied again with the name and the spec of a completed one is found in status.completedTasks of
// the instance and ends immediately. Dependencies of the app are installed by subtasks, one at
// a time. A task with spec.dryRun runs the checks only, and reports what the operation would change.
package appinstalltask

import (
	"context"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// Reconciler reconciles AppInstallTasks.
type Reconciler struct {
	client.Client
	// Live reads objects from the API server that the cache may not yet contain.
	Live     client.Reader
	Recorder events.EventRecorder
	Catalog  *catalog.Catalog
	Planner  *installplan.Planner
	// Reports contains the layers of images for dry runs.
	Reports catalog.Reports
	// Tenants returns the clients that read values and inputs as the service account.
	Tenants Tenants
	// Clients returns the clients that read releases for dry runs, as the service account.
	Clients release.Clients
	// Inputs watches the missing Secrets and ConfigMaps that tasks wait for.
	Inputs InputWatcher
	// Cluster checks the requirements of an app against the cluster and the permissions of
	// the tenant.
	Cluster admission.Cluster
	// Turns limits the number of tasks that are reconciled concurrently.
	Turns *fairlimiter.Limiter
	// MaxTasks is the maximum number of unfinished tasks per instance. 0 means no limit.
	MaxTasks int
	// MaxValueBytes is the maximum total size in bytes of the values of the unfinished
	// tasks in a namespace. 0 means no limit.
	MaxValueBytes int64

	queue fairlimiter.Queue
	// singletons is locked while a task for an app that can be installed once in a cluster writes
	// its instance.
	singletons sync.Mutex
}

// Wake requeues a task that has acquired a slot of Turns.
func (r *Reconciler) Wake(task types.NamespacedName) { r.queue.Wake(task) }

// Tenants returns a client that acts with the permissions of a service account.
type Tenants interface {
	ClientFor(tenant release.Tenant) (client.Client, error)
}

// scope is the state of one reconcile.
type scope struct {
	task          *v1alpha1.AppInstallTask
	action        action // of the task
	statusWriter  *status.Writer
	hash          string                // of the spec of the task
	instance      *v1alpha1.AppInstance // nil if it does not exist; setInstance sets it
	ownership     ownership             // of the task and the instance
	cloneSource   *v1alpha1.AppInstance // the instance to clone
	app           *catalog.App
	version       *v1alpha1.PublishedVersion
	rendered      *hydrate.Prepared        // the rendered chart, or the problems with its inputs
	valuePaths    [][]string               // the paths of the values of a dry run
	rollbackEntry *v1alpha1.HistoryEntry   // the revision to roll back to
	lastSubtask   *v1alpha1.AppInstallTask // the subtask that ended last
	isComplete    bool                     // the task is complete
	watchesInputs bool                     // the task waits for Secrets or ConfigMaps that are watched
}

// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks/status,verbs=patch
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstalltasks/finalizers,verbs=update
// +kubebuilder:rbac:groups=appmarket.io,resources=appinstances,verbs=get;list;watch;create;patch

// Reconcile runs the phases of a task until one returns an error or the task is complete.
func (r *Reconciler) Reconcile(ctx context.Context, task *v1alpha1.AppInstallTask) (result ctrl.Result, err error) {
	if !task.DeletionTimestamp.IsZero() {
		return result, nil
	}
	if key := client.ObjectKeyFromObject(task); !task.Finished() && !isCancel(task) && !isCanceled(task) {
		if !r.Turns.TryAcquire(key) {
			return result, nil // Wake requeues it.
		}
		defer r.Turns.Release(key)
	} else {
		r.Turns.Cancel(key)
	}
	writer := status.NewWriter(r.Client, r.Recorder, status.AppInstallTask, task)
	task.Status.InstanceName = task.Instance()
	if task.Finished() {
		markEdited(task)
		if err := writer.Save(ctx); err != nil {
			return result, client.IgnoreNotFound(err)
		}
		return r.deleteAfterTTL(ctx, task)
	}
	defer func() { result, err = writer.Finish(ctx, recordCompletion(task, err), 0) }()
	defer outcome.Recover(&err)
	s := &scope{task: task, action: actionOf(task), statusWriter: writer}
	defer forgetInputs(r, s)
	phases := []func(context.Context, *scope) error{
		r.readInstance, // sets s.hash, s.instance and s.ownership
		r.restoreCompletedTask,
		r.handleCancellation,
		r.waitInQueue,
		r.admitTask, // sets s.app, s.version, s.cloneSource and s.rollbackEntry
		r.writeInstance,
		r.waitForInstance,
	}
	switch {
	case isCancel(task):
		phases = []func(context.Context, *scope) error{r.readInstance, r.cancelTarget}
	case task.IsDryRun():
		phases = []func(context.Context, *scope) error{r.readInstance, r.handleCancellation, r.limitValueBytes, r.planOperation}
	}
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil || s.isComplete {
			return result, err
		}
	}
	return result, nil
}

// markEdited records in the Succeeded condition of a finished task that a later change of
// its spec has no effect.
func markEdited(task *v1alpha1.AppInstallTask) {
	task.SetObservedGeneration(task.Generation)
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil || c.ObservedGeneration == task.Generation {
		return
	}
	c.ObservedGeneration = task.Generation
	const edited = "; spec was changed after the end of the task, and only ttlSecondsAfterFinished has an effect; " +
		"delete and re-create the task, or create another task"
	if !strings.HasSuffix(c.Message, edited) {
		c.Message = text.Limit(c.Message, maxMessage-len(edited)) + edited
	}
}

// maxMessage is the maximum length of a condition message.
const maxMessage = 1024

// dryRunTTLSeconds is the default of spec.ttlSecondsAfterFinished for dry runs.
const dryRunTTLSeconds = 300

// ttlOf returns the seconds after which a finished task is deleted, nil if it is kept.
func ttlOf(task *v1alpha1.AppInstallTask) *int32 {
	switch ttl := task.Spec.TTLSecondsAfterFinished; {
	case isGitOpsManaged(task):
		return nil
	case ttl == nil && task.IsDryRun():
		return ptr.To[int32](dryRunTTLSeconds)
	default:
		return ttl
	}
}

// deleteAfterTTL deletes a finished task after its time to live.
func (r *Reconciler) deleteAfterTTL(ctx context.Context, task *v1alpha1.AppInstallTask) (ctrl.Result, error) {
	ttl := ttlOf(task)
	if ttl == nil {
		return ctrl.Result{}, nil
	}
	left := time.Until(task.Status.CompletionTime.Add(time.Duration(*ttl) * time.Second))
	if left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, task, client.Preconditions{UID: &task.UID}))
}

// isGitOpsManaged reports whether a GitOps tool manages the task. The tool would re-create a
// deleted task.
func isGitOpsManaged(task *v1alpha1.AppInstallTask) bool {
	_, argo := task.Annotations["argocd.argoproj.io/tracking-id"]
	_, hook := task.Annotations["argocd.argoproj.io/hook"]
	_, flux := task.Labels["kustomize.toolkit.fluxcd.io/name"]
	return argo && !hook || flux
}
