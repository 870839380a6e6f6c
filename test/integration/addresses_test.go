package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// pagesService is a template with a Service that is named after the release.
const pagesService = `apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {type: "{{ .Values.type | default "ClusterIP" }}", selector: {app: web}, ports: [{name: http, port: 80}]}
`

// pagesIngress is a template with an Ingress to that Service.
const pagesIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: "{{ .Release.Name }}-front"}
spec:
  tls: [{hosts: ["{{ .Release.Namespace }}.example.org"]}]
  rules:
  - host: "{{ .Release.Namespace }}.example.org"
    http: {paths: [{path: /pages, pathType: Prefix, backend: {service: {name: "{{ .Release.Name }}", port: {name: http}}}}]}
`

// routeCRD is the CRD of HTTPRoutes without their schema.
const routeCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for tests"}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: HTTPRoute, plural: httproutes}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// withEntrances returns an app with one Service for all of its entrances, which are in the flow style
// of YAML.
func withEntrances(name, entrances string) fixture.Chart {
	more := "entrances: " + entrances + "\noptions: {allowMultipleInstall: true}\n"
	return fixture.App(name, fixture.Files{"templates/service.yaml": pagesService}, more)
}

// restartOperatorWith restarts the operator with additional flags until the spec ends.
func restartOperatorWith(flags ...string) {
	GinkgoHelper()
	args := operator.Args
	DeferCleanup(func() {
		operator.Stop()
		operator.Args = args
		operator.Start()
	})
	operator.Stop()
	operator.Args = slices.Concat(args, flags)
	operator.Start()
}

// entranceURLs returns the URLs of the entrances of an instance by name.
func entranceURLs(ctx context.Context, t *fixture.Tenant, instance string) map[string]string {
	GinkgoHelper()
	urls := map[string]string{}
	for _, entrance := range t.Instance(ctx, instance).Status.Entrances {
		urls[entrance.Name] = entrance.URL
	}
	return urls
}

var _ = Describe("A plain chart without declared entrances", func() {
	It("has the URL of its Ingress", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "pages", Version: "1.0.0", Files: fixture.Files{"templates/service.yaml": pagesService, "templates/ingress.yaml": pagesIngress}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "pages")
		Expect(t.Instance(ctx, "pages").Status.Entrances).To(Equal([]v1alpha1.Entrance{
			{Name: "pages-front", Kind: "Ingress", Host: "pages", Port: 80, URL: "https://" + t.Namespace + ".example.org/pages"},
		}))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "pages")
		Expect(t.Instance(ctx, "pages").Status.Entrances).To(BeEmpty())
	})

	It("gets the address of its load balancer as soon as it is assigned", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "pages", Version: "1.0.0", Files: fixture.Files{"templates/service.yaml": pagesService}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "pages", fixture.Values(map[string]any{"type": "LoadBalancer"}))
		Expect(entranceURLs(ctx, t, "pages")).To(Equal(map[string]string{"pages": ""}))
		for _, address := range []string{"192.0.2.7", "192.0.2.8"} {
			service := &corev1.Service{}
			t.Get(ctx, service, "pages")
			service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
			Expect(t.Client.Status().Update(ctx, service)).To(Succeed())
			Eventually(func() map[string]string { return entranceURLs(ctx, t, "pages") }).
				WithContext(ctx).Should(Equal(map[string]string{"pages": "http://" + address + "/"}))
		}
	})
})

var _ = Describe("An app in a market with Ingresses", Serial, func() {
	BeforeEach(func() {
		restartOperatorWith("--address-type=Ingress", "--address-host-template={entrance}-{instance}-{namespace}.apps.example.com",
			"--address-scheme=https", "--address-tls-secret={host}-tls", "--address-annotation=cert-manager.io/cluster-issuer=public")
	})

	// newMarketApp offers an app in the tenant's namespace.
	newMarketApp := func(ctx SpecContext, charts ...fixture.Chart) *fixture.Tenant {
		GinkgoHelper()
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(charts...)
		t.AddSource(ctx, repository, fixture.AsOlares)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		return t
	}

	It("gets an address for each visible entrance until it is uninstalled", func(ctx SpecContext) {
		t := newMarketApp(ctx, withEntrances("wiki", "[{name: web, host: wiki, port: 80}, {name: admin, host: wiki, port: 80, invisible: true}]"))
		plan := t.Succeed(ctx, v1alpha1.ActionInstall, "wiki", func(s *v1alpha1.AppInstallTaskSpec) { s.DryRun = new(true) }).Task.Status.Plan
		Expect(plan.Objects).To(ContainElement(HaveField("Object", And(HaveField("Kind", "Ingress"), HaveField("Name", "wiki.web")))))

		t.Succeed(ctx, v1alpha1.ActionInstall, "wiki")
		ingress := &networkingv1.Ingress{}
		t.Get(ctx, ingress, "wiki.web")
		host := ingress.Spec.Rules[0].Host
		Expect(host).To(MatchRegexp(`^web-wiki-` + t.Namespace + `-[a-z2-7]{16}\.apps\.example\.com$`))
		Expect(ingress.Spec.TLS).To(Equal([]networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: host + "-tls"}}))
		Expect(ingress.Annotations).To(And(HaveKeyWithValue("cert-manager.io/cluster-issuer", "public"), HaveKeyWithValue(v1alpha1.EntranceAnnotation, "web")))
		Expect(entranceURLs(ctx, t, "wiki")).To(Equal(map[string]string{"web": "https://" + host + "/", "admin": ""}))
		Expect(t.Names(ctx, "ingresses")).To(Equal([]string{"wiki.web"}))

		By("stopping and resuming")
		t.Succeed(ctx, v1alpha1.ActionStop, "wiki")
		t.Succeed(ctx, v1alpha1.ActionResume, "wiki")
		Expect(entranceURLs(ctx, t, "wiki")).To(HaveKeyWithValue("web", "https://"+host+"/"))

		By("uninstalling")
		t.Succeed(ctx, v1alpha1.ActionUninstall, "wiki")
		Expect(t.Names(ctx, "ingresses")).To(BeEmpty())
		Expect(entranceURLs(ctx, t, "wiki")).To(BeEmpty())
	})

	It("gets other hosts for each instance, also if the names of two are joined to the same text", func(ctx SpecContext) {
		t := newMarketApp(ctx, withEntrances("notes", "[{name: c, host: notes, port: 80}, {name: b-c, host: notes, port: 80}]"))
		hosts := map[string]bool{}
		for _, instance := range []string{"a-b", "a"} {
			t.Succeed(ctx, v1alpha1.ActionInstall, "notes", fixture.As(instance))
			for _, url := range entranceURLs(ctx, t, instance) {
				Expect(url).To(HavePrefix("https://"))
				Expect(hosts).NotTo(HaveKey(url))
				hosts[url] = true
			}
		}
		Expect(hosts).To(HaveLen(4))
		Expect(t.Names(ctx, "ingresses")).To(ConsistOf("a-b.c", "a-b.b-c", "a.c", "a.b-c"))
	})

	It("cannot use the names and the number of its entrances for an attack", func(ctx SpecContext) {
		var names []string
		for _, name := range []string{"web", "../../etc", "a: b\n---\nkind: Secret", "{{ .Values }}", "bank.example.com/x?", strings.Repeat("x", 200)} {
			names = append(names, fmt.Sprintf("{name: %q, title: %q, host: wiki, port: 80}", name, "<script>alert(1)</script>\x1b[31m"))
		}
		for i := range 58 {
			names = append(names, fmt.Sprintf("{name: more%d, host: wiki, port: 80}", i))
		}
		t := newMarketApp(ctx, withEntrances("wiki", "["+strings.Join(names, ", ")+"]"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "wiki")
		entrances := t.Instance(ctx, "wiki").Status.Entrances
		Expect(entrances).To(HaveLen(50))
		hosts := map[string]bool{}
		for _, entrance := range entrances {
			Expect(entrance.URL).To(MatchRegexp(`^https://[a-z0-9-]+\.apps\.example\.com/$`), "%q", entrance.Name)
			hosts[entrance.URL] = true
		}
		Expect(hosts).To(HaveLen(50))
		Expect(t.Names(ctx, "ingresses")).To(HaveLen(50))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "wiki")
		Expect(t.Names(ctx, "ingresses")).To(BeEmpty())
	})
})

var _ = Describe("An app in a market with HTTPRoutes", Serial, func() {
	It("needs the Gateway API, and gets an HTTPRoute until it is uninstalled", func(ctx SpecContext) {
		restartOperatorWith("--address-type=HTTPRoute", "--address-host-template={entrance}.{instance}.{namespace}.apps.example.com",
			"--address-scheme=https", "--address-gateway=gateways/public", "--address-plain-charts")
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "pages", Version: "1.0.0", Files: fixture.Files{"templates/service.yaml": pagesService}})
		end := t.Do(ctx, v1alpha1.ActionInstall, "pages")
		Expect(end.Status).To(Equal(metav1.ConditionFalse))
		Expect(end.Message).To(ContainSubstring(`no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"`))

		t.Apply(ctx, routeCRD)
		DeferCleanup(func(ctx SpecContext) { t.Kubectl(ctx, "delete", "crd", "httproutes.gateway.networking.k8s.io") })
		t.WaitEstablished(ctx, "httproutes.gateway.networking.k8s.io")
		t.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{"gateway.networking.k8s.io"}, Resources: []string{"httproutes"}, Verbs: []string{"*"}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "pages")
		host := "pages.pages." + t.Namespace + ".apps.example.com"
		Expect(t.Instance(ctx, "pages").Status.Entrances).To(Equal([]v1alpha1.Entrance{
			{Name: "pages", Kind: "HTTPRoute", Host: "pages", Port: 80, URL: "https://" + host + "/"},
		}))
		Expect(t.Kubectl(ctx, "get", "httproutes", "pages.pages", "--namespace", t.Namespace, "--output", "jsonpath={.spec.hostnames[0]} {.spec.parentRefs[0].namespace}/{.spec.parentRefs[0].name}")).
			To(Equal(host + " gateways/public"))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "pages")
		Expect(t.Names(ctx, "httproutes")).To(BeEmpty())
	})
})
