package preflight_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// needsOf returns the needs of a request, with one line for the namespace, the rules and the
// alternative rules of each.
func needsOf(t *testing.T, w preflight.Request, f *preflight.Facts) []string {
	t.Helper()
	g := NewWithT(t)
	requirements, err := preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	verbs := map[string][]string{}
	for _, need := range requirements.Needs(f) {
		for _, rule := range need.Rules {
			g.Expect(rule.Verbs).To(HaveLen(1))
			line := need.Namespace + " " + policyRuleText(rule)
			for _, other := range need.Instead {
				line += " or " + policyRuleText(other) + " " + other.Verbs[0]
			}
			verbs[line] = append(verbs[line], rule.Verbs...)
		}
	}
	var lines []string
	for line, list := range verbs {
		slices.Sort(list)
		lines = append(lines, line+": "+strings.Join(list, " "))
	}
	slices.Sort(lines)
	return lines
}

func policyRuleText(rule rbacv1.PolicyRule) string {
	return strings.Join(slices.Concat(rule.APIGroups, []string{"/"}, rule.Resources, rule.ResourceNames, rule.NonResourceURLs), "")
}

func TestNeeds(t *testing.T) {
	const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: reader}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]"
	const binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: reader}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}"
	base := []string{"team /pods: list", "team /secrets: create delete get list update"}
	for _, c := range []struct {
		why, text string
		needs     []string
	}{
		{"the record of a release, and pods to explain", "", nil},
		{"a workload is followed", deploymentYAML("web", "", ""), []string{"team apps/deployments: create delete get list patch watch", "team autoscaling/horizontalpodautoscalers: list"}},
		{"what has no state is too", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}", []string{"team /configmaps: create delete get list patch watch"}},
		{"a hook is created again", "kind: Job\napiVersion: batch/v1\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}\nspec: {template: {spec: {containers: [{name: a}]}}}",
			[]string{"team batch/jobs: create delete get watch"}},
		{"an object of another namespace", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: other}", []string{"other /configmaps: create delete get patch"}},
		{"an object of the cluster, by name", "kind: Namespace\napiVersion: v1\nmetadata: {name: a}",
			[]string{" /namespaces: create", " /namespacesa: delete get patch"}},
		{"claims of a stateful set", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {template: {spec: {containers: [{name: a}]}}, volumeClaimTemplates: [{metadata: {name: d}}]}",
			[]string{"team /persistentvolumeclaims: delete list", "team apps/statefulsets: create delete get list patch watch",
				"team autoscaling/horizontalpodautoscalers: list"}},
		{"a role grants", fmt.Sprintf(role, "Role"), []string{
			"team /pods or rbac.authorization.k8s.io/roles escalate: get", "team rbac.authorization.k8s.io/roles: create delete get list patch watch",
		}},
		{"a role of the cluster grants there", fmt.Sprintf(role, "ClusterRole"), []string{
			" /pods or rbac.authorization.k8s.io/clusterroles escalate: get",
			" rbac.authorization.k8s.io/clusterroles: create", " rbac.authorization.k8s.io/clusterrolesreader: delete get patch",
		}},
		{"a binding to a role of the app", fmt.Sprintf(role, "Role") + "\n---\n" + fmt.Sprintf(binding, "RoleBinding", "Role", "reader"), []string{
			"team /pods or rbac.authorization.k8s.io/roles escalate: get", "team /pods or rbac.authorization.k8s.io/rolesreader bind: get",
			"team rbac.authorization.k8s.io/rolebindings: create delete get list patch watch", "team rbac.authorization.k8s.io/roles: create delete get list patch watch",
		}},
		{"a binding to a role that is there", fmt.Sprintf(binding, "RoleBinding", "ClusterRole", "view"), []string{
			"team rbac.authorization.k8s.io/clusterrolesview or /services watch: bind", "team rbac.authorization.k8s.io/rolebindings: create delete get list patch watch",
		}},
		{"a binding to an unknown role", fmt.Sprintf(binding, "ClusterRoleBinding", "ClusterRole", "odd"), []string{
			" rbac.authorization.k8s.io/clusterrolebindings: create", " rbac.authorization.k8s.io/clusterrolebindingsreader: delete get patch",
			" rbac.authorization.k8s.io/clusterrolesodd: bind",
		}},
		{"a binding to a role that grants nothing", fmt.Sprintf(binding, "RoleBinding", "ClusterRole", "empty"), []string{
			"team rbac.authorization.k8s.io/rolebindings: create delete get list patch watch",
		}},
		{"a role that takes in others", "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\naggregationRule: {clusterRoleSelectors: [{}]}", []string{
			" */* or rbac.authorization.k8s.io/clusterroles escalate: *", " /* or rbac.authorization.k8s.io/clusterroles escalate: *",
			" rbac.authorization.k8s.io/clusterroles: create", " rbac.authorization.k8s.io/clusterrolesall: delete get patch",
		}},
	} {
		f := newFacts()
		f.Roles = map[preflight.RoleRef][]rbacv1.PolicyRule{
			{Name: "view"}: {{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"watch"}}}, {Name: "empty"}: nil,
		}
		wants := slices.Concat(base, c.needs)
		NewWithT(t).Expect(needsOf(t, newRequest(c.text), f)).To(ConsistOf(wants), c.why)
	}

	early := newRequest("")
	early.Units = []preflight.Unit{newUnit("web", "web/crds/a.yaml", crd), newUnit("web", "web/templates/a.yaml", route)}
	NewWithT(t).Expect(needsOf(t, early, newFacts())).To(ConsistOf(slices.Concat(base, []string{
		" apiextensions.k8s.io/customresourcedefinitions: create", " apiextensions.k8s.io/customresourcedefinitionsroutes.traefik.io: get",
		"team traefik.io/routes: create delete get list patch watch", "team /persistentvolumeclaims: list patch",
	})), "a CRD that Helm makes first, and an object of it")
}

func TestRoles(t *testing.T) {
	g := NewWithT(t)
	const binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}"
	text := strings.Join([]string{
		fmt.Sprintf(binding, "ClusterRole", "view"), fmt.Sprintf(binding, "ClusterRole", "view"), fmt.Sprintf(binding, "Role", "own"), fmt.Sprintf(binding, "Role", "local"),
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: own}",
	}, "\n---\n")
	requirements, err := preflight.ParseRequest(newRequest(text))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requirements.Roles(newFacts())).To(Equal([]preflight.RoleRef{{Name: "view"}, {Namespace: "team", Name: "local"}}))
}

func TestMissingRights(t *testing.T) {
	g := NewWithT(t)
	text := strings.Join([]string{
		deploymentYAML("web", "", ""), "kind: Namespace\napiVersion: v1\nmetadata: {name: extra}",
		"kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: other}", "kind: Service\napiVersion: v1\nmetadata: {name: web}",
	}, "\n---\n")
	requirements, err := preflight.ParseRequest(newRequest(text))
	g.Expect(err).NotTo(HaveOccurred())
	f := newFacts()
	g.Expect(requirements.Check(f)).To(BeEmpty(), "nothing is missing")

	f.Missing = requirements.Needs(f)
	problems := requirements.Check(f)
	expectProblems(t, "everything is missing", problems,
		want{v1alpha1.ReasonPermissionDenied, false, []string{`service account "installer" lacks 19 permissions (create secrets, create services, create deployments.apps and 16 more) in namespace "team" that app "web" requires; apply the remedy`}},
		want{v1alpha1.ReasonClusterPermissionRequired, false, []string{`app "web" has cluster-scoped objects (Namespace/extra), for which service account "installer" lacks 4 permissions`,
			"(create namespaces; delete, get, patch namespaces (extra)); a cluster administrator must apply the remedy"}},
		want{v1alpha1.ReasonClusterPermissionRequired, false, []string{`app "web" has objects in namespace "other" (ConfigMap/a)`, `an administrator of namespace "other" must apply the remedy`}})
	g.Expect(problems[0].Remedy).To(Equal(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {"name":"appmarket:shop:installer","namespace":"team"}
rules:
- {"verbs":["list"],"apiGroups":[""],"resources":["pods"]}
- {"verbs":["create","delete","get","list","update"],"apiGroups":[""],"resources":["secrets"]}
- {"verbs":["create","delete","get","list","patch","watch"],"apiGroups":[""],"resources":["services"]}
- {"verbs":["create","delete","get","list","patch","watch"],"apiGroups":["apps"],"resources":["deployments"]}
- {"verbs":["list"],"apiGroups":["autoscaling"],"resources":["horizontalpodautoscalers"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {"name":"appmarket:shop:installer","namespace":"team"}
roleRef: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"appmarket:shop:installer"}
subjects:
- {"kind":"ServiceAccount","name":"installer","namespace":"team"}
`))
	role := &rbacv1.ClusterRole{}
	g.Expect(yaml.UnmarshalStrict([]byte(strings.Split(problems[1].Remedy, "---")[0]), role)).To(Succeed())
	g.Expect(role.Kind + " " + role.Name).To(Equal("ClusterRole appmarket:team:shop:installer"))
	g.Expect(role.Rules).To(Equal([]rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{"extra"}, Verbs: []string{"delete", "get", "patch"}},
	}), "no more than these objects")
	g.Expect(problems[2].Remedy).To(ContainSubstring(`{"name":"appmarket:team:shop:installer","namespace":"other"}`))

	f.Missing = f.Missing[len(f.Missing)-1:]
	g.Expect(requirements.Check(f)[0].Remedy).To(Equal(problems[0].Remedy), "the role is whole, whatever is missing")
}

func TestSecretsAreWatchedOnlyToDetectDrift(t *testing.T) {
	for detectsDrift, verbs := range map[bool]string{
		false: `["create","delete","get","list","patch","update"]`, true: `["create","delete","get","list","patch","update","watch"]`,
	} {
		g := NewWithT(t)
		request := newRequest("kind: Secret\napiVersion: v1\nmetadata: {name: web}")
		request.DetectsDrift = detectsDrift
		requirements, err := preflight.ParseRequest(request)
		g.Expect(err).NotTo(HaveOccurred())
		f := newFacts()
		f.Missing = requirements.Needs(f)
		problems := requirements.Check(f)
		g.Expect(problems).To(HaveLen(1))
		g.Expect(problems[0].Remedy).To(ContainSubstring(`- {"verbs":` + verbs + `,"apiGroups":[""],"resources":["secrets"]}`))
	}
}

func TestRemedyOfGrantedRights(t *testing.T) {
	g := NewWithT(t)
	text := "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\nrules: [{apiGroups: [''], resources: [endpoints], verbs: [get]}]"
	requirements, err := preflight.ParseRequest(newRequest(text))
	g.Expect(err).NotTo(HaveOccurred())
	f := newFacts()
	needs := requirements.Needs(f)
	granted := needs[len(needs)-1:]
	f.Missing, f.Replaced = needs[:1], granted
	g.Expect(requirements.Check(f)[0].Remedy).NotTo(ContainSubstring("endpoints"), "the account may grant it by the right to escalate")
	f.Replaced = nil
	g.Expect(requirements.Check(f)[0].Remedy).To(ContainSubstring("endpoints"), "the account has it, perhaps by the role that the remedy replaces")
	f.Missing = granted
	g.Expect(requirements.Check(f)[0].Remedy).To(ContainSubstring("endpoints"))
}

// TestRemedyKeepsNamesApart uses the name of a role that contains a comma.
func TestRemedyKeepsNamesApart(t *testing.T) {
	const named = "reader,cluster-admin"
	for why, text := range map[string]string{
		"a role that is bound":   "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: '" + named + "'}",
		"a role that is granted": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [configmaps], resourceNames: ['" + named + "'], verbs: [get]}]",
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			requirements, err := preflight.ParseRequest(newRequest(text))
			g.Expect(err).NotTo(HaveOccurred())
			f := newFacts()
			f.Missing = requirements.Needs(f)
			var names []string
			for _, problem := range requirements.Check(f) {
				text, _, _ := strings.Cut(problem.Remedy, "---\n")
				var role rbacv1.Role
				g.Expect(yaml.Unmarshal([]byte(text), &role)).To(Succeed())
				for _, rule := range role.Rules {
					names = append(names, rule.ResourceNames...)
				}
			}
			g.Expect(names).To(Equal([]string{named}))
		})
	}
}

func TestRemediesDoNotReplaceEachOther(t *testing.T) {
	g := NewWithT(t)
	names := map[string]bool{}
	for _, w := range []struct{ namespace, instance, account string }{
		{"team", "shop", "installer"}, {"team", "shop-two", "installer"}, {"team", "shop", "two-installer"}, {"team", "shop", "other"}, {"team-shop", "two", "installer"},
	} {
		one := newRequest("kind: Namespace\napiVersion: v1\nmetadata: {name: extra}")
		one.Tenant = release.Tenant{Namespace: w.namespace, ServiceAccount: w.account}
		one.Instance = w.instance
		requirements, err := preflight.ParseRequest(one)
		g.Expect(err).NotTo(HaveOccurred())
		f := newFacts()
		f.Missing = requirements.Needs(f)
		for _, problem := range requirements.Check(f) {
			role, _, _ := strings.Cut(problem.Remedy, "rules:")
			g.Expect(names).NotTo(HaveKey(role))
			names[role] = true
		}
	}
}

func TestAccounts(t *testing.T) {
	g := NewWithT(t)
	missing := func(change func(*preflight.Request, *preflight.Facts)) preflight.Problem {
		w, f := newRequest("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}"), newFacts()
		requirements, err := preflight.ParseRequest(w)
		g.Expect(err).NotTo(HaveOccurred())
		f.Missing = requirements.Needs(f)
		change(&w, f)
		problems := checkRequest(t, w, f)
		g.Expect(problems).To(HaveLen(1))
		return problems[0]
	}
	absent := missing(func(_ *preflight.Request, f *preflight.Facts) { f.AccountMissing = true })
	g.Expect(absent.Reason).To(Equal(v1alpha1.ReasonServiceAccountNotFound))
	g.Expect(absent.Message).To(Equal(`service account "installer" not found in namespace "team"; apply the remedy`))
	g.Expect(absent.Remedy).To(HavePrefix("apiVersion: v1\nkind: ServiceAccount\nmetadata: {\"name\":\"installer\",\"namespace\":\"team\"}\n---\n"))

	unset := missing(func(w *preflight.Request, _ *preflight.Facts) {
		w.Tenant.ServiceAccount, w.DefaultAccount = "default", true
	})
	g.Expect(unset.Reason).To(Equal(v1alpha1.ReasonPermissionDenied))
	g.Expect(unset.Message).To(Equal(`spec.serviceAccountName is not set, and service account "default" lacks 12 permissions (create configmaps, create secrets, delete configmaps and 9 more) that app "web" requires; apply the remedy`))

	few := missing(func(_ *preflight.Request, f *preflight.Facts) { f.Missing = f.Missing[:1] })
	g.Expect(few.Message).To(Equal(`service account "installer" lacks 1 permission (create configmaps) in namespace "team" that app "web" requires; apply the remedy`))
}

func TestAccountThatIsMissingElsewhere(t *testing.T) {
	requirements, err := preflight.ParseRequest(newRequest("kind: Namespace\napiVersion: v1\nmetadata: {name: extra}"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	f := newFacts()
	f.AccountMissing, f.Missing = true, requirements.Needs(f)[:1]
	NewWithT(t).Expect(f.Missing[0].Namespace).To(BeEmpty(), "rights in the namespace are held by a group of accounts")
	expectProblems(t, "the account comes first", requirements.Check(f), want{v1alpha1.ReasonServiceAccountNotFound, false, nil}, want{v1alpha1.ReasonClusterPermissionRequired, false, nil})
}

func TestExistingCRDs(t *testing.T) {
	g := NewWithT(t)
	w := newRequest("")
	w.Units = []preflight.Unit{newUnit("web", "web/crds/a.yaml", crd), newUnit("web", "web/templates/a.yaml", route)}
	requirements, err := preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	kind := schema.GroupKind{Group: "traefik.io", Kind: "Route"}
	g.Expect(requirements.CRDs()).To(Equal([]schema.GroupKind{kind}))
	f := newFacts()
	f.CRDs = map[schema.GroupKind]bool{kind: true}
	g.Expect(needsOf(t, w, f)).NotTo(ContainElement(ContainSubstring("customresourcedefinitions")))
	f.Missing = requirements.Needs(f)
	expectProblems(t, "no administrator is needed", requirements.Check(f), want{v1alpha1.ReasonPermissionDenied, false, nil})

	template := newRequest(crd)
	g.Expect(needsOf(t, template, f)).To(ContainElement(ContainSubstring("customresourcedefinitions")), "a CRD among the templates is one of the release's objects")
}

func TestOwnNamespace(t *testing.T) {
	g := NewWithT(t)
	own, other := "kind: Namespace\napiVersion: v1\nmetadata: {name: team}", "kind: Namespace\napiVersion: v1\nmetadata: {name: other}"
	refused := want{v1alpha1.ReasonInvalidChart, true, []string{"Namespace/team", "contains the namespace that it is installed in"}}
	list := "kind: List\napiVersion: v1\nitems: [{kind: Namespace, apiVersion: v1, metadata: {name: team}}]"
	hook := "kind: Namespace\napiVersion: v1\nmetadata: {name: team, annotations: {helm.sh/hook: pre-install}}"
	for why, text := range map[string]string{"an object": own, "one of a list": list, "a hook": hook} {
		f := newFacts()
		requirements, err := preflight.ParseRequest(newRequest(text))
		g.Expect(err).NotTo(HaveOccurred())
		f.Missing = requirements.Needs(f)
		problems := requirements.Check(f)
		expectProblems(t, why, problems, refused, want{v1alpha1.ReasonPermissionDenied, false, nil})
		g.Expect(problems[1].Remedy).NotTo(ContainSubstring("namespaces"), "the account must not get rights to its own namespace")
	}
	expectProblems(t, "another namespace", checkRequest(t, newRequest(other), newFacts()))

	w := newRequest("")
	w.Existing = []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "Namespace", Name: "team"}}
	g.Expect(needsOf(t, w, newFacts())).NotTo(ContainElement(ContainSubstring("namespaces")), "what an earlier version of the operator has let in")
	expectProblems(t, "an instance that has it", checkRequest(t, w, newFacts()))
}

func TestRemedyIsBounded(t *testing.T) {
	g := NewWithT(t)
	var docs []string
	for i := range 900 {
		docs = append(docs, fmt.Sprintf("kind: Namespace\napiVersion: v1\nmetadata: {name: a-rather-long-name-%d}", i))
	}
	for i := range 20 {
		docs = append(docs, fmt.Sprintf("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: place-%d}", i))
	}
	requirements, err := preflight.ParseRequest(newRequest(strings.Join(docs, "\n---\n")))
	g.Expect(err).NotTo(HaveOccurred())
	f := newFacts()
	f.Missing = requirements.Needs(f)
	problems := requirements.Check(f)
	g.Expect(problems).To(HaveLen(10), "a bounded number of places")
	g.Expect(problems[1].Reason).To(Equal(v1alpha1.ReasonClusterPermissionRequired))
	g.Expect(problems[1].Remedy).To(BeEmpty())
	g.Expect(len(problems[1].Message)).To(BeNumerically("<", 1024))
}

// wideRole returns a Role with four lists of the given length in one rule.
func wideRole(name string, each int) string {
	items := strings.TrimSuffix(strings.Repeat("a,", each), ",")
	return fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %[1]s}\nrules: [{apiGroups: [%[2]s], resources: [%[2]s], verbs: [%[2]s], resourceNames: [%[2]s]}]", name, items)
}

func TestRulesAreBounded(t *testing.T) {
	tooMany := func(role string) want {
		return want{v1alpha1.ReasonLimitExceeded, true, []string{"Role/" + role + ": ", "more than 10000 rules"}}
	}
	expectProblems(t, "a role whose lists multiply", checkRequest(t, newRequest(wideRole("a", 100)), newFacts()), tooMany("a"))
	expectProblems(t, "one whose product is no number any more", checkRequest(t, newRequest(wideRole("a", 1<<16)), newFacts()), tooMany("a"))
	expectProblems(t, "as many as there may be", checkRequest(t, newRequest(wideRole("a", 10)), newFacts()))
	expectProblems(t, "too many in all", checkRequest(t, newRequest(wideRole("a", 9)+"\n---\n"+wideRole("b", 8)+"\n---\n"+wideRole("c", 2)), newFacts()), tooMany("b"))
}

func TestRulesOfBindingsAreBounded(t *testing.T) {
	g := NewWithT(t)
	const binding = "\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\nroleRef: {kind: Role, name: %s}"
	many := slices.Repeat([]string{"a"}, 100)
	f := newFacts()
	f.Roles = map[preflight.RoleRef][]rbacv1.PolicyRule{
		{Namespace: "team", Name: "there"}: {{APIGroups: many, Resources: many, Verbs: many, ResourceNames: many}},
	}
	g.Expect(needsOf(t, newRequest(fmt.Sprintf(binding, "there")), f)).To(ContainElement("team rbac.authorization.k8s.io/rolesthere: bind"), "a role that is there")

	requirements, err := preflight.ParseRequest(newRequest(wideRole("own", 10) + strings.Repeat(fmt.Sprintf(binding, "own"), 100)))
	g.Expect(err).NotTo(HaveOccurred())
	rules := 0
	for _, need := range requirements.Needs(f) {
		rules += len(need.Rules)
	}
	g.Expect(rules).To(BeNumerically("<", 21_000), "one role that is bound to many times")
}
