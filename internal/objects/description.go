package objects

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

// Limits of a Description.
const (
	maxDescribed       = 200
	maxDescribedBytes  = 512
	maxRequiredKinds   = 60
	maxRequiredClasses = 20
)

// Description describes what the objects of an app may do, what they request and what they require from a
// cluster.
type Description struct {
	Access       Access
	Footprint    Footprint
	Requirements Requirements
}

// Access describes what the objects of an app may do outside their Pods. Each list contains at most 200
// sentences; the counts include the omitted ones.
type Access struct {
	// Rules are the permissions that roles and bindings grant, one line for each resource.
	Rules     []string `json:"rules,omitempty"`
	RuleCount int      `json:"ruleCount"`
	// CRDs are the names of the CustomResourceDefinitions.
	CRDs     []string `json:"crds,omitempty"`
	CRDCount int      `json:"crdCount"`
	// ClusterObjects are the cluster-scoped objects, and the objects in other namespaces than the namespace
	// of the app.
	ClusterObjects []string `json:"clusterObjects,omitempty"`
	// Privileged, HostPaths and HostNetworks are the containers and Pods with privileges, with directories
	// of their node, and in the network of their node.
	Privileged   []string `json:"privileged,omitempty"`
	HostPaths    []string `json:"hostPaths,omitempty"`
	HostNetworks []string `json:"hostNetworks,omitempty"`
	// HasClusterRules reports whether a rule grants a permission outside the namespace of the app.
	HasClusterRules bool `json:"hasClusterRules"`
}

// IsLimitedToNamespace reports whether the app needs nothing outside its namespace.
func (a Access) IsLimitedToNamespace() bool { return len(a.ClusterObjects) == 0 && !a.HasClusterRules }

// DescribeObjects describes the objects of documents. namespace is the namespace of objects without one.
func DescribeObjects(docs []Document, namespace string) (Description, error) {
	d := describer{namespace: namespace, kinds: map[RequiredKind]bool{}, own: map[string]bool{}, ownScoped: map[string]bool{},
		storageClasses: map[string]bool{}, ingressClasses: map[string]bool{}, pullSecrets: map[string]bool{}}
	var all []Map
	for _, doc := range docs {
		err := EachObject(doc, func(o Map) error {
			all = append(all, o)
			d.addDefinition(o)
			if !doc.Hook {
				d.addFootprint(o)
			}
			return nil
		})
		if err != nil {
			return Description{}, err
		}
	}
	for _, o := range all {
		d.addAccess(o)
		d.addRequirements(o)
	}
	for _, o := range all {
		d.omitOwnObjects(o)
	}
	if err := d.addRules(docs); err != nil {
		return Description{}, err
	}
	return d.description(), nil
}

// describer collects a Description.
type describer struct {
	namespace string
	access    Access
	requests  requests
	kinds     map[RequiredKind]bool
	// own and ownScoped contain the kinds of the app's own CustomResourceDefinitions, as
	// "<group>/<kind>". Those in ownScoped are cluster-scoped.
	own, ownScoped                 map[string]bool
	storageClasses, ingressClasses map[string]bool
	pullSecrets                    map[string]bool
	needsDefaultStorageClass       bool
}

// addDefinition records a CustomResourceDefinition.
func (d *describer) addDefinition(o Map) {
	if o.Kind() != "CustomResourceDefinition" || o.Group() != "apiextensions.k8s.io" {
		return
	}
	d.access.CRDCount++
	d.access.CRDs = appendSentence(d.access.CRDs, "%s", o.Name())
	spec := o.MapAt("spec")
	kind := spec.TextAt("group") + "/" + spec.MapAt("names").TextAt("kind")
	d.own[kind] = true
	if spec.TextAt("scope") == "Cluster" {
		d.ownScoped[kind] = true
	}
}

// addAccess adds what an object may do outside its Pods.
func (d *describer) addAccess(o Map) {
	kind := o.Group() + "/" + o.Kind()
	own := o.MapAt("metadata").TextAt("namespace")
	switch {
	case IsClusterScoped[kind] || d.ownScoped[kind]:
		d.access.ClusterObjects = appendSentence(d.access.ClusterObjects, "%s", o.KindAndName())
	case own != "" && own != d.namespace:
		d.access.ClusterObjects = appendSentence(d.access.ClusterObjects, "%s in namespace %q", o.KindAndName(), own)
	}
	pod := o.PodSpec()
	if pod == nil {
		return
	}
	if pod.IsTrue("hostNetwork") {
		d.access.HostNetworks = appendSentence(d.access.HostNetworks, "%s", o.KindAndName())
	}
	for _, field := range []string{"hostPID", "hostIPC"} {
		if pod.IsTrue(field) {
			d.access.Privileged = appendSentence(d.access.Privileged, "%s: %s", o.KindAndName(), field)
		}
	}
	for _, volume := range pod.MapsAt("volumes") {
		if at := volume.MapAt("hostPath"); at != nil {
			d.access.HostPaths = appendSentence(d.access.HostPaths, "%s: %s", o.KindAndName(), at.TextAt("path"))
		}
	}
	for _, list := range containerFields {
		for _, container := range pod.MapsAt(list) {
			if why := privilegeOf(container.MapAt("securityContext")); why != "" {
				d.access.Privileged = appendSentence(d.access.Privileged, "%s: container %q: %s", o.KindAndName(), container.TextAt("name"), why)
			}
		}
	}
}

// privilegeOf returns the setting of a security context that gives a container power over its node, or "".
func privilegeOf(context Map) string {
	if context.IsTrue("privileged") {
		return "privileged"
	}
	for _, name := range context.MapAt("capabilities").TextsAt("add") {
		if name == "ALL" || name == "SYS_ADMIN" || name == "CAP_SYS_ADMIN" {
			return "capability " + name
		}
	}
	return ""
}

// addRules adds the permissions that the roles and bindings grant.
func (d *describer) addRules(docs []Document) error {
	rules, err := ListAddedPermissions(nil, docs, d.namespace)
	if err != nil {
		return err
	}
	d.access.RuleCount = len(rules)
	local := fmt.Sprintf(" in namespace %q", d.namespace)
	for _, rule := range rules {
		if !strings.Contains(rule, local) {
			d.access.HasClusterRules = true
		}
		d.access.Rules = appendSentence(d.access.Rules, "%s", strings.Replace(rule, local, " in the namespace of the app", 1))
	}
	return nil
}

// description returns the collected Description.
func (d *describer) description() Description {
	required := Requirements{
		StorageClasses:           firstKeys(d.storageClasses, maxRequiredClasses),
		IngressClasses:           firstKeys(d.ingressClasses, maxRequiredClasses),
		PullSecrets:              firstKeys(d.pullSecrets, maxRequiredClasses),
		NeedsDefaultStorageClass: d.needsDefaultStorageClass,
		PodRequests:              d.requests.largestPod(),
		Kinds: slices.SortedFunc(maps.Keys(d.kinds), func(a, b RequiredKind) int {
			return cmp.Or(cmp.Compare(a.APIVersion, b.APIVersion), cmp.Compare(a.Kind, b.Kind))
		}),
	}
	required.Kinds = required.Kinds[:min(len(required.Kinds), maxRequiredKinds)]
	return Description{Access: d.access, Footprint: d.requests.footprint(), Requirements: required}
}

func firstKeys(set map[string]bool, most int) []string {
	keys := slices.Sorted(maps.Keys(set))
	return keys[:min(len(keys), most)]
}

// appendSentence appends a sentence about an object to a bounded list.
func appendSentence(list []string, format string, args ...any) []string {
	if len(list) == maxDescribed {
		return list
	}
	return append(list, text.Printable(fmt.Sprintf(format, args...), maxDescribedBytes))
}
