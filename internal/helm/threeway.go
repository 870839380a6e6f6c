package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"helm.sh/helm/v3/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// native knows the kinds of Kubernetes itself, and only them: the API server
// merges no others strategically.
var native = sync.OnceValues(func() (*runtime.Scheme, error) {
	kinds := runtime.NewScheme()
	return kinds, scheme.AddToScheme(kinds)
})

// patch is a change of an object; without a body it is none.
type patch struct {
	body []byte
	kind types.PatchType
}

// threeWay is the change by which Helm would bring a live object to what a
// manifest says that it has applied before: what the manifest does not set stays.
func threeWay(wanted, live *unstructured.Unstructured) (patch, error) {
	before, err := wanted.MarshalJSON()
	if err != nil {
		return patch{}, fmt.Errorf("encode object: %w", err)
	}
	now, err := live.MarshalJSON()
	if err != nil {
		return patch{}, fmt.Errorf("encode live object: %w", err)
	}
	change := patch{kind: types.MergePatchType}
	shape, err := shapeOf(wanted)
	if err != nil {
		return patch{}, err
	}
	if shape != nil && keyed(wanted.Object, shape) && keyed(live.Object, shape) {
		change.kind = types.StrategicMergePatchType
		change.body, err = strategicpatch.CreateThreeWayMergePatch(before, before, now, shape, true)
	} else {
		change.body, err = jsonmergepatch.CreateThreeWayJSONMergePatch(before, before, now)
	}
	if err != nil {
		return patch{}, fmt.Errorf("compare with live object: %w", err)
	}
	if string(change.body) == "{}" {
		change.body = nil
	}
	return change, nil
}

// shapeOf says how the lists of a kind of Kubernetes are merged, nil for others.
func shapeOf(object *unstructured.Unstructured) (strategicpatch.LookupPatchMeta, error) {
	kinds, err := native()
	if err != nil {
		return nil, fmt.Errorf("list kinds of kubernetes: %w", err)
	}
	example, err := kinds.New(object.GroupVersionKind())
	if runtime.IsNotRegisteredError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strategicpatch.NewPatchMetaFromStruct(example)
}

// keyed reports whether each element of each list that is merged by a key has one
// of its own. A strategic patch of others, such as those of a service with port 53
// for both TCP and UDP, would confuse them.
func keyed(object map[string]any, shape strategicpatch.LookupPatchMeta) bool {
	for name, value := range object {
		switch value := value.(type) {
		case map[string]any:
			// What the kind does not have, the API server leaves out.
			inner, _, err := shape.LookupPatchMetadataForStruct(name)
			if err == nil && !keyed(value, inner) {
				return false
			}
		case []any:
			inner, how, err := shape.LookupPatchMetadataForSlice(name)
			if err == nil && !keyedList(value, inner, how) {
				return false
			}
		}
	}
	return true
}

func keyedList(list []any, shape strategicpatch.LookupPatchMeta, how strategicpatch.PatchMeta) bool {
	merged := slices.Contains(how.GetPatchStrategies(), "merge") && how.GetPatchMergeKey() != ""
	seen := map[any]bool{}
	for _, item := range list {
		one, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if merged {
			key := fmt.Sprint(one[how.GetPatchMergeKey()])
			if seen[key] || one[how.GetPatchMergeKey()] == nil {
				return false
			}
			seen[key] = true
		}
		if !keyed(one, shape) {
			return false
		}
	}
	return true
}

// send sends the change and gives the object as it is then. A live object that has
// changed meanwhile is a conflict.
func (p patch) send(
	ctx context.Context, objects dynamic.ResourceInterface, live *unstructured.Unstructured, dryRun ...string,
) (*unstructured.Unstructured, error) {
	body, err := locked(p.body, live)
	if err != nil {
		return nil, err
	}
	return objects.Patch(ctx, live.GetName(), p.kind, body, metav1.PatchOptions{
		DryRun: dryRun, FieldManager: kube.ManagedFieldsManager, FieldValidation: metav1.FieldValidationIgnore,
	})
}

// predict gives the live object with the change, which the API server has refused.
func (p patch) predict(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	after := live.DeepCopy()
	if p.kind == types.MergePatchType {
		var change map[string]any
		if err := utiljson.Unmarshal(p.body, &change); err != nil {
			return nil, fmt.Errorf("read patch: %w", err)
		}
		overlay(after.Object, change)
		return after, nil
	}
	shape, err := shapeOf(live)
	if err != nil {
		return nil, err
	}
	now, err := live.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode live object: %w", err)
	}
	text, err := strategicpatch.StrategicMergePatchUsingLookupPatchMeta(now, p.body, shape)
	if err != nil {
		return nil, fmt.Errorf("apply patch: %w", err)
	}
	if err := json.Unmarshal(text, after); err != nil {
		return nil, fmt.Errorf("read patched object: %w", err)
	}
	return after, nil
}

// overlay applies a JSON merge patch.
func overlay(object, change map[string]any) {
	for key, value := range change {
		inner, ok := value.(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case ok:
			under, ok := object[key].(map[string]any)
			if !ok {
				under = map[string]any{}
				object[key] = under
			}
			overlay(under, inner)
		default:
			object[key] = value
		}
	}
}
