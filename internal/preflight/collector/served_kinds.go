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

// kindsAge is how long the kinds of an app may lag behind the cluster, as when it is rendered.
const kindsAge = time.Second

// refreshKinds has the mapper know of the kinds that the cluster serves by now.
func (c *Collector) refreshKinds(ctx context.Context) error {
	if mapper, ok := c.mapper.(interface {
		Refresh(ctx context.Context, maxAge time.Duration) error
	}); ok {
		return mapper.Refresh(ctx, kindsAge)
	}
	meta.MaybeResetRESTMapper(c.mapper)
	return nil
}

// kinds looks up how kinds are served; those that are not are left out.
func (c *Collector) resolveKinds(all []schema.GroupVersionKind) (map[schema.GroupVersionKind]preflight.Kind, error) {
	if len(all) > maxKinds {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("%d different kinds of objects, at most %d are allowed", len(all), maxKinds))
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
			return nil, fmt.Errorf("find resource of kind %s: %w", gvk.Kind, err)
		}
		known[gvk] = preflight.Kind{Resource: mapping.Resource.Resource, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace}
	}
	return known, nil
}

// definitions reports which kinds of CRDs the cluster has, in whatever version.
func (c *Collector) existingCRDs(all []schema.GroupKind) (map[schema.GroupKind]bool, error) {
	known := map[schema.GroupKind]bool{}
	served := servedKinds{discovery: c.operator.Discovery(), versions: map[schema.GroupVersion][]metav1.APIResource{}}
	for _, kind := range limitSlice(all, maxKinds) {
		mapping, err := c.mapper.RESTMapping(kind)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find resource of kind %s: %w", kind.Kind, err)
		}
		if _, known[kind], err = served.findKind(mapping.GroupVersionKind); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// servedKinds asks which kinds the API server serves at this moment. The mapper never
// forgets a kind whose CRD has been deleted.
type servedKinds struct {
	discovery discovery.ServerResourcesInterface
	versions  map[schema.GroupVersion][]metav1.APIResource
}

func (s *servedKinds) findKind(gvk schema.GroupVersionKind) (preflight.Kind, bool, error) {
	version := gvk.GroupVersion()
	if _, asked := s.versions[version]; !asked {
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
