package appinstance

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/text"
)

// defaultAccount is the service account of an instance that names none, as for a
// pod.
const defaultAccount = "default"

// defaultTimeout stands in for a timeout that cannot be read.
const defaultTimeout = 10 * time.Minute

// hold keeps the instance from going away before its releases have gone.
func (r *Reconciler) hold(ctx context.Context, s *scope) error { return s.keeper.AddFinalizer(ctx) }

func (r *Reconciler) connect(_ context.Context, s *scope) error {
	s.tenant = release.Tenant{
		Namespace:      s.instance.Namespace,
		ServiceAccount: cmp.Or(s.instance.Spec.ServiceAccountName, defaultAccount),
	}
	s.helm = r.Clients(s.tenant, records{s})
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
	keeps, err := r.keepsReleases(ctx, s)
	if err != nil {
		return err
	}
	if !ending && !keeps {
		if err := r.settle(ctx, s); err != nil {
			return err
		}
		if err := r.uninstall(ctx, s); err != nil {
			return err
		}
	}
	if !ending && keeps && len(s.instance.Status.Releases) > 0 {
		var names []string
		for _, known := range s.instance.Status.Releases {
			names = append(names, known.Name)
		}
		s.keeper.Report(corev1.EventTypeNormal, v1alpha1.EventReleased, fmt.Sprintf(
			"the instance is deleted, its Helm releases stay: %s", text.List(names, ", ", maxNamed)))
	}
	r.forget(s)
	return s.keeper.RemoveFinalizer(ctx)
}

// maxNamed bounds the releases that an event names.
const maxNamed = 10

// instancesCRD is the name of the CustomResourceDefinition of AppInstances.
const instancesCRD = "appinstances.appmarket.io"

// keepsReleases reports whether the releases of an instance stay when it is deleted: where
// an annotation asks for that, and where all instances go with their CRD. Who removes
// AppMarket does not remove what was installed by it.
func (r *Reconciler) keepsReleases(ctx context.Context, s *scope) (bool, error) {
	if s.instance.Annotations[v1alpha1.KeepReleasesAnnotation] == "true" {
		return true, nil
	}
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	err := r.Live.Get(ctx, types.NamespacedName{Name: instancesCRD}, crd)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get CustomResourceDefinition %s: %w", instancesCRD, err)
	}
	return !crd.DeletionTimestamp.IsZero(), nil
}

// forget drops what is kept in memory of an instance that has no releases any more.
func (r *Reconciler) forget(s *scope) {
	key := client.ObjectKeyFromObject(s.instance)
	r.Monitor.Untrack(key)
	r.Turns.Cancel(key)
	r.Removals.Cancel(key)
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
