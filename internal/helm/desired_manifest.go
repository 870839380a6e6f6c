package helm

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// managedByLabel is the label that Helm adds to its objects, together with the annotations of the
// release.
const managedByLabel = "app.kubernetes.io/managed-by"

// secretKind is the kind whose field stringData can be written but not read.
var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

// desiredObject is an object as its release defines it.
type desiredObject struct {
	operation *operation
	owner     *release.Release
	scalers   *autoscalers
	ref       ObjectRef
	object    *unstructured.Unstructured
	// older contains the data of a Secret in other revisions.
	older []map[string]any
}

// desiredObjects returns the objects of the manifest of a revision, with the marks that Helm adds when it
// applies them. It splits the text in the same way as Helm does at that time, including the last
// line break.
func (o *operation) desiredObjects(r *release.Release) ([]desiredObject, error) {
	scalers := &autoscalers{operation: o}
	documents := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(r.Manifest), 4096)
	var all []desiredObject
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
		for _, one := range flattenList(object) {
			ref := o.client.objectRefFor(objectHeadOf(one), r.Namespace)
			setOwnership(one, ref.Namespace, r)
			all = append(all, desiredObject{operation: o, owner: r, scalers: scalers, ref: ref, object: one})
		}
	}
}

// flattenList returns the objects of a document, which may be a list; see flat.
func flattenList(object *unstructured.Unstructured) []*unstructured.Unstructured {
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
			all = append(all, flattenList(&unstructured.Unstructured{Object: one})...)
		}
	}
	return all
}

func objectHeadOf(object *unstructured.Unstructured) objectHead {
	head := objectHead{APIVersion: object.GetAPIVersion(), Kind: object.GetKind()}
	head.Metadata.Name, head.Metadata.Namespace = object.GetName(), object.GetNamespace()
	return head
}

// setOwnership marks an object as part of a release.
func setOwnership(object *unstructured.Unstructured, namespace string, owner *release.Release) {
	labels := map[string]string{}
	maps.Copy(labels, object.GetLabels())
	labels[managedByLabel] = "Helm"
	object.SetLabels(labels)
	annotations := map[string]string{}
	maps.Copy(annotations, object.GetAnnotations())
	annotations[releaseNameAnnotation], annotations[releaseNamespaceAnnotation] = owner.Name, owner.Namespace
	object.SetAnnotations(annotations)
	object.SetNamespace(namespace)
	// The controller of a kind sets the status.
	unstructured.RemoveNestedField(object.Object, "status")
}

// withoutForeignFields returns the object without the fields that other controllers set: the replicas of a
// workload with an autoscaler, and the fields by which a workload is stopped.
func (i desiredObject) withoutForeignFields(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	wanted := i.object.DeepCopy()
	if by, ok := scaleFieldFor(i.ref); ok && isStopped(live) {
		off, err := by.isOff(live)
		if err != nil {
			return nil, err
		}
		if off {
			for _, one := range by.allFields() {
				unstructured.RemoveNestedField(wanted.Object, one.path...)
			}
		}
	}
	count, set, err := unstructured.NestedFieldNoCopy(wanted.Object, fieldReplicas.path...)
	if err != nil || !set {
		return wanted, err
	}
	now, _, err := unstructured.NestedFieldNoCopy(live.Object, fieldReplicas.path...)
	// A custom kind may have a map in this field, which == cannot compare.
	if err != nil || reflect.DeepEqual(now, count) {
		return wanted, err
	}
	scaler, err := i.scalers.autoscalerFor(i.ref)
	if err == nil && scaler != nil {
		unstructured.RemoveNestedField(wanted.Object, fieldReplicas.path...)
	}
	return wanted, err
}

// storeIncomplete stores the objects of the revisions, so that an update removes the fields that they set.
func (o *operation) storeIncomplete(revisions []*release.Release) error {
	o.cluster.incomplete = map[identity][]map[string]any{}
	for _, revision := range revisions {
		objects, err := o.desiredObjects(revision)
		if err != nil {
			return err
		}
		for _, one := range objects {
			key := identityOf(one.ref)
			o.cluster.incomplete[key] = append(o.cluster.incomplete[key], one.object.Object)
		}
	}
	return nil
}

// findOlderSecrets adds the data from other revisions to the Secrets among the objects.
func (o *operation) findOlderSecrets(objects []desiredObject, history []*release.Release) error {
	secrets := map[identity]*desiredObject{}
	for i := range objects {
		if one := &objects[i]; one.object.GroupVersionKind() == secretKind {
			secrets[identityOf(one.ref)] = one
		}
	}
	for _, revision := range history {
		if len(secrets) == 0 || !strings.Contains(revision.Manifest, secretKind.Kind) {
			continue
		}
		older, err := o.desiredObjects(revision)
		if err != nil {
			return err
		}
		for _, one := range older {
			secret := secrets[identityOf(one.ref)]
			if secret == nil {
				continue
			}
			if data, ok := storedForm(one.object.Object)["data"].(map[string]any); ok {
				secret.older = append(secret.older, data)
			}
		}
	}
	return nil
}

// olderData returns the data that another revision gave to a live Secret and that wanted does not
// contain, as an earlier manifest. Helm does not delete a key from a Secret when a chart removes it
// from stringData. A key whose value has changed since belongs to another client.
func (i desiredObject) olderData(wanted, live *unstructured.Unstructured) []map[string]any {
	now, _ := live.Object["data"].(map[string]any)
	left := map[string]any{}
	for _, data := range i.older {
		for key, value := range data {
			if given, ok := now[key]; ok && reflect.DeepEqual(given, value) {
				left[key] = value
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	if wanted.Object["data"] == nil { // keep keys of other clients
		wanted.Object["data"] = map[string]any{}
	}
	return []map[string]any{{"data": left}}
}
