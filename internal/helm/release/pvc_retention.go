package release

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/objects"
)

// claimPolicyRenderer marks every volume claim of a release so that Helm keeps it when the release is
// removed or a later revision does not contain it. It also sets the retention policy of every
// StatefulSet so that its claims outlive it. Only DeleteKept deletes data.
type claimPolicyRenderer struct{}

// hasClaimKinds reports whether a text may contain objects to mark. It does not parse the text.
func hasClaimKinds(text string) bool {
	return strings.Contains(text, claimKind.Kind) || strings.Contains(text, setKind)
}

// Run implements the post-renderer of Helm for a whole manifest.
func (claimPolicyRenderer) Run(manifest *bytes.Buffer) (*bytes.Buffer, error) {
	if !hasClaimKinds(manifest.String()) {
		return manifest, nil
	}
	var out bytes.Buffer
	for _, document := range objects.SplitDocuments(manifest.String()) {
		marked, err := annotateDocument(document)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "---\n%s\n", marked)
	}
	return &out, nil
}

func annotateDocument(document string) (string, error) {
	if !hasClaimKinds(document) {
		return document, nil
	}
	var object map[string]any
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return "", fmt.Errorf("read rendered document: %w", err)
	}
	if !annotateObject(object) {
		return document, nil
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		return "", fmt.Errorf("write rendered document: %w", err)
	}
	source := ""
	if first, _, _ := strings.Cut(document, "\n"); strings.HasPrefix(first, "# Source:") {
		source = first + "\n"
	}
	return source + strings.TrimSpace(string(text)), nil
}

// annotateObject marks a claim, changes a StatefulSet, or does so for each item of a list. It reports
// whether the object contains a claim, or a StatefulSet that was changed.
func annotateObject(object map[string]any) bool {
	if items, ok := object["items"].([]any); ok {
		found := false
		for _, item := range items {
			if one, ok := item.(map[string]any); ok && annotateObject(one) {
				found = true
			}
		}
		return found
	}
	if object["kind"] == setKind {
		return setClaimRetention(object)
	}
	if object["kind"] != claimKind.Kind {
		return false
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return false
	}
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations[kube.ResourcePolicyAnno] = kube.KeepPolicy
	return true
}

// setClaimRetention changes the retention policy of a StatefulSet that would delete its claims. It
// reports whether it changed the StatefulSet.
func setClaimRetention(set map[string]any) bool {
	policy, found, err := unstructured.NestedFieldNoCopy(set, whenDeleted...)
	if err != nil || !found || policy == any(retain) {
		return false
	}
	return unstructured.SetNestedField(set, retain, whenDeleted...) == nil
}

// ListRetained lists the objects that would be kept if the release were removed now. An empty list is
// not an error.
func (c *Client) ListRetained(ctx context.Context, name string) ([]v1alpha1.ObjectReference, error) {
	o, err := c.newOperationFor(ctx, name)
	if err != nil {
		return nil, err
	}
	history, err := o.readHistory(name)
	if err != nil || len(history) == 0 {
		return nil, o.classifyError(v1alpha1.ReasonUninstallFailed, err)
	}
	retained, err := o.objectsRetainedBy(history[len(history)-1:])
	return retained, o.classifyError(v1alpha1.ReasonUninstallFailed, err)
}

// objectsRetainedBy lists the objects that outlive revisions of a release: the volume claims of each
// revision and of its StatefulSets, the objects whose deletion would delete volume claims, and the
// objects that the chart marks to be kept. It excludes objects that are marked as part of another
// release, and claims of hooks that are not marked as part of this release, because a hook uses an
// existing claim with the same name.
func (o *operation) objectsRetainedBy(history []*release.Release) ([]v1alpha1.ObjectReference, error) {
	objects, err := o.removedObjectsOf(replacedRevisions(history))
	if err != nil {
		return nil, err
	}
	// The claims are listed below, which includes the claims of StatefulSets.
	r, err := o.planRetention(slices.DeleteFunc(objects, func(one removedObject) bool { return cluster.IsClaim(one.ref) }))
	if err != nil {
		return nil, err
	}
	wanted := map[string]*pvcMatcher{}
	for _, revision := range history {
		if err := collectClaims(revision, wanted); err != nil {
			return nil, err
		}
	}
	for namespace, rule := range wanted {
		claims, err := o.findClaims(history[len(history)-1], namespace, rule)
		if err != nil {
			return nil, fmt.Errorf("list volume claims: %w", err)
		}
		for _, claim := range claims {
			r.claims[cluster.IdentityOf(claim)] = claim
		}
	}
	return r.keptObjects(), nil
}

// removedObjectsOf returns the objects of revisions, starting with the newest revision.
func (o *operation) removedObjectsOf(revisions []*release.Release) ([]removedObject, error) {
	var all []removedObject
	seen := map[cluster.Identity]bool{}
	for _, revision := range slices.Backward(revisions) {
		some, err := o.removedObjectsOfManifest(revision)
		if err != nil {
			return nil, err
		}
		for _, one := range some {
			if key := cluster.IdentityOf(one.ref); !seen[key] {
				seen[key] = true
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// removedObjectsOfManifest returns the objects of a manifest. It decodes a document completely only if it
// may contain a CRD or a resource policy.
func (o *operation) removedObjectsOfManifest(revision *release.Release) ([]removedObject, error) {
	var all []removedObject
	for _, document := range objects.SplitDocuments(revision.Manifest) {
		if !strings.Contains(document, kube.ResourcePolicyAnno) && !strings.Contains(document, crdKind) {
			refs, err := o.DocumentRefs(document, revision)
			if err != nil {
				return nil, err
			}
			for _, ref := range refs {
				all = append(all, removedObject{ref: ref})
			}
			continue
		}
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return nil, fmt.Errorf("read manifest of revision %d: %w", revision.Version, err)
		}
		for _, one := range cluster.FlattenList(&unstructured.Unstructured{Object: object}) {
			all = append(all, removedObjectFor(o.RefFor(one, revision), one))
		}
	}
	return all, nil
}

// DeleteKept deletes volume claims that were kept, as the tenant, and then the Namespaces that were
// kept for them and contain no other claims. It does not delete other objects. It ignores objects
// that do not exist, and objects that belong to an existing release again.
func (c *Client) DeleteKept(ctx context.Context, refs []v1alpha1.ObjectReference) error {
	o, err := c.newOperation(ctx)
	if err != nil {
		return err
	}
	for _, part := range []func(v1alpha1.ObjectReference) bool{
		func(ref v1alpha1.ObjectReference) bool { return ref.Kind == claimKind.Kind },
		func(ref v1alpha1.ObjectReference) bool { return isNamespace(ref) && ref.Name != c.tenant.Namespace },
	} {
		for _, ref := range refs {
			if !part(ref) {
				continue
			}
			if err := o.deleteKeptObject(ref); err != nil {
				return o.classifyError(v1alpha1.ReasonUninstallFailed, fmt.Errorf("delete %s: %w", ref, err))
			}
		}
	}
	return nil
}

func (o *operation) deleteKeptObject(ref v1alpha1.ObjectReference) error {
	objects, err := o.ResourceClient(ref)
	if err != nil {
		return err
	}
	// A tenant may lack the permission to get claims that a StatefulSet has created.
	found, err := objects.List(o.ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + ref.Name})
	if err != nil || len(found.Items) == 0 {
		return err
	}
	if used, err := o.isInUse(&found.Items[0]); err != nil || used {
		return err
	}
	if isNamespace(ref) {
		if holds, err := o.hasOtherClaims(&found.Items[0]); err != nil || holds {
			return err
		}
	}
	return deleteObject(o.ctx, objects, ref.Name)
}

// hasOtherClaims reports whether a Namespace must be kept, because its chart marks it to be kept or
// because it contains claims that are not being deleted.
func (o *operation) hasOtherClaims(namespace *unstructured.Unstructured) (bool, error) {
	if namespace.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy {
		return true, nil
	}
	claims, err := o.ResourceClient(cluster.ClaimRef(namespace.GetName(), ""))
	if err != nil {
		return false, err
	}
	found, err := claims.List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(found.Items, func(claim unstructured.Unstructured) bool { return claim.GetDeletionTimestamp() == nil }), nil
}

// isInUse reports whether an object is marked as part of a release that exists. Such a release is
// another one, since the release that kept the object has been removed.
func (o *operation) isInUse(live *unstructured.Unstructured) (bool, error) {
	marks := live.GetAnnotations()
	name, namespace := marks[cluster.ReleaseNameAnnotation], marks[cluster.ReleaseNamespaceAnnotation]
	if name == "" || namespace == "" {
		return false, nil
	}
	if namespace != o.client.tenant.Namespace {
		return true, nil
	}
	history, err := o.readHistory(name)
	if err != nil || len(history) == 0 {
		return false, err
	}
	return !isRemoved(history[len(history)-1]), nil
}
