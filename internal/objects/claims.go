package objects

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Claim is a PersistentVolumeClaim that an app creates.
type Claim struct {
	Name string
	// Storage is the storage that the claim requests, as a quantity. It is empty if the request is
	// missing or invalid.
	Storage string
}

// maxQuantityLength is the maximum length of a quantity in characters.
const maxQuantityLength = 64

// ListClaims returns the first claims that documents create in a namespace, at most the given number:
// PersistentVolumeClaims, and the claims of the replicas of StatefulSets. Hooks are omitted.
func ListClaims(docs []Document, namespace string, most int) ([]Claim, error) {
	var claims []Claim
	for _, doc := range docs {
		if doc.Hook {
			continue
		}
		err := EachObject(doc, func(o Map) error {
			if own := o.MapAt("metadata").TextAt("namespace"); own != "" && own != namespace {
				return nil
			}
			claims = append(claims, o.claims(most-len(claims))...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// claims returns the first claims that the object is or creates, at most the given number.
func (o Map) claims(most int) []Claim {
	var claims []Claim
	switch {
	case most <= 0:
	case o.IsClaim():
		claims = append(claims, Claim{Name: o.Name(), Storage: o.RequestedStorage()})
	case o.Group() == "apps" && o.Kind() == "StatefulSet":
		spec := o.MapAt("spec")
		replicas := 1
		if count, isSet := spec["replicas"].(int); isSet {
			replicas = max(count, 0)
		}
		first := spec.MapAt("ordinals").IntAt("start")
		for _, template := range spec.MapsAt("volumeClaimTemplates") {
			for i := 0; i < replicas && len(claims) < most; i++ {
				name := fmt.Sprintf("%s-%s-%s", template.Name(), o.Name(), strconv.Itoa(first+i))
				claims = append(claims, Claim{Name: name, Storage: template.RequestedStorage()})
			}
		}
	}
	return claims
}

// IsClaim reports whether the object is a PersistentVolumeClaim.
func (o Map) IsClaim() bool { return o.Kind() == "PersistentVolumeClaim" && o.Group() == "" }

// RequestedStorage returns the storage that a PersistentVolumeClaim or a template of one requests, as a
// quantity. It returns "" if the request is missing or invalid.
func (o Map) RequestedStorage() string {
	requested := o.MapAt("spec").MapAt("resources").MapAt("requests").TextAt("storage")
	if len(requested) > maxQuantityLength {
		return ""
	}
	if _, err := resource.ParseQuantity(requested); err != nil {
		return ""
	}
	return requested
}
