package permissions

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/preflight"
)

// resourcesFor returns the resources of the kinds of an app, without the kinds that the app defines. assumed are the
// names of the resources of kinds that are not part of Kubernetes.
func resourcesFor(requirements *preflight.Requirements) (kinds map[schema.GroupVersionKind]preflight.Kind, assumed []string) {
	kinds = map[schema.GroupVersionKind]preflight.Kind{}
	own := requirements.OwnKinds()
	for _, kind := range requirements.Kinds() {
		if slices.Contains(own, kind.GroupKind()) {
			continue
		}
		name := resourceName(kind)
		kinds[kind] = preflight.Kind{Resource: name, Namespaced: !objects.IsClusterScoped[kind.Group+"/"+kind.Kind]}
		resource := schema.GroupResource{Group: kind.Group, Resource: name}.String()
		if !isKnown(kind) && !slices.Contains(assumed, resource) {
			assumed = append(assumed, resource)
		}
	}
	return kinds, assumed
}

// isKnown reports whether a kind is part of Kubernetes or of its projects, whose groups end in k8s.io.
func isKnown(kind schema.GroupVersionKind) bool {
	return scheme.Scheme.Recognizes(kind) || strings.HasSuffix(kind.Group, ".k8s.io")
}

// resourceName returns the plural name of a kind. Names of custom kinds that end in a vowel and y get an s, such as
// gateways.
func resourceName(kind schema.GroupVersionKind) string {
	singular := strings.ToLower(kind.Kind)
	if stem, ok := strings.CutSuffix(singular, "y"); ok && strings.ContainsAny(stem[max(0, len(stem)-1):], "aeiou") {
		return singular + "s"
	}
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return plural.Resource
}
