package pages

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
)

// sharingProblem returns that an app is not shared with a namespace, empty if it is or if that is unknown. The
// task decides again.
func sharingProblem(r *request, app *v1alpha1.AppInfo, namespace string) (string, error) {
	sharing := app.Status.Sharing
	if sharing == nil || !namespaceForm.MatchString(namespace) || namespace == app.Namespace {
		return "", nil
	}
	notShared := r.Text("sharing.notShared", "Namespace", namespace)
	switch sharing.From {
	case v1alpha1.NamespacesFromSame:
		return notShared, nil
	case v1alpha1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(sharing.Selector)
		if err != nil {
			return "", nil // The source reports the invalid selector.
		}
		isSelected, err := isNamespaceSelected(r, namespace, selector)
		if err != nil || isSelected {
			return "", err
		}
		return notShared, nil
	}
	return "", nil
}

// isNamespaceSelected reports whether a selector matches the labels of a namespace. A namespace that the user
// cannot read may match.
func isNamespaceSelected(r *request, name string, selector labels.Selector) (bool, error) {
	namespace := &corev1.Namespace{}
	err := r.Get(r.Context(), types.NamespacedName{Name: name}, namespace)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get namespace %s: %w", name, err)
	}
	return selector.Matches(labels.Set(namespace.Labels)), nil
}
