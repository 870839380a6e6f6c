package appinstalltask

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/release"
)

// InputWatcher requeues tasks when a Secret or a ConfigMap changes that they wait for.
type InputWatcher interface {
	// WatchInputs replaces the watched Secrets and ConfigMaps of a task.
	WatchInputs(task types.NamespacedName, tenant release.Tenant, inputs []v1alpha1.ValuesReference) error
	// IsWatching reports whether the watches of a task have started. They do not start without
	// permission.
	IsWatching(task types.NamespacedName) bool
	// ForgetInputs stops watching the Secrets and ConfigMaps of a task.
	ForgetInputs(task types.NamespacedName)
}

// watchMissingInputs watches the Secrets and ConfigMaps of a task as its service account, because one of
// them is missing. It returns the interval at which they are read again: recheckInterval until the
// watches have started, which requeues the task, and then a long one, in case the service account
// loses its permission.
func watchMissingInputs(ctx context.Context, r *Reconciler, s *scope) time.Duration {
	key := client.ObjectKeyFromObject(s.task)
	s.watchesInputs = true
	if err := r.Inputs.WatchInputs(key, s.tenant(), s.resolveTaskInputs().References()); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not watch the inputs of a task")
		return recheckInterval
	}
	if !r.Inputs.IsWatching(key) {
		return recheckInterval
	}
	return admission.MaxInterval
}

// forgetInputs ends the watches of a task that does not wait for its inputs.
func forgetInputs(r *Reconciler, s *scope) {
	if !s.watchesInputs {
		r.Inputs.ForgetInputs(client.ObjectKeyFromObject(s.task))
	}
}
