package helm

import (
	"fmt"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// objectHead contains the fields of a document that identify its object.
type objectHead struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Items []objectHead `json:"items"`
}

// objectRefs returns the references of the objects in the manifest of a release.
func (c *Client) objectRefs(r *release.Release) ([]ObjectRef, error) {
	var refs []ObjectRef
	for _, document := range splitDocuments(r.Manifest) {
		var head objectHead
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			return nil, fmt.Errorf("read manifest of revision %d: %w", r.Version, err)
		}
		for _, one := range flattenHead(head) {
			refs = append(refs, c.objectRefFor(one, r.Namespace))
		}
	}
	return refs, nil
}

// flattenHead returns the objects of a document, which may be a list.
func flattenHead(head objectHead) []objectHead {
	if len(head.Items) == 0 {
		if head.Kind == "" || head.Metadata.Name == "" {
			return nil
		}
		return []objectHead{head}
	}
	var all []objectHead
	for _, item := range head.Items {
		all = append(all, flattenHead(item)...)
	}
	return all
}

// identity identifies an object for Helm and for the cluster, independent of its API version.
type identity struct {
	group, kind, namespace, name string
}

func identityOf(ref ObjectRef) identity {
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	return identity{group: gvk.Group, kind: gvk.Kind, namespace: ref.Namespace, name: ref.Name}
}

// objectRefFor returns the reference of an object. A namespaced object without a namespace is in the given
// namespace. An object of a cluster-scoped kind has no namespace.
func (c *Client) objectRefFor(head objectHead, namespace string) ObjectRef {
	ref := ObjectRef{
		APIVersion: head.APIVersion, Kind: head.Kind,
		Namespace: head.Metadata.Namespace, Name: head.Metadata.Name,
	}
	if ref.Namespace == "" {
		ref.Namespace = namespace
	}
	mapping, err := c.restMappingFor(ref)
	// A kind that the cluster does not serve anymore is treated as namespaced.
	if err == nil && mapping.Scope.Name() == meta.RESTScopeNameRoot {
		ref.Namespace = ""
	}
	return ref
}

func (c *Client) restMappingFor(ref ObjectRef) (*meta.RESTMapping, error) {
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	mapping, err := c.clients.kinds.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("find resource of kind %s: %w", gvk.Kind, err)
	}
	return mapping, nil
}
