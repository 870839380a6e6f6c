package chart_test

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestService(t *testing.T) {
	g := NewWithT(t)
	service := findOnly[corev1.Service](t, renderChart(t, "repository.service={type: NodePort, port: 8080, nodePort: 30080, annotations: {a: b}}"), "Service", "appmarket")
	g.Expect(service.Spec.Type).To(Equal(corev1.ServiceTypeNodePort))
	g.Expect(service.Spec.Ports).To(HaveLen(1))
	g.Expect(service.Spec.Ports[0].NodePort).To(BeEquivalentTo(30080))
	g.Expect(service.Spec.Ports[0].Port).To(BeEquivalentTo(8080))
	g.Expect(service.Annotations).To(And(HaveKeyWithValue("a", "b"), HaveKey("catalog.headlamp.dev/name")))
	g.Expect(findOnly[corev1.Service](t, renderChart(t), "Service", "appmarket").Spec.Ports[0].NodePort).To(BeZero())
}

// TestRepositoryOverHTTPS checks every field that depends on the scheme of the repository.
func TestRepositoryOverHTTPS(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t, "repository.tls.secretName=charts-tls", "ingress={enabled: true, hosts: [charts.example.com]}")
	g.Expect(operatorArguments(t, all)).To(ContainElements("--repository-cert-dir=/etc/appmarket/repository-tls",
		"--repository-url=https://appmarket.appmarket-system.svc"))
	pod := findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket").Spec.Template.Spec
	g.Expect(pod.Volumes).To(ContainElement(HaveField("Secret", HaveValue(HaveField("SecretName", "charts-tls")))))
	g.Expect(pod.Containers[0].VolumeMounts).To(ContainElement(And(
		HaveField("MountPath", "/etc/appmarket/repository-tls"), HaveField("ReadOnly", true))))
	port := findOnly[corev1.Service](t, all, "Service", "appmarket").Spec.Ports[0]
	g.Expect(port.Name).To(Equal("https"))
	g.Expect(port.Port).To(BeEquivalentTo(443))
	g.Expect(findOnly[networkingv1.Ingress](t, all, "Ingress", "appmarket").Spec.Rules[0].HTTP.Paths[0].Backend.Service.Port.Name).To(Equal("https"))
	test := findOnly[corev1.Pod](t, all, "Pod", "appmarket-test").Spec
	g.Expect(test.Containers[0].Args).To(ContainElement("https://appmarket.appmarket-system.svc/readyz"))
	g.Expect(test.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "SSL_CERT_DIR", Value: "/etc/appmarket/repository-tls"}))
	for _, item := range test.Volumes[0].Secret.Items {
		g.Expect(item.Key).NotTo(Equal("tls.key"))
	}

	all = renderChart(t, "repository.tls.secretName=charts-tls", "repository.service.port=80")
	g.Expect(operatorArguments(t, all)).To(ContainElement("--repository-url=https://appmarket.appmarket-system.svc:80"))
	all = renderChart(t, "repository.connections=50")
	g.Expect(operatorArguments(t, all)).To(And(ContainElement("--repository-connections=50"), Not(ContainElement(ContainSubstring("cert-dir")))))
	g.Expect(findOnly[corev1.Service](t, all, "Service", "appmarket").Spec.Ports[0].Port).To(BeEquivalentTo(80))
}

func TestIngress(t *testing.T) {
	g := NewWithT(t)
	g.Expect(renderChart(t).ofKind("Ingress")).To(BeEmpty())
	made := findOnly[networkingv1.Ingress](t, renderChart(t, "ingress={enabled: true, className: nginx, annotations: {a: b}, hosts: [charts.example.com, c.example.com], tls: [{secretName: charts-tls, hosts: [charts.example.com]}]}"),
		"Ingress", "appmarket")
	g.Expect(*made.Spec.IngressClassName).To(Equal("nginx"))
	g.Expect(made.Annotations).To(HaveKeyWithValue("a", "b"))
	g.Expect(made.Spec.TLS).To(ConsistOf(networkingv1.IngressTLS{SecretName: "charts-tls", Hosts: []string{"charts.example.com"}}))
	g.Expect(made.Spec.Rules).To(HaveLen(2))
	backend := made.Spec.Rules[0].HTTP.Paths[0].Backend.Service
	service := findOnly[corev1.Service](t, renderChart(t), "Service", backend.Name)
	g.Expect(service.Spec.Ports[0].Name).To(Equal(backend.Port.Name))
}

func TestHTTPRoute(t *testing.T) {
	g := NewWithT(t)
	g.Expect(renderChart(t).ofKind("HTTPRoute")).To(BeEmpty())
	made := renderChart(t, "repository.service.port=8080",
		"httpRoute={enabled: true, annotations: {a: b}, parentRefs: [{name: public, namespace: gateways}], hostnames: [charts.example.com]}").ofKind("HTTPRoute")
	g.Expect(made).To(HaveLen(1))
	g.Expect(made[0].GetAPIVersion()).To(Equal("gateway.networking.k8s.io/v1"))
	g.Expect(made[0].Object["spec"]).To(Equal(map[string]any{
		"parentRefs": []any{map[string]any{"name": "public", "namespace": "gateways"}},
		"hostnames":  []any{"charts.example.com"},
		"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "appmarket", "port": 8080.0}}}},
	}))
}

func TestNetworkPolicy(t *testing.T) {
	policy := func(t *testing.T, values ...string) networkingv1.NetworkPolicy {
		return findOnly[networkingv1.NetworkPolicy](t, renderChart(t, append(values, "networkPolicy.enabled=true")...), "NetworkPolicy", "appmarket")
	}
	t.Run("is off by default", func(t *testing.T) {
		NewWithT(t).Expect(renderChart(t).ofKind("NetworkPolicy")).To(BeEmpty())
	})
	t.Run("admits the repository only", func(t *testing.T) {
		g := NewWithT(t)
		made := policy(t)
		g.Expect(made.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress))
		g.Expect(made.Spec.PodSelector.MatchLabels).To(Equal(operatorDeployment(t).Spec.Selector.MatchLabels))
		g.Expect(made.Spec.Ingress).To(HaveLen(1))
		g.Expect(made.Spec.Ingress[0].Ports[0].Port.String()).To(Equal("repository"))
		g.Expect(made.Spec.Ingress[0].From).To(BeEmpty(), "every peer")
	})
	t.Run("admits metrics where they are served", func(t *testing.T) {
		g := NewWithT(t)
		made := policy(t, "metrics.enabled=true", "networkPolicy.metricsFrom=[{namespaceSelector: {matchLabels: {name: monitoring}}}]")
		g.Expect(made.Spec.Ingress).To(HaveLen(2))
		g.Expect(made.Spec.Ingress[1].Ports[0].Port.String()).To(Equal("metrics"))
		g.Expect(made.Spec.Ingress[1].From[0].NamespaceSelector.MatchLabels).To(HaveKeyWithValue("name", "monitoring"))
	})
	t.Run("admits given peers and the pod of helm test", func(t *testing.T) {
		g := NewWithT(t)
		from := policy(t, "networkPolicy.repositoryFrom=[{namespaceSelector: {}}]").Spec.Ingress[0].From
		g.Expect(from).To(HaveLen(2))
		g.Expect(from[0].NamespaceSelector).NotTo(BeNil())
		all := renderChart(t)
		g.Expect(from[1].PodSelector.MatchLabels).To(Equal(findOnly[corev1.Pod](t, all, "Pod", "appmarket-test").Labels))
	})
	t.Run("limits what the pod reaches", func(t *testing.T) {
		g := NewWithT(t)
		made := policy(t, "networkPolicy.egress=[{ports: [{port: 443}]}]")
		g.Expect(made.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
		g.Expect(made.Spec.Egress).To(HaveLen(1))
	})
	t.Run("names ports of the pod", func(t *testing.T) {
		g := NewWithT(t)
		var names []string
		for _, port := range operatorDeployment(t, "metrics.enabled=true").Spec.Template.Spec.Containers[0].Ports {
			names = append(names, port.Name)
		}
		g.Expect(names).To(ContainElements("repository", "metrics"))
	})
}

// nestedField returns a field of an object.
func nestedField(t *testing.T, o *unstructured.Unstructured, fields ...string) any {
	t.Helper()
	value, found, err := unstructured.NestedFieldNoCopy(o.Object, fields...)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(found).To(BeTrue(), "%v", fields)
	return value
}
