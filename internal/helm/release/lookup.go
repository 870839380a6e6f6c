package release

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// maxListedObjects bounds the number of objects in one list that templates look up.
const maxListedObjects = 500

// Capabilities returns the capabilities of the cluster, as charts see them.
func (c *Clients) Capabilities(ctx context.Context) (*hydrate.Capabilities, error) {
	known, err := c.cachedCapabilities(ctx)
	if err != nil {
		return nil, err
	}
	return &hydrate.Capabilities{KubeVersion: known.KubeVersion.Version, APIVersions: known.APIVersions}, nil
}

// Lookup returns a function that reads objects for templates, as the tenant. It returns no objects
// for a kind that the cluster does not serve. If the tenant does not have permission, it returns a
// stalled PermissionDenied error.
func (c *Clients) Lookup(t plain.Tenant) hydrate.Lookup {
	return func(ctx context.Context, query hydrate.LookupQuery) (map[string]any, error) {
		found, err := c.lookUpObjects(ctx, t, query)
		switch {
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			return nil, nil
		case apierrors.IsForbidden(err):
			return nil, outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
				"service account %q cannot get the object that a template of the app looks up; grant it the permission", t.Namespace+"/"+t.ServiceAccount))
		}
		return found, err
	}
}

func (c *Clients) lookUpObjects(ctx context.Context, t plain.Tenant, query hydrate.LookupQuery) (map[string]any, error) {
	gvk := schema.FromAPIVersionAndKind(query.APIVersion, query.Kind)
	mapping, err := c.kinds.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(c.restConfigFor(c.impersonatingTransport(t)))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	var objects dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace && query.Namespace != "" {
		objects = client.Resource(mapping.Resource).Namespace(query.Namespace)
	}
	if query.Name != "" {
		object, err := objects.Get(ctx, query.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return object.Object, nil
	}
	list, err := objects.List(ctx, metav1.ListOptions{Limit: maxListedObjects})
	if err != nil {
		return nil, err
	}
	if list.GetContinue() != "" {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("more than %d objects", maxListedObjects))
	}
	return list.UnstructuredContent(), nil
}
