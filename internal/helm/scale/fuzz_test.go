package scale

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/api/v1alpha1"
)

// FuzzSavedState stops and resumes workloads with any note of a tenant. The patches change the fields that stop a
// workload and its note only, and keep a valid note.
func FuzzSavedState(f *testing.F) {
	f.Add(`{"replicas":3}`)
	f.Add(`{"replicas":3,"whenScaled":"Delete","spec":{"template":{}}}`)
	f.Add(`{"suspend":false,"nodeSelector":{"a":1,"b":{"c":[null]}}}`)
	f.Add(`{"replicas":1e400}`)
	f.Add(`{"replicas":9223372036854775807,"nodeSelector":null}`)
	f.Add(`[`)
	kinds := []v1alpha1.ObjectReference{
		{APIVersion: "apps/v1", Kind: "StatefulSet"}, {APIVersion: "batch/v1", Kind: "CronJob"}, {APIVersion: "apps/v1", Kind: "DaemonSet"},
	}
	f.Fuzz(func(t *testing.T, note string) {
		g := NewWithT(t)
		for _, kind := range kinds {
			field, _ := scaleFieldFor(kind)
			live := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
				"replicas": int64(2), "template": map[string]any{"spec": map[string]any{"nodeSelector": map[string]any{"disk": "fast"}}},
			}}}
			live.SetAnnotations(map[string]string{v1alpha1.BeforeStopAnnotation: note, "other": "kept"})
			live.SetResourceVersion("7")

			patch, err := field.stopPatch(live)
			g.Expect(err).NotTo(HaveOccurred())
			expectFields(g, field, patch)
			before, err := field.readSavedState(live)
			if err != nil || before == nil {
				continue
			}
			patch, err = field.resumePatch(live, before)
			g.Expect(err).NotTo(HaveOccurred())
			expectFields(g, field, patch)
			_, err = withResourceVersion(patch, live)
			g.Expect(err).NotTo(HaveOccurred())
		}
	})
}

// expectFields checks that a patch changes only the fields of a workload that stop it, and the note.
func expectFields(g Gomega, scaled scaleField, patch []byte) {
	var change map[string]any
	g.Expect(json.Unmarshal(patch, &change)).To(Succeed())
	for _, one := range scaled.allFields() {
		unstructured.RemoveNestedField(change, one.path...)
	}
	unstructured.RemoveNestedField(change, "metadata", "annotations", v1alpha1.BeforeStopAnnotation)
	removeEmpty(change)
	g.Expect(change).To(BeEmpty(), "%s", patch)
}

// removeEmpty removes maps without fields.
func removeEmpty(tree map[string]any) {
	for key, value := range tree {
		if below, ok := value.(map[string]any); ok {
			removeEmpty(below)
			if len(below) == 0 {
				delete(tree, key)
			}
		}
	}
}
