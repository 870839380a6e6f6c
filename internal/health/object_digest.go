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

// passing are parts of the metadata that change without anybody changing the
// object.
var volatileMetadata = []string{"resourceVersion", "generation", "managedFields", "creationTimestamp", "uid", "selfLink"}

// counted is an annotation that the cluster itself counts up at each roll-out.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// markOf stands for all of an object but its status. It is a digest, so that the
// content of a Secret is not kept.
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
		// It came as JSON; should it not go back, each version stands for itself.
		return live.GetResourceVersion()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Mark stands for what the watched objects of an instance are, whatever their
// health: while it stays the same, nobody has changed any of them. It is false
// while the watches have not brought everything, and for an instance that is not
// followed closely.
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
