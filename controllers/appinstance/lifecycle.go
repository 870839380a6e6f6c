package appinstance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// defaultAccount is the service account of an instance that names none, as for a
// pod.
const defaultAccount = "default"

// defaultTimeout stands in for a timeout that cannot be read.
const defaultTimeout = 10 * time.Minute

// errInterrupted is what the history says of an operation that a restart ended.
var errInterrupted = errors.New("the operator stopped during the operation")

// hold keeps the instance from going away before its releases have gone.
func (r *Reconciler) hold(ctx context.Context, s *scope) error { return s.keeper.Hold(ctx) }

func (r *Reconciler) connect(_ context.Context, s *scope) error {
	s.tenant = release.Tenant{
		Namespace:      s.instance.Namespace,
		ServiceAccount: cmp.Or(s.instance.Spec.ServiceAccountName, defaultAccount),
	}
	s.helm = r.Clients(s.tenant)
	return nil
}

// settle ends an operation that was interrupted: whatever is in status now was
// begun by a process that is no more, since one object is never reconciled twice
// at once.
func (r *Reconciler) settle(ctx context.Context, s *scope) error {
	if s.instance.Status.Operation == nil {
		return nil
	}
	for _, known := range s.instance.Status.Releases {
		if err := s.helm.Settle(ctx, known.Name); err != nil {
			return fmt.Errorf("settle release %s: %w", known.Name, err)
		}
	}
	s.conclude(v1alpha1.OutcomeInterrupted, v1alpha1.ReasonInterrupted, errInterrupted)
	return s.keeper.Save(ctx)
}

// removeForGood removes the releases of an instance that is being deleted, and
// then lets it go. In a namespace that is going away there is nothing to remove:
// the releases go with it, and so may the rights of the service account.
func (r *Reconciler) removeForGood(ctx context.Context, s *scope) error {
	ending, err := r.namespaceEnds(ctx, s.instance.Namespace)
	if err != nil {
		return err
	}
	if !ending {
		if err := r.uninstall(ctx, s); err != nil {
			return err
		}
	}
	r.Monitor.Untrack(client.ObjectKeyFromObject(s.instance))
	return s.keeper.Release(ctx)
}

func (r *Reconciler) namespaceEnds(ctx context.Context, name string) (bool, error) {
	ns := &corev1.Namespace{}
	err := r.Get(ctx, types.NamespacedName{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get namespace %s: %w", name, err)
	}
	return !ns.DeletionTimestamp.IsZero(), nil
}

// begin writes the operation to status, before Helm is called.
func (s *scope) begin(ctx context.Context, operation v1alpha1.Operation, message string) error {
	operation.Task = s.instance.Annotations[v1alpha1.TaskAnnotation]
	operation.StartedAt = metav1.Now()
	s.instance.Status.Operation = &operation
	s.keeper.Working(message)
	return s.keeper.Save(ctx)
}

// maxHistory bounds the operations that are remembered.
const maxHistory = 10

// conclude moves the operation from status into the history.
func (s *scope) conclude(ended v1alpha1.OperationOutcome, reason string, err error) {
	entry := v1alpha1.HistoryEntry{Operation: *s.instance.Status.Operation, Outcome: ended, EndedAt: metav1.Now()}
	if err != nil {
		entry.Reason, entry.Message = reason, fmt.Sprintf("%.*s", 1000, err.Error())
	}
	st := &s.instance.Status
	st.Operation = nil
	st.History = append([]v1alpha1.HistoryEntry{entry}, st.History...)
	st.History = st.History[:min(len(st.History), maxHistory)]
}

func timeout(instance *v1alpha1.AppInstance) time.Duration {
	return instance.Spec.Timeout.Or(defaultTimeout)
}
