package helm

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/appmarket/operator/api/v1alpha1"
)

// stoppedMark is the node label that a stopped DaemonSet asks for in vain.
const stoppedMark = "appmarket.io/stopped"

// lever is the field of a workload by which it is stopped.
type lever struct {
	field
	// beside is a field that has to be off as well meanwhile, if there is one.
	beside *field
}

// field is one that Stop changes.
type field struct {
	path []string
	// off is what it is on a stopped workload; usual is what it is where it is unset.
	off, usual any
}

var (
	fieldReplicas = field{path: []string{"spec", "replicas"}, off: int64(0), usual: int64(1)}
	fieldSuspend  = field{path: []string{"spec", "suspend"}, off: true, usual: false}
	fieldNodes    = field{
		path: []string{"spec", "template", "spec", "nodeSelector"},
		off:  map[string]any{stoppedMark: "true"}, usual: map[string]any{},
	}
	// fieldClaims says what becomes of the volume claims of a StatefulSet that is scaled
	// down. They would be deleted, and their data with them, if it said Delete.
	fieldClaims = field{
		path: []string{"spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"}, off: "Retain", usual: "Retain",
	}
)

// leverOf is the lever of a kind; there is none for what is no workload.
func leverOf(ref ObjectRef) (lever, bool) {
	switch schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"},
		schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Kind: "ReplicationController"}:
		return lever{field: fieldReplicas}, true
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return lever{field: fieldReplicas, beside: &fieldClaims}, true
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}, schema.GroupKind{Group: "batch", Kind: "Job"}:
		return lever{field: fieldSuspend}, true
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		return lever{field: fieldNodes}, true
	}
	return lever{}, false
}

// name is the last element of the path.
func (f field) name() string { return f.path[len(f.path)-1] }

// is gives what the field is now.
func (f field) is(live *unstructured.Unstructured) (any, error) {
	value, found, err := unstructured.NestedFieldCopy(live.Object, f.path...)
	if err != nil || !found || value == nil {
		return f.usual, err
	}
	return value, nil
}

// isOff reports whether the workload is stopped, whoever did it.
func (f field) isOff(live *unstructured.Unstructured) (bool, error) {
	now, err := f.is(live)
	if selector, ok := now.(map[string]any); ok {
		return selector[stoppedMark] == "true", err
	}
	return now == f.off, err
}

// fits reports whether a value is of the type of the field.
func (f field) fits(value any) bool { return reflect.TypeOf(value) == reflect.TypeOf(f.usual) }

// fields are all that Stop may change.
func (l lever) fields() []field {
	if l.beside == nil {
		return []field{l.field}
	}
	return []field{l.field, *l.beside}
}

// note is what a workload was before it was stopped: fields by their names. One
// beside the lever is there only if it was changed.
type note map[string]any

// noted reports whether a workload was stopped by Stop.
func noted(live *unstructured.Unstructured) bool {
	_, ok := live.GetAnnotations()[v1alpha1.BeforeStopAnnotation]
	return ok
}

// readNote reads the note on a workload. A tenant can write such a note as well,
// so it is looked at closely.
func (l lever) readNote(live *unstructured.Unstructured) (note, error) {
	var before note
	if err := utiljson.Unmarshal([]byte(live.GetAnnotations()[v1alpha1.BeforeStopAnnotation]), (*map[string]any)(&before)); err != nil {
		return nil, fmt.Errorf("read annotation %s: %w", v1alpha1.BeforeStopAnnotation, err)
	}
	for i, one := range l.fields() {
		if value, ok := before[one.name()]; !one.fits(value) && (ok || i == 0) {
			return nil, fmt.Errorf("read annotation %s: it does not say what %s was", v1alpha1.BeforeStopAnnotation, one.name())
		}
	}
	return before, nil
}

// olderNote is the note that a workload has already, empty where it has none or one
// that cannot be read.
func (l lever) olderNote(live *unstructured.Unstructured) note {
	before, err := l.readNote(live)
	if err != nil || before == nil {
		return note{}
	}
	return before
}

// stop is the patch that stops a workload and notes what it was. What an older note
// says stands: it is from before anything was stopped.
func (l lever) stop(live *unstructured.Unstructured) ([]byte, error) {
	before, after := l.olderNote(live), note{}
	for i, one := range l.fields() {
		now, err := one.is(live)
		if err != nil {
			return nil, err
		}
		if i > 0 && now == one.off {
			continue
		}
		after[one.name()] = one.off
		if _, ok := before[one.name()]; !ok {
			before[one.name()] = now
		}
	}
	text, err := json.Marshal(before)
	if err != nil {
		return nil, fmt.Errorf("encode note: %w", err)
	}
	return l.patch(after, string(text))
}

// resume is the patch that brings a workload back and removes the note.
func (l lever) resume(live *unstructured.Unstructured, before note) ([]byte, error) {
	if wanted, ok := before[l.name()].(map[string]any); ok {
		now, err := l.is(live)
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
	return l.patch(before, nil)
}

// patch is a JSON merge patch of the fields that values has, and of the note.
func (l lever) patch(values note, text any) ([]byte, error) {
	change := map[string]any{}
	for _, one := range l.fields() {
		value, ok := values[one.name()]
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

// locked makes a patch be refused as a conflict when the object is no longer what
// it was computed from.
func locked(patch []byte, live *unstructured.Unstructured) ([]byte, error) {
	var change map[string]any
	if err := utiljson.Unmarshal(patch, &change); err != nil {
		return nil, fmt.Errorf("read patch: %w", err)
	}
	if err := unstructured.SetNestedField(change, live.GetResourceVersion(), "metadata", "resourceVersion"); err != nil {
		return nil, fmt.Errorf("lock patch: %w", err)
	}
	return json.Marshal(change)
}

// ended reports whether an object is a Job that has come to its end.
func ended(live *unstructured.Unstructured) bool {
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
