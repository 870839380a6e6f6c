package chart_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/test/env"
)

// bindings are the RoleBindings that name namespaces, by the value that does.
var bindings = map[string]string{
	"tenants": "appmarket-impersonated-accounts", "markets": "appmarket-market-secrets", "readers": "appmarket-reader",
}

// TestBindingsAreRenderedWithoutACluster has helm template and Argo CD, which cannot look a
// namespace up, bind in all of them.
func TestBindingsAreRenderedWithoutACluster(t *testing.T) {
	for value, name := range bindings {
		g := NewWithT(t)
		var places []string
		for _, each := range render(t, value+"=[demo, team]").find("RoleBinding") {
			if each.GetName() == name {
				places = append(places, each.GetNamespace())
			}
		}
		g.Expect(places).To(ConsistOf("demo", "team"), value)
	}
	g := NewWithT(t)
	g.Expect(render(t, "tenants=[demo]").find("ClusterRoleBinding")).NotTo(ContainElement(HaveField("GetName()", bindings["tenants"])))
}

// TestMissingNamespacesDoNotFailAnUpgrade installs and upgrades the chart on a real API
// server, with namespaces that do not exist yet, and that are gone.
func TestMissingNamespacesDoNotFailAnUpgrade(t *testing.T) {
	server := env.Start(t)
	config := kubeconfig(t, server)
	for name, program := range helms(t) {
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
				for value, binding := range bindings {
					err := server.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: binding}, &rbacv1.RoleBinding{})
					g.Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
					g.Expect(err == nil).To(Equal(bound), value)
				}
			}
			args := []string{"install", "appmarket", path(t, "charts", "appmarket"), "--skip-crds"}
			for value := range bindings {
				args = append(args, "--set", value+"={"+there+","+late+"}")
			}
			notes := helm(args...)
			defer helm("uninstall", "appmarket")
			for value := range bindings {
				g.Expect(notes).To(ContainSubstring("There is no namespace " + late + ", which the value " + value + " names."))
			}
			g.Expect(notes).NotTo(ContainSubstring("no namespace " + there))
			expectBound(there, true)
			expectBound(late, false)

			server.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: late}})
			notes = helm("upgrade", "appmarket", path(t, "charts", "appmarket"), "--reset-then-reuse-values")
			g.Expect(notes).NotTo(ContainSubstring("There is no namespace"))
			expectBound(late, true)
		})
	}
}
