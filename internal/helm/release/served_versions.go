package release

import (
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/objects"
)

// buildServed reads the objects of a manifest that was applied before. It leaves out
// objects of kinds that the cluster no longer serves: they were deleted with their kind.
// An object of which only the version is no longer served still exists, and is read in a
// version that is.
func (c *kubeClient) buildServed(manifest string, validate bool) (kube.ResourceList, error) {
	served, err := c.inServedVersions(manifest)
	if err != nil {
		return nil, err
	}
	found, err := c.Client.Build(strings.NewReader(served), validate)
	if err != nil && hasOnlyMissingKinds(err) {
		err = nil
	}
	return found, err
}

// inServedVersions returns a manifest with another apiVersion for each object whose
// version the cluster does not serve, if it serves another version of the kind.
func (c *kubeClient) inServedVersions(manifest string) (string, error) {
	documents := objects.SplitDocuments(manifest)
	for i, document := range documents {
		if objects.IsEmptyDocument(document) {
			continue
		}
		text, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			return "", fmt.Errorf("read manifest: %w", err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return "", fmt.Errorf("read manifest: %w", err)
		}
		kind := object.GroupVersionKind()
		if _, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version); !meta.IsNoMatchError(err) {
			continue
		}
		mapping, err := c.mapper.RESTMapping(kind.GroupKind())
		if err != nil {
			continue // Build reports a kind that is missing.
		}
		object.SetAPIVersion(mapping.GroupVersionKind.GroupVersion().String())
		if text, err = object.MarshalJSON(); err != nil {
			return "", fmt.Errorf("write manifest: %w", err)
		}
		documents[i] = string(text)
	}
	return strings.Join(documents, "\n---\n"), nil
}
