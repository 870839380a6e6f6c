package chart_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/test/testenv"
)

// bindings are the RoleBindings in the namespaces of a value: the value by the name of the binding.
var bindings = map[string]string{
	"appmarket-impersonated-accounts": "tenants", "appmarket-reader": "readers",
	"appmarket-market-secrets": "marketNamespaces", "appmarket-market-artifacts": "marketNamespaces", "appmarket-browser": "marketNamespaces",
}

// bindingValues are the values that enable the bindings in the market namespaces.
var bindingValues = []string{"marketSecrets=true", "marketArtifacts=true", "marketBrowsers=[{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]"}

// TestBindingsAreRenderedWithoutACluster checks that helm template and Argo CD, which cannot look
// up a namespace, render the bindings for all namespaces.
func TestBindingsAreRenderedWithoutACluster(t *testing.T) {
	for name, value := range bindings {
		g := NewWithT(t)
		var places []string
		for _, each := range renderChart(t, append(bindingValues, value+"=[demo, team]")...).ofKind("RoleBinding") {
			if each.GetName() == name {
				places = append(places, each.GetNamespace())
			}
		}
		g.Expect(places).To(ConsistOf("demo", "team"), value)
	}
	g := NewWithT(t)
	g.Expect(renderChart(t, "tenants=[demo]").ofKind("ClusterRoleBinding")).NotTo(ContainElement(HaveField("GetName()", "appmarket-impersonated-accounts")))
}

// TestMissingNamespacesDoNotFailAnUpgrade installs and upgrades the chart on a real API server with
// namespaces that do not exist yet or have been deleted.
func TestMissingNamespacesDoNotFailAnUpgrade(t *testing.T) {
	server := testenv.Start(t)
	config := writeKubeconfig(t, server)
	for name, program := range helmClients(t) {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			system, there := server.Namespace(t, nil), server.Namespace(t, nil)
			late := "late-" + there
			helm := func(args ...string) string {
				out, complaint, err := runHelm(t, program, append(args, "--kubeconfig", config, "--namespace", system)...)
				g.Expect(err).NotTo(HaveOccurred(), complaint)
				return strings.Join(strings.Fields(out), " ")
			}
			expectBound := func(namespace string, bound bool) {
				for binding, value := range bindings {
					err := server.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: binding}, &rbacv1.RoleBinding{})
					g.Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
					g.Expect(err == nil).To(Equal(bound), value)
				}
			}
			args := []string{"install", "appmarket", modulePath(t, "charts", "appmarket"), "--skip-crds", "--values", valuesFile(t, bindingValues)}
			for _, value := range bindings {
				args = append(args, "--set", value+"={"+there+","+late+"}")
			}
			notes := helm(args...)
			defer helm("uninstall", "appmarket")
			for _, value := range bindings {
				g.Expect(notes).To(ContainSubstring("The namespace " + late + " in the value " + value + " does not exist"))
			}
			g.Expect(notes).NotTo(ContainSubstring("The namespace " + there + " "))
			expectBound(there, true)
			expectBound(late, false)

			server.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: late}})
			notes = helm("upgrade", "appmarket", modulePath(t, "charts", "appmarket"), "--reset-then-reuse-values")
			g.Expect(notes).NotTo(ContainSubstring("does not exist"))
			expectBound(late, true)
		})
	}
}

// TestMarketsHaveNoBindingsByDefault checks that the market namespace of the samples, which may not
// exist, gets no RoleBinding by default.
func TestMarketsHaveNoBindingsByDefault(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t)
	g.Expect(operatorArguments(t, all)).To(ContainElement("--market-namespaces=market"))
	for _, each := range all.ofKind("RoleBinding") {
		g.Expect(each.GetNamespace()).To(Equal(namespace), each.GetName())
	}
	g.Expect(operatorArguments(t, renderChart(t, "marketNamespaces=[b, a]", "allowedDirectories=[a=/x, /y]"))).To(
		ContainElements("--market-namespaces=b,a", "--allowed-directories=a=/x,/y"), "in the order that is given")
	g.Expect(operatorArguments(t, renderChart(t, "marketNamespaces=[]"))).NotTo(ContainElement(HavePrefix("--market-namespaces")))
}

// TestMarketRoleIsNotAggregatedByDefault checks that the role of market administrators is
// aggregated to admin only if a value enables it.
func TestMarketRoleIsNotAggregatedByDefault(t *testing.T) {
	const aggregated = "rbac.authorization.k8s.io/aggregate-to-admin"
	for name, c := range map[string]struct {
		all  objects
		want []string
	}{
		"chart":                    {renderChart(t), nil},
		"chart that aggregates":    {renderChart(t, "aggregateMarketAdmin=true"), []string{"appmarket-market-admin"}},
		"chart that has no others": {renderChart(t, "aggregateMarketAdmin=true", "aggregateRoles=false"), []string{"appmarket-market-admin"}},
		"manifests":                {buildKustomization(t, "default"), nil},
	} {
		var found []string
		for _, role := range c.all.ofKind("ClusterRole") {
			if role.GetLabels()[aggregated] == "true" {
				found = append(found, role.GetName())
				NewWithT(t).Expect(role.Object["rules"]).NotTo(ContainElement(HaveKeyWithValue("verbs", ContainElement("administer"))), name)
			}
		}
		NewWithT(t).Expect(found).To(Equal(c.want), name)
	}
}
