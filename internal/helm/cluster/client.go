package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Client reads the objects of releases from the cluster.
type Client struct {
	// Mapper contains the kinds that the cluster serves.
	Mapper meta.RESTMapper
	// Config determines the identity and the end of all requests.
	Config *rest.Config
}

// ResourceClient returns a client for the objects of a kind. A cluster-scoped kind ignores the
// namespace of the reference. If the cluster does not serve the kind, the error is a no-match error.
func (c *Client) ResourceClient(ref v1alpha1.ObjectReference) (dynamic.ResourceInterface, error) {
	mapping, err := c.MappingFor(ref)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return client.Resource(mapping.Resource), nil
	}
	return client.Resource(mapping.Resource).Namespace(ref.Namespace), nil
}

// GetObject returns an object, or nil if the object or its kind does not exist.
func (c *Client) GetObject(ctx context.Context, ref v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	resources, err := c.ResourceClient(ref)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	live, err := resources.Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// MappingFor returns the resource of the kind of an object.
func (c *Client) MappingFor(ref v1alpha1.ObjectReference) (*meta.RESTMapping, error) {
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	mapping, err := c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("find resource of kind %s: %w", gvk.Kind, err)
	}
	return mapping, nil
}
