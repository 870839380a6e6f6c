package admission

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/transitions"
)

// Cluster returns the requirements of an app that the cluster or the permissions of the tenant do
// not satisfy.
type Cluster interface {
	Check(ctx context.Context, request preflight.Request) ([]preflight.Problem, error)
}

// Operation is the state of an operation before it starts, which the checks read. A check that
// requires a field that is not set yet adds no findings.
type Operation struct {
	// Objects reads AppInstances and Namespaces, usually from a cache.
	Objects  client.Reader
	Catalog  *catalog.Catalog
	Profiles platform.Profiles
	Cluster  Cluster
	Tenants  Tenants

	// Tenant is the namespace and the service account of the operation.
	Tenant release.Tenant
	// DefaultAccount reports whether no service account is specified.
	DefaultAccount bool
	// Name is the name of the instance, and AppRef its app.
	Name   string
	AppRef v1alpha1.AppReference
	// Instance is nil if it does not exist yet.
	Instance *v1alpha1.AppInstance
	// App and Version are nil until they are found.
	App     *catalog.App
	Version *v1alpha1.PublishedVersion
	// Draft is the version as rendered for the instance. It is nil until it is rendered.
	Draft *hydrate.Draft
	// Inputs contains the Secrets and ConfigMaps with values and inputs.
	Inputs []v1alpha1.ValuesReference
	// Upgrade reports whether a release is installed and is upgraded.
	Upgrade bool
	// DetectsDrift reports whether drift of the instance is detected.
	DetectsDrift bool
	// InstallsDependencies reports whether missing dependencies can be installed by setting
	// spec.dependencies.
	InstallsDependencies bool
}

// summary returns the summary of the app, or nil if it is not known.
func (o *Operation) summary() *v1alpha1.AppSummary {
	if o.App == nil {
		return nil
	}
	return o.App.Info.Status.Summary
}

// versionText returns the version of the app, or "" if it is not known.
func (o *Operation) versionText() string {
	if o.Version == nil {
		return ""
	}
	return o.Version.Version
}

// ListOtherInstances returns the other instances in the namespace that are not removed.
func ListOtherInstances(ctx context.Context, objects client.Reader, namespace, name string) ([]v1alpha1.AppInstance, error) {
	var list v1alpha1.AppInstanceList
	if err := objects.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(i v1alpha1.AppInstance) bool {
		return i.Name == name || transitions.StateOf(&i) == transitions.Uninstalled
	}), nil
}

// FindSummary returns the summary of the app of an instance, or nil if the app or its summary does
// not exist.
func FindSummary(ctx context.Context, apps *catalog.Catalog, of *v1alpha1.AppInstance) (*v1alpha1.AppSummary, error) {
	app, err := apps.Find(ctx, of.Spec.AppRef, of.Namespace)
	if !IsFinding(err) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	return app.Info.Status.Summary, nil
}

// InventoryObjects returns the objects in the inventory of an instance. The inventory may be
// truncated.
func InventoryObjects(instance *v1alpha1.AppInstance) []v1alpha1.ObjectReference {
	if instance == nil || instance.Status.Inventory == nil {
		return nil
	}
	return instance.Status.Inventory.Objects
}

// DetectsDrift reports whether spec.driftPolicy of an instance, which may be nil, enables the detection
// of drift.
func DetectsDrift(instance *v1alpha1.AppInstance) bool {
	return instance != nil && (instance.Spec.DriftPolicy == v1alpha1.DriftWarn || instance.Spec.DriftPolicy == v1alpha1.DriftCorrect)
}
