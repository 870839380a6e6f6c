package chart_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
)

// addressFlags returns the arguments of the operator about addresses.
func addressFlags(t *testing.T, all objects) []string {
	t.Helper()
	var flags []string
	for _, argument := range operatorArguments(t, all) {
		if strings.HasPrefix(argument, "--address") {
			flags = append(flags, argument)
		}
	}
	return flags
}

func TestAddresses(t *testing.T) {
	g := NewWithT(t)
	g.Expect(addressFlags(t, renderChart(t))).To(BeEmpty())
	g.Expect(addressFlags(t, renderChart(t, "addresses={type: Ingress, hostTemplate: '{entrance}.{instance}.{namespace}.apps.example.com', scheme: https, "+
		"ingressClassName: nginx, tlsSecretName: '{host}', annotations: {cert-manager.io/cluster-issuer: public, note: 'a=b, \"c\"'}, plainCharts: true}"))).To(Equal([]string{
		"--address-type=Ingress", "--address-host-template={entrance}.{instance}.{namespace}.apps.example.com", "--address-scheme=https",
		"--address-ingress-class=nginx", "--address-tls-secret={host}", "--address-annotation=cert-manager.io/cluster-issuer=public",
		"--address-annotation=note=a=b, \"c\"", "--address-plain-charts",
	}))

	const routes = "addresses={type: HTTPRoute, hostTemplate: '{instance}.example.com', gateway: {name: public, namespace: gateways, sectionName: web}}"
	all := renderChart(t, routes)
	g.Expect(addressFlags(t, all)).To(ContainElement("--address-gateway=gateways/public/web"))
	role := findOnly[rbacv1.ClusterRole](t, all, "ClusterRole", "appmarket-route-editor")
	g.Expect(role.Labels).To(HaveKeyWithValue("rbac.authorization.k8s.io/aggregate-to-edit", "true"))
	g.Expect(role.Rules).To(ConsistOf(And(HaveField("APIGroups", []string{"gateway.networking.k8s.io"}), HaveField("Resources", []string{"httproutes"}))))
	g.Expect(findOnly[rbacv1.ClusterRole](t, renderChart(t, routes, "aggregateRoles=false"), "ClusterRole", "appmarket-route-editor").Labels).
		NotTo(HaveKey("rbac.authorization.k8s.io/aggregate-to-edit"))
}
