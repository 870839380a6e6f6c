package integration_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/mutualtls"
	"github.com/appmarket/operator/test/proxyserver"
)

// hideBehindProxy serves another server with TLS for clients with a certificate of the authority. Only the
// proxy can resolve its name.
func hideBehindProxy(proxy *proxyserver.Proxy, authority *mutualtls.Authority, name, server string) {
	GinkgoHelper()
	target, err := url.Parse(server)
	Expect(err).NotTo(HaveOccurred())
	hidden := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	hidden.TLS, hidden.Config.ErrorLog = authority.ServerConfig(GinkgoTB(), tls.RequireAndVerifyClientCert, name), log.New(io.Discard, "", 0)
	hidden.StartTLS()
	DeferCleanup(hidden.Close)
	proxy.Hosts[name+":443"] = hidden.Listener.Addr().String()
}

// createTransportSecrets creates the Secrets proxy and cert of a tenant.
func createTransportSecrets(ctx context.Context, t *fixture.Tenant, proxy *proxyserver.Proxy, servers, clients *mutualtls.Authority) {
	GinkgoHelper()
	certificate, key := clients.Issue(GinkgoTB(), "market")
	for name, data := range map[string]map[string]string{
		"proxy": {"address": proxy.URL, "username": "me", "password": proxy.Password},
		"cert":  {"ca.crt": string(servers.PEM), "tls.crt": string(certificate), "tls.key": string(key)},
	} {
		Expect(t.Client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name, Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
			StringData: data,
		})).To(Succeed())
	}
}

var _ = Describe("A source behind a proxy that requires a client certificate", func() {
	var proxy *proxyserver.Proxy
	var authority *mutualtls.Authority
	BeforeEach(func() {
		proxy, authority = proxyserver.Start(GinkgoTB(), nil), mutualtls.NewAuthority(GinkgoTB())
		proxy.Username, proxy.Password = "me", "proxy-passw0rd"
	})
	applySource := func(ctx context.Context, t *fixture.Tenant, spec string) {
		GinkgoHelper()
		t.Apply(ctx, "apiVersion: appmarket.io/v1alpha1\nkind: MarketSource\nmetadata: {name: charts}\nspec: "+spec)
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts"}}
	}

	It("offers the charts of a Helm repository", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(siteChart("1.0.0"))
		hideBehindProxy(proxy, authority, "charts.example", repository.URL)
		createTransportSecrets(ctx, t, proxy, authority, authority)
		applySource(ctx, t, `{type: Helm, helm: {url: "https://charts.example", certSecretRef: {name: cert}, proxySecretRef: {name: proxy}}}`)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(proxy.TakeRequests()).To(And(Not(BeEmpty()), ContainElement("CONNECT charts.example:443")))
	})

	It("offers the charts of a registry", func(ctx SpecContext) {
		t := newTenant(ctx)
		registry := startChartRegistry()
		pushChart(ctx, t, siteChart("1.0.0"), registry+"/charts")
		hideBehindProxy(proxy, authority, "registry.example", "http://"+registry)
		createTransportSecrets(ctx, t, proxy, authority, authority)
		applySource(ctx, t, `{type: OCI, oci: {url: "oci://registry.example/charts/site", certSecretRef: {name: cert}, proxySecretRef: {name: proxy}}}`)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(proxy.TakeRequests()).To(ContainElement("CONNECT registry.example:443"))
	})

	It("names the Secret that is wrong, and continues when it is corrected", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(siteChart("1.0.0"))
		hideBehindProxy(proxy, authority, "charts.example", repository.URL)
		createTransportSecrets(ctx, t, proxy, authority, mutualtls.NewAuthority(GinkgoTB()))
		applySource(ctx, t, `{type: Helm, helm: {url: "https://charts.example", certSecretRef: {name: cert}, proxySecretRef: {name: proxy}}}`)
		expectProblem := func(reason, text string) {
			GinkgoHelper()
			var reachable *metav1.Condition
			Eventually(func(g Gomega) {
				g.Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(t.Source), t.Source)).To(Succeed())
				reachable = meta.FindStatusCondition(t.Source.Status.Conditions, v1alpha1.ConditionReachable)
				g.Expect(reachable).To(HaveValue(And(HaveField("Reason", reason), HaveField("Message", ContainSubstring(text)))))
			}).WithContext(ctx).Should(Succeed())
			Expect(reachable.Message).NotTo(ContainSubstring("passw0rd"))
			t.RecordMessage(reason + ": " + reachable.Message)
		}
		synchronize := func(request string) {
			GinkgoHelper()
			Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(t.Source), t.Source)).To(Succeed())
			t.Patch(ctx, t.Source, func() { t.Source.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: request} })
		}
		change := func(name, key, value string) {
			GinkgoHelper()
			secret := &corev1.Secret{}
			Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, secret)).To(Succeed())
			secret.Data[key] = []byte(value)
			Expect(t.Client.Update(ctx, secret)).To(Succeed())
		}
		expectProblem(v1alpha1.ReasonUnauthorized, "check the client certificate in the Secret of spec.helm.certSecretRef")

		change("proxy", "password", "wr0ng-passw0rd")
		synchronize("first")
		expectProblem(v1alpha1.ReasonUnauthorized, "check the credentials in the Secret of spec.helm.proxySecretRef")

		change("proxy", "address", "proxy.example:3128")
		synchronize("second")
		expectProblem(v1alpha1.ReasonInvalidSpec, `spec.helm.proxySecretRef: Secret "proxy": key "address" must be the http or https URL of a proxy`)

		change("proxy", "address", proxy.URL)
		change("proxy", "password", proxy.Password)
		certificate, key := authority.Issue(GinkgoTB(), "market")
		change("cert", "tls.crt", string(certificate))
		change("cert", "tls.key", string(key))
		synchronize("third")
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		var events corev1.EventList
		Expect(t.Client.List(ctx, &events, client.InNamespace(t.Namespace))).To(Succeed())
		for _, event := range events.Items {
			Expect(event.Message).NotTo(ContainSubstring("passw0rd"))
		}
	})
})
