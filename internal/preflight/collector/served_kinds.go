package collector

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// kindsAge is the maximum age of the known kinds.
const kindsAge = time.Second

// refreshKinds updates the kinds of the mapper.
func (c *Collector) refreshKinds(ctx context.Context) error {
	if mapper, ok := c.mapper.(interface {
		Refresh(ctx context.Context, maxAge time.Duration) error
	}); ok {
		return mapper.Refresh(ctx, kindsAge)
	}
	meta.MaybeResetRESTMapper(c.mapper)
	return nil
}

// resolveKinds returns how kinds are served. Kinds that are not served are omitted.
func (c *Collector) resolveKinds(all []schema.GroupVersionKind) (map[schema.GroupVersionKind]preflight.Kind, error) {
	if len(all) > maxKinds {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("the app has objects of %d kinds, but at most %d are allowed; split it into several apps", len(all), maxKinds))
	}
	known := map[schema.GroupVersionKind]preflight.Kind{}
	served := servedKinds{discovery: c.operator.Discovery(), versions: map[schema.GroupVersion][]metav1.APIResource{}}
	for _, gvk := range all {
		if !scheme.Scheme.IsGroupRegistered(gvk.Group) {
			kind, found, err := served.findKind(gvk)
			if err != nil {
				return nil, err
			}
			if found {
				known[gvk] = kind
			}
			continue
		}
		mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find the resource of kind %q: %w", gvk.Kind, err)
		}
		known[gvk] = preflight.Kind{Resource: mapping.Resource.Resource, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace}
	}
	return known, nil
}

// existingCRDs returns which kinds of CRDs the cluster serves in any version.
func (c *Collector) existingCRDs(all []schema.GroupKind) (map[schema.GroupKind]bool, error) {
	known := map[schema.GroupKind]bool{}
	served := servedKinds{discovery: c.operator.Discovery(), versions: map[schema.GroupVersion][]metav1.APIResource{}}
	for _, kind := range limitSlice(all, maxKinds) {
		mapping, err := c.mapper.RESTMapping(kind)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find the resource of kind %q: %w", kind.Kind, err)
		}
		if _, known[kind], err = served.findKind(mapping.GroupVersionKind); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// servedKinds reads which kinds the API server currently serves. The mapper may still contain a
// kind whose CRD was deleted.
type servedKinds struct {
	discovery discovery.ServerResourcesInterface
	versions  map[schema.GroupVersion][]metav1.APIResource
}

func (s *servedKinds) findKind(gvk schema.GroupVersionKind) (preflight.Kind, bool, error) {
	version := gvk.GroupVersion()
	if _, known := s.versions[version]; !known {
		list, err := s.discovery.ServerResourcesForGroupVersion(version.String())
		if err != nil && !apierrors.IsNotFound(err) {
			return preflight.Kind{}, false, fmt.Errorf("list resources of %s: %w", version, err)
		}
		s.versions[version] = nil
		if err == nil {
			s.versions[version] = list.APIResources
		}
	}
	for _, one := range s.versions[version] {
		if one.Kind == gvk.Kind && !strings.Contains(one.Name, "/") {
			return preflight.Kind{Resource: one.Name, Namespaced: one.Namespaced}, true, nil
		}
	}
	return preflight.Kind{}, false, nil
}
