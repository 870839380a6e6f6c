package cluster

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// ManifestObject is an object as its release defines it.
type ManifestObject struct {
	Ref    v1alpha1.ObjectReference
	Object *unstructured.Unstructured
}

// DecodeManifest returns the objects of the manifest of a revision, with the marks that Helm adds when it
// applies them. It splits the text in the same way as Helm does at that time, including the last
// line break.
func (c *Client) DecodeManifest(r *release.Release) ([]ManifestObject, error) {
	documents := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(r.Manifest), 4096)
	var all []ManifestObject
	for {
		var document runtime.RawExtension
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		object := &unstructured.Unstructured{}
		if err == nil && len(document.Raw) > 0 {
			err = utiljson.Unmarshal(document.Raw, &object.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("read manifest of revision %d: %w", r.Version, err)
		}
		for _, one := range FlattenList(object) {
			ref := c.RefFor(one, r)
			setOwnership(one, ref.Namespace, r)
			all = append(all, ManifestObject{Ref: ref, Object: one})
		}
	}
}

// FlattenList returns the objects of a document, which may be a list.
func FlattenList(object *unstructured.Unstructured) []*unstructured.Unstructured {
	items, _ := object.Object["items"].([]any)
	if len(items) == 0 {
		if object.GetKind() == "" || object.GetName() == "" {
			return nil
		}
		return []*unstructured.Unstructured{object}
	}
	var all []*unstructured.Unstructured
	for _, item := range items {
		if one, ok := item.(map[string]any); ok {
			all = append(all, FlattenList(&unstructured.Unstructured{Object: one})...)
		}
	}
	return all
}
