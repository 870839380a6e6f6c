package health

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// volatileMetadata are metadata fields that change although no client changes the object.
var volatileMetadata = []string{"resourceVersion", "generation", "managedFields", "creationTimestamp", "uid", "selfLink"}

// revisionAnnotation is increased by the cluster at each rollout.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// digestObject returns a digest of an object without its status. The content of Secrets is not
// stored.
func digestObject(live *unstructured.Unstructured) string {
	content := maps.Clone(live.Object)
	delete(content, "status")
	if metadata, ok := content["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, key := range volatileMetadata {
			delete(metadata, key)
		}
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			annotations = maps.Clone(annotations)
			delete(annotations, revisionAnnotation)
			metadata["annotations"] = annotations
		}
		content["metadata"] = metadata
	}
	text, err := json.Marshal(content)
	if err != nil {
		// The object was decoded from JSON. If it cannot be encoded, use its version.
		return live.GetResourceVersion()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Digest returns a digest of the watched objects of an instance, without their status. It
// changes when one of the objects changes. It returns false until the watches have synced, and
// for an instance that is not tracked closely.
func (w *Watcher) Digest(_ context.Context, instance types.NamespacedName) (string, bool, error) {
	w.mu.Lock()
	t := w.instances[instance]
	w.mu.Unlock()
	if t == nil || !t.closely {
		return "", false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if synced, err := t.hasSynced(); !synced || err != nil {
		return "", false, err
	}
	sum := sha256.New()
	for i := range t.objects {
		if one := &t.objects[i]; one.watch != nil {
			fmt.Fprintln(sum, i, one.watch.digestOf(one.ref))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), true, nil
}
