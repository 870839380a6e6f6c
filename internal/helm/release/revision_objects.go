package release

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/objects"
	plain "github.com/appmarket/operator/internal/release"
)

// ListObjects lists the objects in the recorded manifest of a revision, without hooks. The digest of the
// record is checked, as for all reads of records. It returns a stalled RevisionNotFound error if the revision
// is not recorded, and a stalled RollbackFailed error if it was never complete.
func (c *Client) ListObjects(ctx context.Context, name string, revision int) ([]plain.RevisionObject, error) {
	o, err := c.newOperationFor(ctx, name)
	if err != nil {
		return nil, err
	}
	history, err := o.readHistory(name)
	if err != nil {
		return nil, o.classifyError(v1alpha1.ReasonRollbackFailed, err)
	}
	recorded, err := c.findRevision(plain.Rollback{Name: name, Revision: revision}, history)
	if err != nil {
		return nil, err
	}
	found, err := o.objectsOfRevision(recorded)
	return found, o.classifyError(v1alpha1.ReasonRollbackFailed, err)
}

// objectsOfRevision returns the objects in the manifest of a revision.
func (o *operation) objectsOfRevision(revision *release.Release) ([]plain.RevisionObject, error) {
	var all []plain.RevisionObject
	for _, document := range objects.SplitDocuments(revision.Manifest) {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return nil, fmt.Errorf("read manifest of revision %d: %w", revision.Version, err)
		}
		if len(object) == 0 {
			continue // A document with comments only.
		}
		for _, one := range cluster.FlattenList(&unstructured.Unstructured{Object: object}) {
			text, err := json.Marshal(one.Object)
			if err != nil {
				return nil, fmt.Errorf("encode object of revision %d: %w", revision.Version, err)
			}
			all = append(all, plain.RevisionObject{
				Object: o.RefFor(one, revision), Digest: sha256.Sum256(text),
				IsKept:  one.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy,
				Storage: claimRequest(one),
			})
		}
	}
	return all, nil
}

// maxQuantityLength is the maximum length of a quantity in characters.
const maxQuantityLength = 64

// claimRequest returns the storage that a PersistentVolumeClaim requests, and "" for any other object.
func claimRequest(object *unstructured.Unstructured) string {
	if object.GetAPIVersion() != "v1" || object.GetKind() != "PersistentVolumeClaim" {
		return ""
	}
	// A field of another type is a request that is not known.
	requested, _, _ := unstructured.NestedString(object.Object, "spec", "resources", "requests", "storage")
	if _, err := resource.ParseQuantity(requested); err != nil || len(requested) > maxQuantityLength {
		return ""
	}
	return requested
}
