package cluster

import (
	"fmt"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/objects"
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

// ObjectRefs returns the references of the objects in the manifest of a revision.
func (c *Client) ObjectRefs(r *release.Release) ([]v1alpha1.ObjectReference, error) {
	var refs []v1alpha1.ObjectReference
	for _, document := range objects.SplitDocuments(r.Manifest) {
		some, err := c.DocumentRefs(document, r)
		if err != nil {
			return nil, err
		}
		refs = append(refs, some...)
	}
	return refs, nil
}

// DocumentRefs returns the references of the objects in one document of the manifest of a revision.
func (c *Client) DocumentRefs(document string, r *release.Release) ([]v1alpha1.ObjectReference, error) {
	var head objectHead
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		return nil, fmt.Errorf("read manifest of revision %d: %w", r.Version, err)
	}
	var refs []v1alpha1.ObjectReference
	for _, one := range flattenHead(head) {
		refs = append(refs, c.refForHead(one, r.Namespace))
	}
	return refs, nil
}

// HookRef returns the reference of the object of a hook.
func (c *Client) HookRef(hook *release.Hook, r *release.Release) (v1alpha1.ObjectReference, error) {
	var head objectHead
	if err := yaml.Unmarshal([]byte(hook.Manifest), &head); err != nil {
		return v1alpha1.ObjectReference{}, fmt.Errorf("read hook %s: %w", hook.Name, err)
	}
	return c.refForHead(head, r.Namespace), nil
}

// RefFor returns the reference of an object of a manifest. A namespaced object without a namespace is
// in the namespace of the release. An object of a cluster-scoped kind has no namespace.
func (c *Client) RefFor(object *unstructured.Unstructured, r *release.Release) v1alpha1.ObjectReference {
	head := objectHead{APIVersion: object.GetAPIVersion(), Kind: object.GetKind()}
	head.Metadata.Name, head.Metadata.Namespace = object.GetName(), object.GetNamespace()
	return c.refForHead(head, r.Namespace)
}

func (c *Client) refForHead(head objectHead, namespace string) v1alpha1.ObjectReference {
	ref := v1alpha1.ObjectReference{
		APIVersion: head.APIVersion, Kind: head.Kind,
		Namespace: head.Metadata.Namespace, Name: head.Metadata.Name,
	}
	if ref.Namespace == "" {
		ref.Namespace = namespace
	}
	mapping, err := c.MappingFor(ref)
	// A kind that the cluster does not serve anymore is treated as namespaced.
	if err == nil && mapping.Scope.Name() == meta.RESTScopeNameRoot {
		ref.Namespace = ""
	}
	return ref
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

// Identity identifies an object for Helm and for the cluster, independent of its API version.
type Identity struct {
	Group, Kind, Namespace, Name string
}

// IdentityOf returns the identity of an object.
func IdentityOf(ref v1alpha1.ObjectReference) Identity {
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	return Identity{Group: gvk.Group, Kind: gvk.Kind, Namespace: ref.Namespace, Name: ref.Name}
}

// ClaimRef returns the reference of a volume claim.
func ClaimRef(namespace, name string) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name}
}

// IsClaim reports whether an object is a volume claim.
func IsClaim(ref v1alpha1.ObjectReference) bool { return ref == ClaimRef(ref.Namespace, ref.Name) }
