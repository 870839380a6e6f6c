package kinds

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// findOrRefresh calls find with the cached kinds, and again with refreshed kinds if there is
// no match.
func findOrRefresh[T any](k *Kinds, find func(*servedKinds) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	var none T
	known, err := k.currentKinds(ctx)
	if err != nil {
		return none, err
	}
	found, err := find(known)
	if !meta.IsNoMatchError(err) || k.isFresh(noMatchInterval) {
		return found, err
	}
	k.Reset()
	if known, err = k.currentKinds(ctx); err != nil {
		return none, err
	}
	return find(known)
}

// RESTMapping returns the mapping of a kind. A kind whose API server does not respond is not
// reported as a missing kind.
func (k *Kinds) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	return findOrRefresh(k, func(known *servedKinds) (*meta.RESTMapping, error) {
		found, err := known.RESTMapper.RESTMapping(kind, versions...)
		return found, known.discoveryError(kind.Group, err)
	})
}

// RESTMappings returns the mappings of a kind in all versions that are served.
func (k *Kinds) RESTMappings(kind schema.GroupKind, versions ...string) ([]*meta.RESTMapping, error) {
	return findOrRefresh(k, func(known *servedKinds) ([]*meta.RESTMapping, error) {
		found, err := known.RESTMapper.RESTMappings(kind, versions...)
		return found, known.discoveryError(kind.Group, err)
	})
}

// discoveryError returns the discovery error of the group of a kind that was not found.
func (s *servedKinds) discoveryError(group string, err error) error {
	if !meta.IsNoMatchError(err) {
		return err
	}
	for version, failed := range s.failed {
		if version.Group == group {
			return fmt.Errorf("the API server of %s does not respond: %w", version, failed)
		}
	}
	return err
}

// KindFor returns the kind of a resource.
func (k *Kinds) KindFor(resource schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	return findOrRefresh(k, func(known *servedKinds) (schema.GroupVersionKind, error) { return known.KindFor(resource) })
}

// KindsFor returns the kinds of a resource.
func (k *Kinds) KindsFor(resource schema.GroupVersionResource) ([]schema.GroupVersionKind, error) {
	return findOrRefresh(k, func(known *servedKinds) ([]schema.GroupVersionKind, error) { return known.KindsFor(resource) })
}

// ResourceFor returns the full name of a resource.
func (k *Kinds) ResourceFor(resource schema.GroupVersionResource) (schema.GroupVersionResource, error) {
	return findOrRefresh(k, func(known *servedKinds) (schema.GroupVersionResource, error) { return known.ResourceFor(resource) })
}

// ResourcesFor returns the full names of a resource.
func (k *Kinds) ResourcesFor(resource schema.GroupVersionResource) ([]schema.GroupVersionResource, error) {
	return findOrRefresh(k, func(known *servedKinds) ([]schema.GroupVersionResource, error) { return known.ResourcesFor(resource) })
}

// ResourceSingularizer returns the singular of a resource.
func (k *Kinds) ResourceSingularizer(resource string) (string, error) {
	return findOrRefresh(k, func(known *servedKinds) (string, error) { return known.RESTMapper.ResourceSingularizer(resource) })
}
