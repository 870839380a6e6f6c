package appinstance

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	r.Turns.Forget(client.ObjectKeyFromObject(s.instance))
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

func timeout(instance *v1alpha1.AppInstance) time.Duration {
	return instance.Spec.Timeout.Or(defaultTimeout)
}
