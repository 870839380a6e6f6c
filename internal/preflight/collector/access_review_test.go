package collector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	authorizationv1 "k8s.io/api/authorization/v1"

	corev1 "k8s.io/api/core/v1"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/health"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/testenv"
)

// templates are the templates of an app with many kinds of objects. %s is a cluster-wide name.
var templates = []string{
	deploymentYAML("cpu: 10m"),
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}",
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}",
	"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}",
	"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
	"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {serviceName: db, selector: {matchLabels: {a: c}}, template: {metadata: {labels: {a: c}}, spec: {containers: [{name: a, image: a}]}}, volumeClaimTemplates: [{metadata: {name: disk}, spec: {storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}",
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}",
	"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: web}\nrules: [{apiGroups: [''], resources: [endpoints, pods/log], verbs: [get, watch]}]",
	"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: web}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}\nsubjects: [{kind: ServiceAccount, name: web}]",
	"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: monitor}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:monitoring'}\nsubjects: [{kind: ServiceAccount, name: web}]",
	"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: %[1]s}\nrules: [{apiGroups: [''], resources: [nodes], verbs: [list]}, {nonResourceURLs: [/metrics], verbs: [get]}]",
	"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: %[1]s}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}\nsubjects: [{kind: ServiceAccount, name: web, namespace: %[2]s}]",
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far, namespace: %[3]s}",
}

// namedTemplates returns the templates with cluster-wide names.
func namedTemplates(tenant release.Tenant, other string) []string {
	var all []string
	for _, text := range templates {
		if strings.Contains(text, "%[") {
			text = fmt.Sprintf(text+"\n# %[1]s%[2]s%[3]s", "app-"+tenant.Namespace, tenant.Namespace, other)
		}
		all = append(all, text)
	}
	return all
}

// TestRemedySuffices applies the remedies of preflight to an account without permissions, and
// then performs all operations of Helm and of the health watcher.
func TestRemedySuffices(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant, other := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "new"}, server.Namespace(t, nil)
	texts := namedTemplates(tenant, other)
	w := newRequest(tenant, texts...)
	c := newCollector(t, server)
	problems, err := c.Check(t.Context(), w)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(problems).To(HaveLen(3), "problems of the namespace, the cluster and the other namespace")
	g.Expect(problems[0].Reason).To(Equal(v1alpha1.ReasonServiceAccountNotFound))
	for _, problem := range problems {
		g.Expect(problem.Final).To(BeFalse())
		t.Log(problem.Message)
		applyRemedy(t, server, problem.Remedy)
	}
	g.Eventually(func() ([]preflight.Problem, error) { return c.Check(t.Context(), w) }).Should(BeEmpty())

	clients, err := helmrelease.NewClients(server.Config, server.Mapper)
	g.Expect(err).NotTo(HaveOccurred())
	as := clients.For(tenant, nil)
	spec := release.Spec{Name: "web", Labels: map[string]string{"appmarket.io/instance": "web"}, Render: fixture.Rendering(clients, tenant, "web", chartFiles(texts), nil)}
	installed, err := as.Install(t.Context(), spec)
	g.Expect(err).NotTo(HaveOccurred())
	spec.Values = map[string]any{"changed": true}
	spec.Render = fixture.Rendering(clients, tenant, "web", chartFiles(texts[1:]), spec.Values)
	upgraded, err := as.Upgrade(t.Context(), spec)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(len(upgraded.Objects)).To(BeNumerically("<", len(installed.Objects)))

	watcher := health.NewWatcher(server.Config, server.Mapper, make(chan event.GenericEvent, 10))
	defer watcher.Close()
	instance := types.NamespacedName{Namespace: tenant.Namespace, Name: "web"}
	g.Expect(watcher.Track(t.Context(), instance, tenant, upgraded.Objects, false)).To(Succeed())
	g.Eventually(func() (bool, error) {
		current, synced, err := watcher.Health(t.Context(), instance)
		g.Expect(current.Message).NotTo(ContainSubstring("may not"))
		return synced, err
	}).Should(BeTrue())

	claims, err := as.ListRetained(t.Context(), "web")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claims).To(HaveLen(1))
	g.Expect(as.Uninstall(t.Context(), release.Removal{Name: "web"})).To(Succeed())
	g.Expect(as.DeleteKept(t.Context(), claims)).To(Succeed())
}

// chartFiles returns the files of a chart with these templates.
func chartFiles(texts []string) []chart.File {
	files := []chart.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}}
	for i, text := range texts {
		files = append(files, chart.File{Name: fmt.Sprintf("templates/%d.yaml", i), Data: []byte(text)})
	}
	return files
}

func TestRightsOfNoneAndOfAnAdministrator(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant, other := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "default"}, server.Namespace(t, nil)
	demand, err := preflight.ParseRequest(newRequest(tenant, namedTemplates(tenant, other)...))
	g.Expect(err).NotTo(HaveOccurred())
	facts := stateOf(t, server, demand)
	needs := demand.Needs(facts)
	rights, err := newCollector(t, server).Rights(t.Context(), tenant, needs)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rights.Missing).To(Equal(needs), "an account without permissions")
	admin := createAdministrator(t, server)
	g.Eventually(func() (preflight.Rights, error) { return newCollector(t, server).Rights(t.Context(), admin, needs) }).Should(BeZero())
}

// stateOf returns a state with the kinds of a demand.
func stateOf(t *testing.T, server *testenv.Env, demand *preflight.Requirements) *preflight.Facts {
	t.Helper()
	facts := &preflight.Facts{Kinds: map[schema.GroupVersionKind]preflight.Kind{}}
	for _, gvk := range demand.Kinds() {
		mapping, err := server.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		facts.Kinds[gvk] = preflight.Kind{Resource: mapping.Resource.Resource, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace}
	}
	return facts
}

func policyRule(group, resource, verb string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}, ResourceNames: names}
}

// ruleHidingTransport removes all rules from rules reviews, as authorizers other than RBAC do.
type ruleHidingTransport struct{ next http.RoundTripper }

func (s ruleHidingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "selfsubjectrulesreviews") {
		return response, err
	}
	defer response.Body.Close()
	review := &authorizationv1.SelfSubjectRulesReview{}
	if err := json.NewDecoder(response.Body).Decode(review); err != nil {
		return nil, err
	}
	review.Status = authorizationv1.SubjectRulesReviewStatus{
		Incomplete: true, ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{},
	}
	text, err := json.Marshal(review)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return response, err
}

func TestMissingRights(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant, other := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "some"}, server.Namespace(t, nil)
	server.Allow(t, tenant.Namespace, tenant.ServiceAccount, policyRule("apps", "deployments", "get"), policyRule("", "pods/log", "get"), policyRule("", "secrets", "list"),
		policyRule("", "configmaps", "get", "mine"), policyRule(rbacv1.GroupName, "clusterroles", "bind", "view"))
	need := func(namespace string, rules ...rbacv1.PolicyRule) preflight.Need {
		return preflight.Need{Namespace: namespace, Rules: rules}
	}
	instead := func(n preflight.Need, rules ...rbacv1.PolicyRule) preflight.Need {
		n.Instead = rules
		return n
	}
	address := rbacv1.PolicyRule{NonResourceURLs: []string{"/healthz"}, Verbs: []string{"get"}}
	hidden := rbacv1.PolicyRule{NonResourceURLs: []string{"/debug"}, Verbs: []string{"get"}}
	own := tenant.Namespace
	for _, c := range []struct {
		why  string
		need preflight.Need
		held bool
	}{
		{"a permission that the account has", need(own, policyRule("apps", "deployments", "get")), true},
		{"another verb", need(own, policyRule("apps", "deployments", "list")), false},
		{"another group", need(own, policyRule("", "deployments", "get")), false},
		{"another namespace", need(other, policyRule("apps", "deployments", "get")), false},
		{"the whole cluster", need("", policyRule("apps", "deployments", "get")), false},
		{"a subresource", need(own, policyRule("", "pods/log", "get")), true},
		{"the resource of a subresource", need(own, policyRule("", "pods", "get")), false},
		{"one name", need(own, policyRule("", "configmaps", "get", "mine")), true},
		{"another name", need(own, policyRule("", "configmaps", "get", "theirs")), false},
		{"every name", need(own, policyRule("", "configmaps", "get")), false},
		{"all of several", need(own, policyRule("apps", "deployments", "get"), policyRule("", "secrets", "list")), true},
		{"one of several", need(own, policyRule("apps", "deployments", "get"), policyRule("", "secrets", "get")), false},
		{"what suffices instead", instead(need(own, policyRule("", "nodes", "get")), policyRule(rbacv1.GroupName, "clusterroles", "bind", "view")), true},
		{"a part of the sufficient alternative", instead(need(own, policyRule("", "nodes", "get")), policyRule("apps", "deployments", "get"), policyRule("", "pods", "get")), false},
		{"a non-resource URL that every account may read", need("", address), true},
		{"a non-resource URL", need("", hidden), false},
		{"a permission of every account", need("", policyRule("authorization.k8s.io", "selfsubjectaccessreviews", "create")), true},
	} {
		for _, returned := range []bool{true, false} {
			cl := newCollector(t, server, func(config *rest.Config) {
				config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
				if !returned {
					config.Wrap(func(next http.RoundTripper) http.RoundTripper { return ruleHidingTransport{next} })
				}
			})
			rights, err := cl.Rights(t.Context(), tenant, []preflight.Need{c.need})
			g.Expect(err).NotTo(HaveOccurred())
			if c.held {
				g.Expect(rights.Missing).To(BeEmpty(), "%s, rules returned: %t", c.why, returned)
			} else {
				g.Expect(rights.Missing).To(Equal([]preflight.Need{c.need}), "%s, rules returned: %t", c.why, returned)
			}
		}
	}
}

// TestBindingToHeldRules binds to a role whose permissions every account has.
func TestBindingToHeldRules(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "some"}
	all := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "pods", "events"}, Verbs: []string{"*"}}
	bindings := rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: []string{"create", "get", "list", "patch", "watch", "delete"}}
	server.Allow(t, tenant.Namespace, tenant.ServiceAccount, all, bindings)
	to := func(role string) string {
		return "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: '" + role + "'}"
	}
	g.Expect(checkReasons(t.Context(), newCollector(t, server), newRequest(tenant, to("system:basic-user")))).To(BeEmpty())
	for _, role := range []string{"cluster-admin", "not-there"} {
		problems, err := newCollector(t, server).Check(t.Context(), newRequest(tenant, to(role)))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(problems).To(HaveLen(1), role)
		g.Expect(problems[0].Remedy).To(ContainSubstring(`{"verbs":["bind"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"resourceNames":["`+role+`"]}`),
			"the remedy contains only the binding")
	}
}

// TestRulesOfAMissingAccount binds permissions to all accounts of a namespace, including accounts
// that do not exist.
func TestRulesOfAMissingAccount(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	ghost := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "ghost"}
	server.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ghost.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts:" + ghost.Namespace}},
	})
	w := newRequest(ghost)
	w.RightsOnly = true
	g.Eventually(func() ([]string, error) { return checkReasons(t.Context(), newCollector(t, server), w) }).
		Should(Equal([]string{v1alpha1.ReasonServiceAccountNotFound}))
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ghost.Namespace, Name: ghost.ServiceAccount}})
	g.Expect(checkReasons(t.Context(), newCollector(t, server), w)).To(BeEmpty())
}
