package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A user with the web pages only", Ordered, func() {
	var w *webPages
	var t *tenant
	var market, apps, instances string

	BeforeAll(func(ctx SpecContext) {
		market = createNamespace(ctx, "market")
		t = newTenant(ctx, &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: market, Name: "samples"}})
		apps, instances = "/apps/"+market+"/samples/", "/instances/"+t.Namespace+"/"
		w = startWebPages(context.WithoutCancel(ctx))
	})

	// install sends the form of an app, and returns the path of its task.
	install := func(ctx context.Context, app string, entries map[string]string) string {
		GinkgoHelper()
		entries["to"] = t.Namespace
		page := w.submit(ctx, apps+app+"/install", entries)
		Expect(page.path).To(HavePrefix("/tasks/"+t.Namespace+"/"), page.text)
		return page.path
	}

	It("adds a source", func(ctx SpecContext) {
		page := w.submit(ctx, "/sources/new", map[string]string{
			"to": market, "name": "samples", "type": "Helm", "location": sampleServer.URL, "profile": "Olares", "sharing": "all",
		})
		Expect(page.path).To(Equal("/sources/" + market + "/samples"))
		w.waitFor(ctx, page.path, "7 of 8")
		Expect(w.open(ctx, page.path).text).To(ContainSubstring("broken"), "the app that failed is named")
	})

	It("installs an app that asks for inputs", func(ctx SpecContext) {
		Expect(w.open(ctx, "/apps?q=wiki").text).To(ContainSubstring(apps + "wiki"))
		rejected := w.submit(ctx, apps+"wiki/install", map[string]string{"to": t.Namespace, "account": fixture.Account, "input.WIKI_ADMIN_EMAIL": "no address"})
		Expect(rejected.text).To(And(ContainSubstring("E-mail address of the administrator"), ContainSubstring(`aria-invalid="true"`), ContainSubstring(`value="no address"`)))

		const password = "correct horse battery"
		task := install(ctx, "wiki", map[string]string{
			"account": fixture.Account, "title": "Team wiki", "input.WIKI_ADMIN_EMAIL": "admin@wiki.example", "input.WIKI_ADMIN_PASSWORD": password,
			"input.WIKI_PUBLIC_URL": "https://wiki.example", "input.WIKI_LANGUAGE": "en", "input.WIKI_HOME": "start",
		})
		done := w.waitFor(ctx, task, "The app is installed")
		Expect(done.text).NotTo(ContainSubstring(password))
		w.waitFor(ctx, instances+"wiki", "Running")
		Expect(t.secretData(ctx, "wiki-inputs")).To(HaveKeyWithValue("WIKI_ADMIN_PASSWORD", password))
	})

	It("upgrades an app after a look at the changes", func(ctx SpecContext) {
		w.waitFor(ctx, install(ctx, "hello", map[string]string{"account": fixture.Account, "version": "1.0.0", "values": "greeting: Hello pages\n"}), "The app is installed")
		Expect(w.open(ctx, instances+"hello").text).To(ContainSubstring("1.1.0 available"))
		form := w.open(ctx, instances+"hello/actions/upgrade")
		Expect(form.text).To(And(ContainSubstring("kind: AppInstallTask"), ContainSubstring("1.0.0"), ContainSubstring("1.1.0")))
		w.waitFor(ctx, w.submit(ctx, instances+"hello/actions/upgrade", nil).path, "Succeeded")
		Expect(t.Instance(ctx, "hello").Status.Version).To(Equal("1.1.0"))
	})

	It("understands why an installation is rejected, and corrects it", func(ctx SpecContext) {
		task := install(ctx, "notes", map[string]string{})
		rejected := w.waitFor(ctx, task, "PermissionDenied")
		Expect(rejected.text).To(And(ContainSubstring("kind: Role"), ContainSubstring("lacks")))
		again := rejected.linkWith("?from=")
		w.waitFor(ctx, w.submit(ctx, again, map[string]string{"account": fixture.Account}).path, "The app is installed")
	})

	It("uninstalls an app and keeps its data", func(ctx SpecContext) {
		claims := t.claimNames(ctx)
		Expect(claims).To(ContainElement("wiki-pages"))
		form := w.open(ctx, instances+"wiki/actions/uninstall")
		Expect(form.text).To(And(ContainSubstring("wiki-pages"), ContainSubstring("wiki-inputs")))
		w.waitFor(ctx, w.submit(ctx, instances+"wiki/actions/uninstall", nil).path, "Succeeded")
		Expect(t.claimNames(ctx)).To(Equal(claims))
		Expect(t.secretData(ctx, "wiki-inputs")).NotTo(BeEmpty())
		Expect(w.open(ctx, instances+"wiki").text).To(ContainSubstring("Uninstalled"))
	})
})

// claimNames returns the names of the volume claims of the tenant.
func (t *tenant) claimNames(ctx context.Context) []string {
	GinkgoHelper()
	var list corev1.PersistentVolumeClaimList
	Expect(k8sClient.List(ctx, &list, client.InNamespace(t.Namespace))).To(Succeed())
	var names []string
	for _, claim := range list.Items {
		names = append(names, claim.Name)
	}
	return names
}
