package scale

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/appmarket/operator/api/v1alpha1"
)

// stoppedLabel is the node label that a stopped DaemonSet selects. No node has it.
const stoppedLabel = "appmarket.io/stopped"

// scaleField is the field of a workload that is changed to stop it.
type scaleField struct {
	field
	// second is another field that must be off while the workload is stopped, or nil.
	second *field
}

// field is a field that Stop changes.
type field struct {
	path []string
	// off is the value in a stopped workload, and usual is the default value.
	off, defaultValue any
}

var (
	fieldReplicas = field{path: []string{"spec", "replicas"}, off: int64(0), defaultValue: int64(1)}
	fieldSuspend  = field{path: []string{"spec", "suspend"}, off: true, defaultValue: false}
	fieldNodes    = field{
		path: []string{"spec", "template", "spec", "nodeSelector"},
		off:  map[string]any{stoppedLabel: "true"}, defaultValue: map[string]any{},
	}
	// fieldClaims specifies what happens to the volume claims of a StatefulSet that is scaled down.
	// Delete would delete the claims and their data.
	fieldClaims = field{
		path: []string{"spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"}, off: "Retain", defaultValue: "Retain",
	}
)

// scaleFieldFor returns the scale field of a kind, and false if the kind is not a workload.
func scaleFieldFor(ref v1alpha1.ObjectReference) (scaleField, bool) {
	switch schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"},
		schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Kind: "ReplicationController"}:
		return scaleField{field: fieldReplicas}, true
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return scaleField{field: fieldReplicas, second: &fieldClaims}, true
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}, schema.GroupKind{Group: "batch", Kind: "Job"}:
		return scaleField{field: fieldSuspend}, true
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		return scaleField{field: fieldNodes}, true
	}
	return scaleField{}, false
}

// fieldName returns the last element of the path.
func (f field) fieldName() string { return f.path[len(f.path)-1] }

// currentValue returns the current value of the field.
func (f field) currentValue(live *unstructured.Unstructured) (any, error) {
	value, found, err := unstructured.NestedFieldCopy(live.Object, f.path...)
	if err != nil || !found || value == nil {
		return f.defaultValue, err
	}
	return value, nil
}

// isOff reports whether the workload is stopped, by Stop or by another client.
func (f field) isOff(live *unstructured.Unstructured) (bool, error) {
	now, err := f.currentValue(live)
	if selector, ok := now.(map[string]any); ok {
		return selector[stoppedLabel] == "true", err
	}
	return now == f.off, err
}

// hasTypeOf reports whether a value has the type of the field.
func (f field) hasTypeOf(value any) bool {
	return reflect.TypeOf(value) == reflect.TypeOf(f.defaultValue)
}

// allFields returns all fields that Stop may change.
func (l scaleField) allFields() []field {
	if l.second == nil {
		return []field{l.field}
	}
	return []field{l.field, *l.second}
}

// savedState contains the fields of a workload before it was stopped, by name. It contains the second
// field only if Stop changed that field.
type savedState map[string]any

// isStopped reports whether Stop has stopped a workload.
func isStopped(live *unstructured.Unstructured) bool {
	_, ok := live.GetAnnotations()[v1alpha1.BeforeStopAnnotation]
	return ok
}

// readSavedState decodes the note of a workload. It validates the note, because a tenant can write the
// annotation.
func (l scaleField) readSavedState(live *unstructured.Unstructured) (savedState, error) {
	var before savedState
	if err := utiljson.Unmarshal([]byte(live.GetAnnotations()[v1alpha1.BeforeStopAnnotation]), (*map[string]any)(&before)); err != nil {
		return nil, fmt.Errorf("read annotation %s: %w", v1alpha1.BeforeStopAnnotation, err)
	}
	for i, one := range l.allFields() {
		if value, ok := before[one.fieldName()]; !one.hasTypeOf(value) && (ok || i == 0) {
			return nil, fmt.Errorf("read annotation %s: %s is missing or has the wrong type", v1alpha1.BeforeStopAnnotation, one.fieldName())
		}
	}
	return before, nil
}

// readOlderState returns the existing note of a workload. It is empty if there is none or if it is
// invalid.
func (l scaleField) readOlderState(live *unstructured.Unstructured) savedState {
	before, err := l.readSavedState(live)
	if err != nil || before == nil {
		return savedState{}
	}
	return before
}

// stopPatch returns the patch that stops a workload and adds a note with its previous state. The values
// of an existing note are kept, because they were stored before anything was stopped.
func (l scaleField) stopPatch(live *unstructured.Unstructured) ([]byte, error) {
	before, after := l.readOlderState(live), savedState{}
	for i, one := range l.allFields() {
		now, err := one.currentValue(live)
		if err != nil {
			return nil, err
		}
		if i > 0 && now == one.off {
			continue
		}
		after[one.fieldName()] = one.off
		if _, ok := before[one.fieldName()]; !ok {
			before[one.fieldName()] = now
		}
	}
	text, err := json.Marshal(before)
	if err != nil {
		return nil, fmt.Errorf("encode note: %w", err)
	}
	return l.fieldsPatch(after, string(text))
}

// resumePatch returns the patch that restores a workload and removes the note.
func (l scaleField) resumePatch(live *unstructured.Unstructured, before savedState) ([]byte, error) {
	if wanted, ok := before[l.fieldName()].(map[string]any); ok {
		now, err := l.currentValue(live)
		if err != nil {
			return nil, err
		}
		selector, _ := now.(map[string]any)
		for key := range selector {
			if _, ok := wanted[key]; !ok {
				wanted[key] = nil
			}
		}
	}
	return l.fieldsPatch(before, nil)
}

// fieldsPatch returns a JSON merge patch of the given fields and of the note.
func (l scaleField) fieldsPatch(values savedState, text any) ([]byte, error) {
	change := map[string]any{}
	for _, one := range l.allFields() {
		value, ok := values[one.fieldName()]
		if !ok {
			continue
		}
		if err := unstructured.SetNestedField(change, value, one.path...); err != nil {
			return nil, fmt.Errorf("make patch: %w", err)
		}
	}
	if err := unstructured.SetNestedField(change, text, "metadata", "annotations", v1alpha1.BeforeStopAnnotation); err != nil {
		return nil, fmt.Errorf("make patch: %w", err)
	}
	return json.Marshal(change)
}

// withResourceVersion adds the resource version to a patch, so that it is rejected as a conflict if the object
// has changed since the patch was computed.
func withResourceVersion(patch []byte, live *unstructured.Unstructured) ([]byte, error) {
	var change map[string]any
	if err := utiljson.Unmarshal(patch, &change); err != nil {
		return nil, fmt.Errorf("read patch: %w", err)
	}
	if err := unstructured.SetNestedField(change, live.GetResourceVersion(), "metadata", "resourceVersion"); err != nil {
		return nil, fmt.Errorf("lock patch: %w", err)
	}
	return json.Marshal(change)
}

// isFinishedJob reports whether an object is a Job that has completed or failed.
func isFinishedJob(live *unstructured.Unstructured) bool {
	if live.GetKind() != "Job" {
		return false
	}
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, item := range conditions {
		one, _ := item.(map[string]any)
		if (one["type"] == "Complete" || one["type"] == "Failed") && one["status"] == "True" {
			return true
		}
	}
	return false
}
