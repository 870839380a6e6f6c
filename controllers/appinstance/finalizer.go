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

// defaultAccount is the service account of an instance that specifies none, as for a Pod.
const defaultAccount = "default"

// defaultTimeout is the timeout if spec.timeout is not set or invalid.
const defaultTimeout = 10 * time.Minute

// ensureFinalizer adds the finalizer, which delays the deletion of the instance until its releases are
// removed.
func (r *Reconciler) ensureFinalizer(ctx context.Context, s *scope) error {
	return s.statusWriter.AddFinalizer(ctx)
}

func (r *Reconciler) setHelmClient(_ context.Context, s *scope) error {
	s.tenant = release.Tenant{
		Namespace:      s.instance.Namespace,
		ServiceAccount: cmp.Or(s.instance.Spec.ServiceAccountName, defaultAccount),
	}
	s.helm = r.Clients(s.tenant, records{s})
	recordRequester(s.instance)
	return nil
}

// finalizeInstance uninstalls the releases of a deleted instance and removes the finalizer. If
// the namespace is being deleted, it skips the uninstallation: the namespace controller
// deletes the releases and may already have deleted the permissions of the service account.
func (r *Reconciler) finalizeInstance(ctx context.Context, s *scope) error {
	ending, err := isNamespaceTerminating(ctx, r, s.instance.Namespace)
	if err != nil {
		return err
	}
	keeps, err := shouldKeepReleases(ctx, r, s)
	if err != nil {
		return err
	}
	if !ending && !keeps {
		if err := r.recoverInterrupted(ctx, s); err != nil {
			return err
		}
		if err := uninstallInstance(ctx, r, s); err != nil {
			return err
		}
	}
	if !ending && keeps && len(s.instance.Status.Releases) > 0 {
		var names []string
		for _, known := range s.instance.Status.Releases {
			names = append(names, known.Name)
		}
		s.statusWriter.Report(corev1.EventTypeNormal, v1alpha1.EventReleased, fmt.Sprintf(
			"deleted the instance and kept its Helm releases: %s", text.List(names, ", ", maxNamed)))
	}
	forgetInstance(r, s)
	return s.statusWriter.RemoveFinalizer(ctx)
}

// maxNamed is the maximum number of releases that an event lists.
const maxNamed = 10

// instancesCRD is the name of the CustomResourceDefinition of AppInstances.
const instancesCRD = "appinstances.appmarket.io"

// shouldKeepReleases reports whether the releases are kept when the instance is deleted: if its
// annotation requests that, or if the CRD of AppInstances is being deleted. Uninstalling
// AppMarket must not uninstall the apps.
func shouldKeepReleases(ctx context.Context, r *Reconciler, s *scope) (bool, error) {
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
		return false, fmt.Errorf("get CustomResourceDefinition %q: %w", instancesCRD, err)
	}
	return !crd.DeletionTimestamp.IsZero(), nil
}

// forgetInstance removes the in-memory state of an instance without releases.
func forgetInstance(r *Reconciler, s *scope) {
	key := client.ObjectKeyFromObject(s.instance)
	r.Monitor.Untrack(key)
	r.Turns.Cancel(key)
	r.Removals.Cancel(key)
	r.driftChecks.deleteCheck(key)
	r.staleHealth.Delete(key)
	r.messageTimes.Delete(key)
}

func isNamespaceTerminating(ctx context.Context, r *Reconciler, name string) (bool, error) {
	ns := &corev1.Namespace{}
	err := r.Get(ctx, types.NamespacedName{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return !ns.DeletionTimestamp.IsZero(), nil
}

func operationTimeout(instance *v1alpha1.AppInstance) time.Duration {
	return instance.Spec.Timeout.Or(defaultTimeout)
}
