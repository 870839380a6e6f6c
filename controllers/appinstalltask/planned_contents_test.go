package appinstalltask_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	helmchart "helm.sh/helm/v3/pkg/chart"
	helm "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/release"
)

var _ = Describe("The plan of a dry run", func() {
	var b *taskFixture
	BeforeEach(func() { b = newTaskFixture() })

	createDryRun := func(action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTask)) {
		GinkgoHelper()
		b.createTask("try", action, append(change, func(t *v1alpha1.AppInstallTask) { t.Spec.DryRun = new(true) })...)
	}
	createPlan := func(action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTask)) *v1alpha1.Plan {
		GinkgoHelper()
		createDryRun(action, change...)
		_, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Planned"), "%+v", b.task.Status)
		b.expectNoWrites()
		return b.task.Status.Plan
	}
	editInstanceStatus := func(change func(*v1alpha1.AppInstanceStatus)) {
		GinkgoHelper()
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		change(&i.Status)
		Expect(objects.Status().Patch(b.ctx, i, before)).To(Succeed())
	}
	podYAML := func(image string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: " + image + "}]}\n"
	}
	const claimYAML = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: photos}\n" +
		"spec: {accessModes: [ReadWriteOnce], storageClassName: '', resources: {requests: {storage: 8Gi}}}\n"
	roleYAML := func(verbs string) string {
		return "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: web}\nrules: [{apiGroups: [''], resources: [secrets], verbs: " + verbs + "}]\n"
	}
	claim := func() v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: b.namespace, Name: "photos"}
	}

	It("lists images, permissions and the size of claims that an upgrade retains", func() {
		server.Allow(GinkgoTB(), b.namespace, "administrator", rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
		account := func(t *v1alpha1.AppInstallTask) { t.Spec.ServiceAccountName = "administrator" }
		b.PublishVersion("1.0.0", map[string]string{
			"templates/pod.yaml": podYAML("images.example.com/web:1"), "templates/claim.yaml": claimYAML, "templates/role.yaml": roleYAML("[get]"),
		})
		b.installVersion("1.0.0", account)
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Inventory = &v1alpha1.Inventory{Objects: []v1alpha1.ObjectReference{claim()}}
		})
		b.PublishVersion("1.1.0", map[string]string{
			"templates/pod.yaml": podYAML("images.example.com/web:2"), "templates/role.yaml": roleYAML("[get, list, delete]"),
		})
		b.EditApp(func(app *v1alpha1.AppInfo) {
			app.Status.Images = []v1alpha1.AppImage{{Name: "images.example.com/web:2", Digest: "sha256:2", Platforms: []string{"linux/amd64"}, LargestPlatformBytes: 4200}}
		})
		plan := createPlan(v1alpha1.ActionUpgrade, account)
		Expect(plan.ImagesAdded).To(Equal([]v1alpha1.PlannedImage{{Name: "images.example.com/web:2", LargestPlatformBytes: 4200}}))
		Expect(plan.ImagesRemoved).To(Equal([]v1alpha1.PlannedImage{{Name: "images.example.com/web:1"}}))
		Expect(plan.PermissionsAdded).To(Equal([]string{`delete, list secrets in namespace "` + b.namespace + `"`}))
		Expect(plan.Objects).To(ContainElement(v1alpha1.PlannedObject{Change: v1alpha1.ObjectRetained, Object: claim(), Storage: "8Gi"}))
		Expect(plan.ObjectsDeleted).To(BeZero())
	})

	It("counts layers that images share once, and no layers of the installed version", func() {
		layer := func(number int, bytes int64) images.Layer {
			digest, err := images.ParseLayerDigest(fmt.Sprintf("sha256:%064x", number))
			Expect(err).NotTo(HaveOccurred())
			return images.Layer{Digest: digest, Bytes: bytes}
		}
		image := func(name string, layers ...images.Layer) images.ImageLayers {
			return images.ImageLayers{Name: "images.example.com/" + name, Digest: "sha256:" + name, Platforms: map[string][]images.Layer{"linux/amd64": layers}}
		}
		pods := func(names ...string) map[string]string {
			files := filesWithoutInputs()
			for i, name := range names {
				files[fmt.Sprintf("templates/pod-%d.yaml", i)] = strings.Replace(podYAML("images.example.com/"+name), "{name: web}", fmt.Sprintf("{name: web-%d}", i), 1)
			}
			return files
		}
		b.PublishVersion("1.0.0", pods("web:1", "db:1", "kept:1"),
			image("web:1", layer(1, 1000), layer(2, 1)), image("db:1", layer(3, 300), layer(4, 20)), image("kept:1", layer(4, 20), layer(5, 7)))
		b.installVersion("1.0.0")
		b.PublishVersion("1.1.0", pods("web:2", "worker:2", "kept:1", "unknown:1"),
			image("web:2", layer(1, 1000), layer(6, 50), layer(7, 5)), image("worker:2", layer(1, 1000), layer(7, 5)), image("kept:1", layer(4, 20), layer(5, 7)))
		plan := createPlan(v1alpha1.ActionUpgrade)
		Expect(plan.ImagesAdded).To(Equal([]v1alpha1.PlannedImage{
			{Name: "images.example.com/unknown:1"}, {Name: "images.example.com/web:2", LargestPlatformBytes: 1055}, {Name: "images.example.com/worker:2", LargestPlatformBytes: 1005},
		}))
		Expect(plan.ImagesRemoved).To(Equal([]v1alpha1.PlannedImage{
			{Name: "images.example.com/db:1", LargestPlatformBytes: 320}, {Name: "images.example.com/web:1", LargestPlatformBytes: 1001},
		}))
		Expect([]int64{plan.ImageBytesAdded, plan.ImageBytesRemoved}).To(Equal([]int64{55, 301}))
	})

	It("lists values that the new version does not have, but no values", func() {
		const before = "image: {tag: '1', pullPolicy: Always}\nworker: {replicas: 1, queue: {name: a}}\nlabels: {}\nnode.zone: a\n"
		const after = "image: {tag: '2'}\nlabels: {}\n"
		publish := func(version, defaults string) {
			content := filesWithoutInputs()
			content["values.yaml"] = defaults
			b.PublishVersion(version, content)
		}
		publish("1.0.0", before)
		b.installVersion("1.0.0", func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Values = &runtime.RawExtension{Raw: []byte(`{"image": {"tag": "7", "pullPolicy": "hunter2", "digest": "x"},
				"worker": {"replicas": 2, "queue": {"name": "b"}}, "labels": {"a": "b"}, "node.zone": "b", "own": 1}`)}
		})
		publish("1.1.0", after)
		Expect(createPlan(v1alpha1.ActionUpgrade).UnusedValues).To(Equal([]string{"image.pullPolicy", `node\.zone`, "worker"}))
	})

	It("has the storage of the claims in the status of an instance that is uninstalled", func() {
		clients, err := helmrelease.NewClients(server.Config, server.Mapper)
		Expect(err).NotTo(HaveOccurred())
		b.reconciler.Clients = func(t release.Tenant, known release.Records) release.Client { return clients.For(t, known) }
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Inventory = &v1alpha1.Inventory{Objects: []v1alpha1.ObjectReference{claim()}}
			status.Claims = []v1alpha1.VolumeClaim{{Name: "photos", Storage: "8Gi", OnRemoval: v1alpha1.ClaimRetained}}
		})
		Expect(createPlan(v1alpha1.ActionUninstall).Objects).To(ConsistOf(And(HaveField("Object", claim()), HaveField("Storage", "8Gi"))))
	})

	It("is not made from a release record that another client wrote", func() {
		clients, err := helmrelease.NewClients(server.Config, server.Mapper)
		Expect(err).NotTo(HaveOccurred())
		b.reconciler.Clients = func(t release.Tenant, known release.Records) release.Client { return clients.For(t, known) }
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		secrets := kubernetes.NewForConfigOrDie(server.Config).CoreV1().Secrets(b.namespace)
		Expect(driver.NewSecrets(secrets).Create("sh.helm.release.v1.web.v1", &helm.Release{
			Name: "web", Namespace: b.namespace, Version: 1, Manifest: claimYAML,
			Info: &helm.Info{Status: helm.StatusDeployed}, Chart: &helmchart.Chart{Metadata: &helmchart.Metadata{Name: "web", Version: "1.0.0"}},
		})).To(Succeed())
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Releases = []v1alpha1.Release{{Name: "web", Records: []v1alpha1.ReleaseRecord{{Revision: 1, Digest: "sha256:other"}}}}
		})
		createDryRun(v1alpha1.ActionUninstall)
		b.expectFailure(v1alpha1.ReasonRecordChanged)
		Expect(b.task.Status.Plan).To(BeNil())
	})

	It("is made without a purchase", func() {
		var requests atomic.Int32
		shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			_, _ = w.Write([]byte(`{"code": 1}`)) // The client reports a response that it cannot read.
		}))
		DeferCleanup(shop.Close)
		checkout := license.NewCheckout(license.Options{Transport: redirectingTransport(shop.Listener.Addr().String())})
		b.reconciler.Planner.Issuers = func(string) installplan.Issuers { return installplan.Issuers{Checkout: checkout} }
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) {
			app.Status.Versions[0].Purchase = &v1alpha1.PurchaseTerms{Product: "web-paid", Issuer: "shop"}
		})
		before := client.MergeFrom(b.Source.DeepCopy())
		b.Source.Spec.Licensing = []v1alpha1.LicenseIssuer{{Issuer: "shop", Keys: "{}", CheckoutURL: "https://shop.example.com/buy"}}
		Expect(server.Client.Patch(b.ctx, b.Source, before)).To(Succeed())
		buy := func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().CredentialSecretRef = &v1alpha1.KeyReference{Name: "license", Key: "token"}
			t.Spec.EnsureParameters().PurchaseRequestSecretRef = &v1alpha1.KeyReference{Name: "inputs", Key: "password"}
		}
		createDryRun(v1alpha1.ActionInstall, buy)
		_, err := b.reconcileTask()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(HavePrefix("False "), "the credential does not exist")
		Expect(b.task.Status.PurchaseAttempts).To(BeZero())
		Expect(requests.Load()).To(BeZero())

		b.createTask("buy", v1alpha1.ActionInstall, buy)
		_, err = b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(requests.Load()).To(BeEquivalentTo(1), "the same task purchases if it is carried out")
	})
})

// redirectingTransport sends each request to an address, without TLS.
type redirectingTransport string

func (address redirectingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := request.Clone(request.Context())
	sent.URL.Scheme, sent.URL.Host = "http", string(address)
	return http.DefaultTransport.RoundTrip(sent)
}
