package drift

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// native contains only the built-in kinds of Kubernetes. The API server does not support strategic
// merges for other kinds.
var native = sync.OnceValues(func() (*runtime.Scheme, error) {
	kinds := runtime.NewScheme()
	return kinds, scheme.AddToScheme(kinds)
})

// Conflicts is the backoff for patches of an object that a controller changes at the same time.
var Conflicts = wait.Backoff{Steps: 8, Duration: 10 * time.Millisecond, Factor: 2, Jitter: 0.1}

// Patch is a change of a live object. An empty body means that there is nothing to change.
type Patch struct {
	body map[string]any
	live *unstructured.Unstructured
	// expected is the live object with the change applied.
	expected *unstructured.Unstructured
}

// NewPatch returns the patch that changes a live object to the state in its manifest, and removes
// fields that only earlier manifests contain; see merge.
func NewPatch(wanted, live *unstructured.Unstructured, earlier ...map[string]any) (Patch, error) {
	shape, err := patchMetaFor(live)
	if err != nil {
		return Patch{}, err
	}
	before := make([]map[string]any, 0, len(earlier))
	for _, one := range earlier {
		before = append(before, storedForm(one))
	}
	expected := mergeThreeWay(shape, before, storedForm(wanted.Object), live.Object)
	return Patch{
		body: mergePatchOf(live.Object, expected), live: live,
		expected: &unstructured.Unstructured{Object: expected},
	}, nil
}

// patchMetaFor returns the merge rules for the lists of a built-in kind, or nil for other kinds.
func patchMetaFor(object *unstructured.Unstructured) (strategicpatch.LookupPatchMeta, error) {
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

// IsEmpty reports whether there is nothing to change.
func (p Patch) IsEmpty() bool { return len(p.body) == 0 }

// Send sends the patch and returns the object in the response. It returns a conflict if the live
// object has changed since it was read.
func (p Patch) Send(ctx context.Context, objects dynamic.ResourceInterface, dryRun ...string) (*unstructured.Unstructured, error) {
	body := maps.Clone(p.body)
	metadata := map[string]any{}
	if given, ok := body["metadata"].(map[string]any); ok {
		metadata = maps.Clone(given)
	}
	metadata["resourceVersion"] = p.live.GetResourceVersion()
	body["metadata"] = metadata
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode patch: %w", err)
	}
	return objects.Patch(ctx, p.live.GetName(), types.MergePatchType, text, metav1.PatchOptions{
		DryRun: dryRun, FieldManager: kube.ManagedFieldsManager, FieldValidation: metav1.FieldValidationIgnore,
	})
}
