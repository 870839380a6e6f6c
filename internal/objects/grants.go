package objects

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxGrants is the maximum number of permissions of one resource and one verb each that are compared.
const maxGrants = 20_000

// permission is a permission on one resource.
type permission struct {
	// namespace is empty for a permission in all namespaces.
	namespace string
	// resource is the resource followed by its group, such as "deployments.apps", or a path.
	resource string
	// name is the name of the object, empty for all objects.
	name string
	// subject is the user or group to which the permission is granted. It is empty for a service
	// account.
	subject string
	verb    string
}

// grants are the permissions that the roles and bindings of documents grant.
type grants struct {
	permissions map[permission]bool
	// roles are the sentences about bound roles that the documents do not contain.
	roles map[string]bool
	// defaultNamespace is the namespace of objects without a namespace.
	defaultNamespace string
	isTruncated      bool
}

// role is a Role or ClusterRole. namespace is empty for a ClusterRole.
type role struct{ kind, namespace, name string }

// ListAddedPermissions returns the permissions that the roles and bindings of documents grant, and that
// earlier documents do not, one line for each resource, such as "get, list secrets in namespace
// "demo"". Lines about roles that the documents do not contain are first. A role without a binding counts as bound, because other bindings can
// refer to it. namespace is the namespace of objects without one.
func ListAddedPermissions(before, after []Document, namespace string) ([]string, error) {
	had, err := readGrants(before, namespace)
	if err != nil {
		return nil, err
	}
	has, err := readGrants(after, namespace)
	if err != nil {
		return nil, err
	}
	verbs := map[permission][]string{}
	for p := range has.permissions {
		if !had.covers(p) {
			merged := p
			merged.verb = ""
			verbs[merged] = append(verbs[merged], p.verb)
		}
	}
	var lines []string
	for p, list := range verbs {
		slices.Sort(list)
		lines = append(lines, p.sentence(list))
	}
	slices.Sort(lines)
	var first []string
	if has.isTruncated {
		first = append(first, fmt.Sprintf("more than %d permissions; not all of them are listed", maxGrants))
	}
	for _, sentence := range slices.Sorted(maps.Keys(has.roles)) {
		if !had.roles[sentence] {
			first = append(first, sentence)
		}
	}
	return append(first, lines...), nil
}

// sentence describes a permission with a list of verbs.
func (p permission) sentence(verbs []string) string {
	text := strings.Join(verbs, ", ") + " " + p.resource
	if p.name != "" {
		text += fmt.Sprintf(" %q", p.name)
	}
	return text + p.scope()
}

// scope describes where and to whom a permission is granted.
func (p permission) scope() string {
	text := " in all namespaces"
	switch {
	case strings.HasPrefix(p.resource, "/"):
		text = ""
	case p.namespace != "":
		text = fmt.Sprintf(" in namespace %q", p.namespace)
	}
	if p.subject != "" {
		text += " for " + p.subject
	}
	return text
}

// covers reports whether the grants contain a permission, literally or by a wildcard.
func (g *grants) covers(p permission) bool {
	resource, group, _ := strings.Cut(p.resource, ".")
	for _, namespace := range []string{p.namespace, ""} {
		for _, name := range []string{p.name, ""} {
			for _, verb := range []string{p.verb, "*"} {
				for _, named := range []string{p.resource, resourceName("*", group), resourceName(resource, "*"), resourceName("*", "*")} {
					if g.permissions[permission{namespace: namespace, resource: named, name: name, subject: p.subject, verb: verb}] {
						return true
					}
				}
			}
		}
	}
	return false
}

// resourceName returns a resource with its group.
func resourceName(resource, group string) string {
	if group == "" {
		return resource
	}
	return resource + "." + group
}

// readGrants returns the permissions that documents grant.
func readGrants(docs []Document, namespace string) (*grants, error) {
	g := &grants{permissions: map[permission]bool{}, roles: map[string]bool{}, defaultNamespace: namespace}
	roles, bindings := map[role]Map{}, []Map{}
	for _, doc := range docs {
		err := EachObject(doc, func(o Map) error {
			if o.Group() != rbacGroup {
				return nil
			}
			switch o.Kind() {
			case "Role", "ClusterRole":
				roles[role{o.Kind(), g.namespaceOf(o), o.Name()}] = o
			case "RoleBinding", "ClusterRoleBinding":
				bindings = append(bindings, o)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	g.addBindings(roles, bindings)
	return g, nil
}

// rbacGroup is the API group of roles and bindings.
const rbacGroup = "rbac.authorization.k8s.io"

// namespaceOf returns the namespace of a role or binding, empty for a cluster-scoped one.
func (g *grants) namespaceOf(o Map) string {
	if strings.HasPrefix(o.Kind(), "Cluster") {
		return ""
	}
	if namespace := o.MapAt("metadata").TextAt("namespace"); namespace != "" {
		return namespace
	}
	return g.defaultNamespace
}

// addBindings adds the permissions of bindings, and of roles without one.
func (g *grants) addBindings(roles map[role]Map, bindings []Map) {
	unbound := maps.Clone(roles)
	for _, binding := range bindings {
		where, ref := g.namespaceOf(binding), binding.MapAt("roleRef")
		bound := role{kind: ref.TextAt("kind"), name: ref.TextAt("name")}
		if bound.kind == "Role" {
			bound.namespace = where
		}
		rules, isOwn := roles[bound]
		delete(unbound, bound)
		for _, subject := range subjectsOf(binding) {
			at := permission{namespace: where, subject: subject}
			if isOwn {
				g.addRules(rules, at)
			} else {
				g.roles[fmt.Sprintf("all permissions of %s %q", bound.kind, bound.name)+at.scope()] = true
			}
		}
	}
	for of, rules := range unbound {
		g.addRules(rules, permission{namespace: of.namespace})
	}
}

// subjectsOf returns the users and groups of a binding, and "" if it has service accounts or no subject.
func subjectsOf(binding Map) []string {
	all := map[string]bool{}
	for _, subject := range binding.MapsAt("subjects") {
		switch kind := subject.TextAt("kind"); kind {
		case "User", "Group":
			all[fmt.Sprintf("%s %q", strings.ToLower(kind), subject.TextAt("name"))] = true
		default:
			all[""] = true
		}
	}
	if len(all) == 0 {
		all[""] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// addRules adds the rules of a role, granted as specified by at.
func (g *grants) addRules(of Map, at permission) {
	if of["aggregationRule"] != nil {
		g.roles[fmt.Sprintf("the aggregated permissions of %s %q", of.Kind(), of.Name())+at.scope()] = true
	}
	for _, rule := range of.MapsAt("rules") {
		names := rule.TextsAt("resourceNames")
		if len(names) == 0 {
			names = []string{""}
		}
		var resources []string
		for _, group := range rule.TextsAt("apiGroups") {
			for _, resource := range rule.TextsAt("resources") {
				if len(resources) < maxGrants {
					resources = append(resources, resourceName(resource, group))
				}
			}
		}
		g.addProduct(at, resources, names, rule.TextsAt("verbs"))
		g.addProduct(permission{subject: at.subject}, rule.TextsAt("nonResourceURLs"), []string{""}, rule.TextsAt("verbs"))
	}
}

// addProduct adds the permissions for each combination of resource, name and verb.
func (g *grants) addProduct(at permission, resources, names, verbs []string) {
	for _, resource := range resources {
		for _, name := range names {
			for _, verb := range verbs {
				if len(g.permissions) >= maxGrants {
					g.isTruncated = true
					return
				}
				at.resource, at.name, at.verb = resource, name, verb
				g.permissions[at] = true
			}
		}
	}
}
