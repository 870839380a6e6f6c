package render

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/hydrate"
)

// lookups is the client for the template function lookup. It calls a hydrate.Lookup, or returns no
// objects without one.
type lookups struct {
	answer hydrate.Lookup
	// count is the number of queries, and failed is the first error.
	count  int
	failed error
}

// GetClientFor returns a client for a kind. The Lookup decides whether the kind exists and whether
// it is namespaced.
func (l *lookups) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return lookupKind{lookups: l, query: hydrate.LookupQuery{APIVersion: apiVersion, Kind: kind}}, true, nil
}

// lookupKind implements the methods that lookup calls. For a missing object, lookup returns an
// empty map.
type lookupKind struct {
	dynamic.NamespaceableResourceInterface
	lookups *lookups
	query   hydrate.LookupQuery
}

// Namespace returns the objects of one namespace.
func (r lookupKind) Namespace(namespace string) dynamic.ResourceInterface {
	r.query.Namespace = namespace
	return r
}

// Get returns an object.
func (r lookupKind) Get(ctx context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	r.query.Name = name
	found, err := r.queryObjects(ctx)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: found}, nil
}

// List returns a list of objects.
func (r lookupKind) List(ctx context.Context, _ metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	found, err := r.queryObjects(ctx)
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetUnstructuredContent(found)
	return list, nil
}

var errNoObject = apierrors.NewNotFound(schema.GroupResource{}, "")

func (r lookupKind) queryObjects(ctx context.Context) (map[string]any, error) {
	r.lookups.count++
	if r.lookups.answer == nil {
		return nil, errNoObject
	}
	found, err := r.lookups.answer(ctx, r.query)
	if err != nil && r.lookups.failed == nil {
		r.lookups.failed = err
	}
	if err == nil && found == nil {
		err = errNoObject
	}
	return found, err
}
