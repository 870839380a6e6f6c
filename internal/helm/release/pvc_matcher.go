package release

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/objects"
)

// pvcMatcher specifies which claims of a namespace belong to a release.
type pvcMatcher struct {
	// names contains the claims of the manifest, and hooks the claims of hooks.
	names, hooks map[string]bool
	sets         []pvcPattern
}

func newPVCMatcher() *pvcMatcher {
	return &pvcMatcher{names: map[string]bool{}, hooks: map[string]bool{}}
}

// pvcPattern matches the names of the claims that a StatefulSet creates from one template, and
// the labels that they get.
type pvcPattern struct {
	set    string
	name   *regexp.Regexp
	labels labels.Set
}

func collectClaims(revision *release.Release, into map[string]*pvcMatcher) error {
	for _, document := range objects.SplitDocuments(revision.Manifest) {
		if err := collectDocument(document, revision, false, into); err != nil {
			return err
		}
	}
	for _, hook := range revision.Hooks {
		if err := collectDocument(hook.Manifest, revision, true, into); err != nil {
			return err
		}
	}
	return nil
}

func collectDocument(document string, revision *release.Release, hook bool, into map[string]*pvcMatcher) error {
	if !strings.Contains(document, claimKind.Kind) && !strings.Contains(document, "volumeClaimTemplates") {
		return nil
	}
	var object map[string]any
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return fmt.Errorf("read manifest of revision %d: %w", revision.Version, err)
	}
	collectClaim(object, revision.Namespace, hook, into)
	return nil
}

func collectClaim(object map[string]any, namespace string, hook bool, into map[string]*pvcMatcher) {
	if items, ok := object["items"].([]any); ok {
		for _, item := range items {
			if one, ok := item.(map[string]any); ok {
				collectClaim(one, namespace, hook, into)
			}
		}
		return
	}
	one := unstructured.Unstructured{Object: object}
	if one.GetNamespace() != "" {
		namespace = one.GetNamespace()
	}
	rule := into[namespace]
	if rule == nil {
		rule = newPVCMatcher()
		into[namespace] = rule
	}
	switch {
	case one.GetKind() == setKind:
		rule.sets = append(rule.sets, pvcPatternsFor(one)...)
	case one.GetKind() != claimKind.Kind:
	case hook:
		rule.hooks[one.GetName()] = true
	default:
		rule.names[one.GetName()] = true
	}
}

// pvcPatternsFor returns a pattern for each claim template of a StatefulSet. Fields of the wrong
// type are ignored: the API server rejects such an object, so it has created no claims.
func pvcPatternsFor(set unstructured.Unstructured) []pvcPattern {
	selector, _, _ := unstructured.NestedStringMap(set.Object, "spec", "selector", "matchLabels")
	templates, _, _ := unstructured.NestedSlice(set.Object, "spec", "volumeClaimTemplates")
	var patterns []pvcPattern
	for _, item := range templates {
		template, _ := item.(map[string]any)
		name, _, _ := unstructured.NestedString(template, "metadata", "name")
		if name == "" {
			continue
		}
		patterns = append(patterns, pvcPattern{
			set:    set.GetName(),
			name:   regexp.MustCompile("^" + regexp.QuoteMeta(name+"-"+set.GetName()) + "-[0-9]+$"),
			labels: selector,
		})
	}
	return patterns
}

func (o *operation) findClaims(owner *release.Release, namespace string, rule *pvcMatcher) ([]v1alpha1.ObjectReference, error) {
	if len(rule.names) == 0 && len(rule.hooks) == 0 && len(rule.sets) == 0 {
		return nil, nil
	}
	claims, err := o.ResourceClient(cluster.ClaimRef(namespace, ""))
	if err != nil {
		return nil, err
	}
	all, err := claims.List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if err := o.dropForeignStatefulSets(owner, namespace, rule); err != nil {
		return nil, err
	}
	var found []v1alpha1.ObjectReference
	for _, claim := range all.Items {
		if !cluster.IsOwnedByOther(&claim, owner) && rule.isClaimOf(&claim, owner) {
			found = append(found, cluster.ClaimRef(namespace, claim.GetName()))
		}
	}
	return found, nil
}

// dropForeignStatefulSets removes the StatefulSets that another release has taken over from a rule, and
// thereby their claims.
func (o *operation) dropForeignStatefulSets(owner *release.Release, namespace string, rule *pvcMatcher) error {
	isForeign := map[string]bool{}
	for _, pattern := range rule.sets {
		if _, asked := isForeign[pattern.set]; asked {
			continue
		}
		live, err := o.GetObject(o.ctx, v1alpha1.ObjectReference{
			APIVersion: setResource.GroupVersion().String(), Kind: setKind, Namespace: namespace, Name: pattern.set,
		})
		if err != nil && !apierrors.IsForbidden(err) {
			return fmt.Errorf("get stateful set %s: %w", pattern.set, err)
		}
		isForeign[pattern.set] = err == nil && live != nil && cluster.IsOwnedByOther(live, owner)
	}
	rule.sets = slices.DeleteFunc(rule.sets, func(one pvcPattern) bool { return isForeign[one.set] })
	return nil
}

func (r *pvcMatcher) isClaimOf(claim *unstructured.Unstructured, owner *release.Release) bool {
	name := claim.GetName()
	if r.names[name] || r.hooks[name] && cluster.IsOwnedBy(owner, claim) {
		return true
	}
	for _, set := range r.sets {
		if set.name.MatchString(name) && labels.SelectorFromSet(set.labels).Matches(labels.Set(claim.GetLabels())) {
			return true
		}
	}
	return false
}
