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
	s.noteWriter()
	return nil
}

// removeForGood removes the releases of an instance that is being deleted, and
// then lets it go. In a namespace that is going away there is nothing to remove:
// the releases go with it, and the rights of the service account may have gone
// before it.
func (r *Reconciler) removeForGood(ctx context.Context, s *scope) error {
	ending, err := r.namespaceEnds(ctx, s.instance.Namespace)
	if err != nil {
		return err
	}
	if !ending {
		if err := r.settle(ctx, s); err != nil {
			return err
		}
		if err := r.uninstall(ctx, s); err != nil {
			return err
		}
	}
	r.forget(s)
	return s.keeper.Release(ctx)
}

// forget drops what is kept in memory of an instance that has no releases any more.
func (r *Reconciler) forget(s *scope) {
	key := client.ObjectKeyFromObject(s.instance)
	r.Monitor.Untrack(key)
	r.Turns.Forget(key)
	r.Removals.Forget(key)
	r.compared.forget(key)
	r.owed.Delete(key)
	r.told.Delete(key)
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
