package helm

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// managedByMark is the label that Helm puts on what it makes, with the annotations
// of the release.
const managedByMark = "app.kubernetes.io/managed-by"

// intended is an object as its release would have it.
type intended struct {
	operation *operation
	owner     *release.Release
	scalers   *autoscalers
	ref       ObjectRef
	object    *unstructured.Unstructured
}

// intended are the objects of the manifest of a revision, marked as the release's
// as Helm marks them when it applies them. The text is cut as it is then, to the
// last line break.
func (o *operation) intended(r *release.Release) ([]intended, error) {
	scalers := &autoscalers{operation: o}
	documents := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(r.Manifest), 4096)
	var all []intended
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
		for _, one := range flatten(object) {
			ref := o.client.ref(headOf(one), r.Namespace)
			own(one, ref.Namespace, r)
			all = append(all, intended{operation: o, owner: r, scalers: scalers, ref: ref, object: one})
		}
	}
}

// flatten gives the objects of a document, which may be a list of them; see flat.
func flatten(object *unstructured.Unstructured) []*unstructured.Unstructured {
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
			all = append(all, flatten(&unstructured.Unstructured{Object: one})...)
		}
	}
	return all
}

func headOf(object *unstructured.Unstructured) objectHead {
	head := objectHead{APIVersion: object.GetAPIVersion(), Kind: object.GetKind()}
	head.Metadata.Name, head.Metadata.Namespace = object.GetName(), object.GetNamespace()
	return head
}

// own marks an object as that of a release.
func own(object *unstructured.Unstructured, namespace string, owner *release.Release) {
	labels := map[string]string{}
	maps.Copy(labels, object.GetLabels())
	labels[managedByMark] = "Helm"
	object.SetLabels(labels)
	annotations := map[string]string{}
	maps.Copy(annotations, object.GetAnnotations())
	annotations[releaseNameMark], annotations[releaseNamespaceMark] = owner.Name, owner.Namespace
	object.SetAnnotations(annotations)
	object.SetNamespace(namespace)
	// A kind with a status of its own has it from its controller.
	unstructured.RemoveNestedField(object.Object, "status")
}

// withoutOthers is the object without the fields that are others' to set: the
// replicas of what is scaled automatically, and what a workload is stopped by.
func (i intended) withoutOthers(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	wanted := i.object.DeepCopy()
	if by, ok := leverOf(i.ref); ok && noted(live) {
		off, err := by.isOff(live)
		if err != nil {
			return nil, err
		}
		if off {
			for _, one := range by.fields() {
				unstructured.RemoveNestedField(wanted.Object, one.path...)
			}
		}
	}
	count, set, err := unstructured.NestedFieldNoCopy(wanted.Object, fieldReplicas.path...)
	if err != nil || !set {
		return wanted, err
	}
	now, _, err := unstructured.NestedFieldNoCopy(live.Object, fieldReplicas.path...)
	// A kind of its own may have a map there, which == cannot compare.
	if err != nil || reflect.DeepEqual(now, count) {
		return wanted, err
	}
	scaler, err := i.scalers.of(i.ref)
	if err == nil && scaler != nil {
		unstructured.RemoveNestedField(wanted.Object, fieldReplicas.path...)
	}
	return wanted, err
}
