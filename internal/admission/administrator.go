package admission

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/transitions"
)

// AdministerVerb is the RBAC verb that allows a service account to install an instance of an app
// that serves or changes more than one tenant.
const AdministerVerb = "administer"

// Tenants returns a client that acts with the permissions of a service account.
type Tenants interface {
	ClientFor(tenant release.Tenant) (client.Client, error)
}

// CheckAdministrator checks that the service account may install an app that serves or changes more
// than one tenant.
func CheckAdministrator(ctx context.Context, o *Operation, f *Findings) error {
	summary := o.summary()
	if summary == nil || !summary.AdminOnly && !summary.ClusterSingleton {
		return nil
	}
	allowed, err := HasInstancePermission(ctx, o.Tenants, o.Tenant, AdministerVerb, client.ObjectKey{Namespace: o.Tenant.Namespace, Name: o.Name})
	if err != nil || allowed {
		return err
	}
	f.AddProblems(preflight.Problem{
		Reason: v1alpha1.ReasonPermissionDenied,
		Message: fmt.Sprintf("app %q is for administrators, and service account %q lacks the verb %q for appinstances.%s %q in namespace %q; a cluster administrator must apply %s",
			o.AppRef.Name, o.Tenant.ServiceAccount, AdministerVerb, v1alpha1.GroupVersion.Group, o.Name, o.Tenant.Namespace, preflight.RemedyPlaceholder),
		Remedy: AdministerRoleYAML(o.Tenant, o.Name),
	})
	return nil
}

// CheckClusterSingleton checks that an app that can be installed once in a cluster has no instance
// in another namespace. CheckSingleInstance checks the namespace of the operation.
func CheckClusterSingleton(ctx context.Context, o *Operation, f *Findings) error {
	if summary := o.summary(); summary == nil || !summary.ClusterSingleton {
		return nil
	}
	all, err := ListInstallations(ctx, o.Objects, catalog.AppKey(o.AppRef, o.Tenant.Namespace), "")
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(i v1alpha1.AppInstance) bool { return i.Namespace == o.Tenant.Namespace })
	slices.SortFunc(all, compareInstances)
	other, err := findPrecedingSingleton(ctx, o, all)
	if err != nil || other == nil {
		return err
	}
	return addOtherSingleton(ctx, o, f, other)
}

// addOtherSingleton adds the finding that another instance of the app exists. It names the instance
// only to a service account that may get it.
func addOtherSingleton(ctx context.Context, o *Operation, f *Findings, other *v1alpha1.AppInstance) error {
	visible, err := HasInstancePermission(ctx, o.Tenants, o.Tenant, "get", client.ObjectKeyFromObject(other))
	if err != nil {
		return err
	}
	if !visible {
		f.AddUnmet(v1alpha1.ReasonSingleInstance,
			"app %q can be installed once in a cluster, and another namespace has an instance; ask a cluster administrator", o.AppRef.Name)
		return nil
	}
	f.AddUnmet(v1alpha1.ReasonSingleInstance,
		"app %q can be installed once in a cluster, and is installed as instance %q in namespace %q; uninstall that instance first", o.AppRef.Name, other.Name, other.Namespace)
	return nil
}

// compareInstances orders instances by namespace and name.
func compareInstances(a, b v1alpha1.AppInstance) int {
	return cmp.Compare(client.ObjectKeyFromObject(&a).String(), client.ObjectKeyFromObject(&b).String())
}

// IsRemoved reports whether an instance is removed or is being deleted, so that another instance of
// an app that can be installed once in a cluster may be installed.
func IsRemoved(instance *v1alpha1.AppInstance) bool {
	return !instance.DeletionTimestamp.IsZero() || transitions.StateOf(instance) == transitions.Uninstalled
}

// maxWaitingSingletons bounds the instances whose permission is checked.
const maxWaitingSingletons = 20

// findPrecedingSingleton returns an instance that is installed, or that waits for its installation
// before the operation, otherwise nil. A waiting instance without permission does not count:
// otherwise any tenant could prevent the installation of the app.
func findPrecedingSingleton(ctx context.Context, o *Operation, others []v1alpha1.AppInstance) (*v1alpha1.AppInstance, error) {
	if i := slices.IndexFunc(others, func(other v1alpha1.AppInstance) bool { return hasStarted(&other) }); i >= 0 {
		return &others[i], nil
	}
	others = slices.DeleteFunc(others, func(other v1alpha1.AppInstance) bool { return o.hasPrecedence(&other) })
	for i := range catalog.FirstItems(others, maxWaitingSingletons) {
		other := &others[i]
		tenant := release.Tenant{Namespace: other.Namespace, ServiceAccount: cmp.Or(other.Spec.ServiceAccountName, "default")}
		allowed, err := HasInstancePermission(ctx, o.Tenants, tenant, AdministerVerb, client.ObjectKeyFromObject(other))
		if err != nil || allowed {
			return other, err
		}
	}
	return nil, nil
}

// HasInstancePermission reports whether a tenant has a permission for an instance. It sends a
// SelfSubjectAccessReview as the tenant. It reports false if the operator may not impersonate the
// tenant.
func HasInstancePermission(ctx context.Context, tenants Tenants, tenant release.Tenant, verb string, instance client.ObjectKey) (bool, error) {
	return hasPermission(ctx, tenants, tenant, verb, "appinstances", instance)
}

// hasPermission is HasInstancePermission for an object of another resource of the API group.
func hasPermission(ctx context.Context, tenants Tenants, tenant release.Tenant, verb, resource string, object client.ObjectKey) (bool, error) {
	c, err := tenants.ClientFor(tenant)
	if err != nil {
		return false, fmt.Errorf("act as service account %s: %w", tenant.ServiceAccount, err)
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: object.Namespace, Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource, Name: object.Name,
		},
	}}
	if err := c.Create(ctx, review); err != nil && !apierrors.IsForbidden(err) {
		return false, fmt.Errorf("check whether service account %s may %s %s %s: %w", tenant.ServiceAccount, verb, resource, object, err)
	}
	return review.Status.Allowed, nil
}
