package helm

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// keepClaims marks every volume claim of a release so that Helm keeps it when the
// release, or a later revision of it, goes without it. Data is deleted on purpose
// only, by DeleteKept.
type keepClaims struct{}

// Run is what Helm calls with the whole manifest.
func (keepClaims) Run(manifest *bytes.Buffer) (*bytes.Buffer, error) {
	if !bytes.Contains(manifest.Bytes(), []byte(claimKind.Kind)) {
		return manifest, nil
	}
	var out bytes.Buffer
	for _, document := range cut(manifest.String()) {
		marked, err := keepClaim(document)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "---\n%s\n", marked)
	}
	return &out, nil
}

func keepClaim(document string) (string, error) {
	if !strings.Contains(document, claimKind.Kind) {
		return document, nil
	}
	var object map[string]any
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return "", fmt.Errorf("read rendered document: %w", err)
	}
	if !markClaims(object) {
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

// markClaims marks a claim, or those of a list, and reports whether there was one.
func markClaims(object map[string]any) bool {
	if items, ok := object["items"].([]any); ok {
		found := false
		for _, item := range items {
			if one, ok := item.(map[string]any); ok && markClaims(one) {
				found = true
			}
		}
		return found
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

// Claims are the volume claims in the cluster that belong to a release: those of
// any recorded revision, and those that its stateful sets have made. To be asked
// before Uninstall, after which nobody knows. None is no error.
func (c *Client) Claims(ctx context.Context, name string) ([]ObjectRef, error) {
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	history, err := o.history(name)
	if err != nil || len(history) == 0 {
		return nil, o.judge(v1alpha1.ReasonUninstallFailed, err)
	}
	wanted := map[string]claimRule{}
	for _, revision := range history {
		if err := collectClaims(revision, wanted); err != nil {
			return nil, err
		}
	}
	var found []ObjectRef
	for namespace, rule := range wanted {
		some, err := o.findClaims(namespace, rule)
		if err != nil {
			return nil, o.judge(v1alpha1.ReasonUninstallFailed, fmt.Errorf("list volume claims: %w", err))
		}
		found = append(found, some...)
	}
	sort.Slice(found, func(i, j int) bool {
		return found[i].Namespace+"/"+found[i].Name < found[j].Namespace+"/"+found[j].Name
	})
	return found, nil
}

// claimRule says which claims of a namespace belong to a release.
type claimRule struct {
	names map[string]bool
	sets  []claimPattern
}

// claimPattern is how a stateful set names its claims, and which labels they get.
type claimPattern struct {
	name   *regexp.Regexp
	labels labels.Set
}

func collectClaims(revision *release.Release, into map[string]claimRule) error {
	documents := cut(revision.Manifest)
	for _, hook := range revision.Hooks {
		documents = append(documents, hook.Manifest)
	}
	for _, document := range documents {
		if !strings.Contains(document, claimKind.Kind) && !strings.Contains(document, "volumeClaimTemplates") {
			continue
		}
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return fmt.Errorf("read manifest of revision %d: %w", revision.Version, err)
		}
		collectClaim(object, revision.Namespace, into)
	}
	return nil
}

func collectClaim(object map[string]any, namespace string, into map[string]claimRule) {
	if items, ok := object["items"].([]any); ok {
		for _, item := range items {
			if one, ok := item.(map[string]any); ok {
				collectClaim(one, namespace, into)
			}
		}
		return
	}
	one := unstructured.Unstructured{Object: object}
	if one.GetNamespace() != "" {
		namespace = one.GetNamespace()
	}
	rule := into[namespace]
	switch one.GetKind() {
	case claimKind.Kind:
		if rule.names == nil {
			rule.names = map[string]bool{}
		}
		rule.names[one.GetName()] = true
	case "StatefulSet":
		rule.sets = append(rule.sets, claimPatterns(one)...)
	default:
		return
	}
	into[namespace] = rule
}

// claimPatterns are how a stateful set names what it makes of its templates. What
// is not of the right type was refused by the cluster, and has made nothing.
func claimPatterns(set unstructured.Unstructured) []claimPattern {
	selector, _, _ := unstructured.NestedStringMap(set.Object, "spec", "selector", "matchLabels")
	templates, _, _ := unstructured.NestedSlice(set.Object, "spec", "volumeClaimTemplates")
	var patterns []claimPattern
	for _, item := range templates {
		template, _ := item.(map[string]any)
		name, _, _ := unstructured.NestedString(template, "metadata", "name")
		if name == "" {
			continue
		}
		patterns = append(patterns, claimPattern{
			name:   regexp.MustCompile("^" + regexp.QuoteMeta(name+"-"+set.GetName()) + "-[0-9]+$"),
			labels: selector,
		})
	}
	return patterns
}

func (o *operation) findClaims(namespace string, rule claimRule) ([]ObjectRef, error) {
	if len(rule.names) == 0 && len(rule.sets) == 0 {
		return nil, nil
	}
	claims, err := o.resource(claimRef(namespace, ""))
	if err != nil {
		return nil, err
	}
	all, err := claims.List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var found []ObjectRef
	for _, claim := range all.Items {
		if rule.matches(claim.GetName(), claim.GetLabels()) {
			found = append(found, claimRef(namespace, claim.GetName()))
		}
	}
	return found, nil
}

func (r claimRule) matches(name string, has map[string]string) bool {
	if r.names[name] {
		return true
	}
	for _, set := range r.sets {
		if set.name.MatchString(name) && labels.SelectorFromSet(set.labels).Matches(labels.Set(has)) {
			return true
		}
	}
	return false
}

func claimRef(namespace, name string) ObjectRef {
	return ObjectRef{
		APIVersion: claimKind.GroupVersion().String(), Kind: claimKind.Kind, Namespace: namespace, Name: name,
	}
}

// DeleteKept deletes objects that were kept, as the tenant. One that is gone is no
// error.
func (c *Client) DeleteKept(ctx context.Context, refs []ObjectRef) error {
	o, err := c.begin(ctx)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		var objects dynamic.ResourceInterface
		if objects, err = o.resource(ref); err == nil {
			err = deleteObject(ctx, objects, ref.Name)
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return o.judge(v1alpha1.ReasonUninstallFailed, fmt.Errorf("delete %s: %w", ref, err))
		}
	}
	return nil
}
