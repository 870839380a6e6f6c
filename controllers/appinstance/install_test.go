package appinstance_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

var _ = Describe("Installing", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
	})

	paint := func(color string) func(*v1alpha1.AppInstance) {
		return func(i *v1alpha1.AppInstance) {
			i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"color": "` + color + `"}`)}
		}
	}
	// obstacle creates an object with the name of an object of the app.
	obstacle := func() *corev1.ConfigMap {
		GinkgoHelper()
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}}
		server.Create(GinkgoTB(), config)
		return config
	}
	stalled := func(err error, reason string) {
		GinkgoHelper()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("False " + reason))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("False " + reason))
		Expect(b.instance.Status.CurrentOperation).To(BeNil())
	}

	It("makes a release and tells of it", func() {
		b.instance.Annotations = taskAnnotations("install-web", "h1", "1")
		b.createInstance()
		b.expectReady("1.0.0", 1)
		status := b.instance.Status
		Expect(b.instance.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
		Expect(status.ChartDigest).To(Equal(b.App.Status.Versions[0].Digest))
		Expect(status.Releases).To(HaveLen(1))
		Expect(status.Releases[0].Records).To(HaveLen(1))
		status.Releases[0].Records = nil
		Expect(status.Releases).To(Equal([]v1alpha1.Release{{Name: "mine", Revision: 1, Status: "deployed", Chart: "web-1.0.0"}}))
		Expect(*status.Inventory).To(Equal(v1alpha1.Inventory{Total: 1, Ready: 1, Objects: []v1alpha1.ObjectReference{
			{APIVersion: "v1", Kind: "ConfigMap", Namespace: b.instance.Namespace, Name: "mine-page"}}}))
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded"}))
		Expect(status.History[0].Operation.Task).To(Equal("install-web"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("running version 1.0.0, 1 object ready"))
	})

	It("shows the operation before Helm is called", func() {
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.writes.Take()).To(Equal([]string{"patch", "patch status", "patch status", "patch status"}),
			"the finalizer, the operation, the record of the release, what was applied together with what it waits for")
	})

	It("upgrades when the values change", func() {
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(paint("blue"))
		b.expectReady("1.0.0", 2)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "blue"))
		Expect(b.historySummary()).To(Equal([]string{"Upgrade 1.0.0 Succeeded", "Install 1.0.0 Succeeded"}))
	})

	It("calls Helm for no other change of the spec", func() {
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Title, i.Spec.Timeout = "Mine", "5m" })
		b.expectReady("1.0.0", 1)
		for _, c := range b.instance.Status.Conditions {
			Expect(c.ObservedGeneration).To(Equal(b.instance.Generation), "%s is of this spec, as a task must know", c.Type)
		}
	})

	It("installs a chart that was published again only on request", func() {
		b.createInstance()
		b.expectReady("1.0.0", 1)
		other := configMapFiles()
		other["values.yaml"] = "color: green\n"
		b.PublishVersion("1.0.0", other)
		b.expectReady("1.0.0", 1)
		b.requestReconcile("now")
		b.expectReady("1.0.0", 2)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "green"))
		b.requestReconcile("again")
		b.expectReady("1.0.0", 2)
	})

	It("does not repeat a failed operation without a request or a change of the spec", func() {
		b.PublishVersion("1.0.0", configMapFiles())
		inTheWay := obstacle()
		// Each task has already checked its operation.
		request := func(change func(*v1alpha1.AppInstance)) {
			GinkgoHelper()
			task := b.createTask()
			b.editInstance(func(i *v1alpha1.AppInstance) {
				i.Annotations = taskAnnotations(task.Name, "hash", string(task.UID))
				change(i)
				Expect(taskrecord.SetCode(i)).To(Succeed())
			})
		}
		nothing := func(*v1alpha1.AppInstance) {}
		b.createInstance()
		request(nothing)
		_, err := b.reconcileInstance()
		stalled(err, v1alpha1.ReasonInstallFailed)
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(ContainSubstring(`ConfigMap "mine-page"`))
		b.expectNoWrites()
		b.restartReconciler()
		b.expectNoWrites()
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Failed InstallFailed"}))

		request(nothing)
		_, err = b.reconcileInstance()
		stalled(err, v1alpha1.ReasonInstallFailed)
		Expect(b.historySummary()).To(HaveLen(2))
		b.expectNoWrites()
		request(paint("blue"))
		_, err = b.reconcileInstance()
		stalled(err, v1alpha1.ReasonInstallFailed)
		Expect(b.historySummary()).To(HaveLen(3))

		Expect(server.Client.Delete(b.ctx, inTheWay)).To(Succeed())
		b.expectNoWrites()
		request(nothing)
		_, err = b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.historySummary()[0]).To(Equal("Install 1.0.0 Succeeded"))
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "blue"))
	})

	It("tries another version than the one that failed", func() {
		more := func(port int) map[string]string {
			content := configMapFiles()
			content["templates/more.yaml"] = fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: more}\nspec: {ports: [{port: %d}]}\n", port)
			return content
		}
		b.PublishVersion("1.0.0", more(80))
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "^1" })
		b.expectReady("1.0.0", 1)
		b.PublishVersion("1.1.0", more(99999))
		_, err := b.reconcileInstance()
		stalled(err, v1alpha1.ReasonUpgradeFailed)
		Expect(b.instance.Status.Version).To(Equal("1.0.0"), "what is recorded is what was complete")
		b.expectNoWrites()
		b.PublishVersion("1.2.0", more(81))
		_, err = b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.Version).To(Equal("1.2.0"))
		Expect(b.historySummary()).To(Equal([]string{"Upgrade 1.2.0 Succeeded", "Upgrade 1.1.0 Failed UpgradeFailed", "Install 1.0.0 Succeeded"}))
	})

	It("goes back to what ran before when an upgrade failed half-way", func() {
		content := configMapFiles()
		content["templates/more.yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: more}\nspec: {ports: [{port: {{ .Values.port | default 80 }}}]}\n"
		b.PublishVersion("1.0.0", content)
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"color": "blue", "port": 99999}`)}
		})
		_, err := b.reconcileInstance()
		stalled(err, v1alpha1.ReasonUpgradeFailed)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "blue"))
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = nil })
		b.expectReady("1.0.0", 3)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "gray"))
	})

	It("forgets operations that are long ago", func() {
		b.createInstance()
		b.expectReady("1.0.0", 1)
		for _, color := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
			b.editInstance(paint(color))
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(b.instance.Status.History).To(HaveLen(10))
		secrets := &corev1.SecretList{}
		Expect(server.Client.List(b.ctx, secrets, client.InNamespace(b.instance.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
		Expect(secrets.Items).To(HaveLen(5), "as spec.revisionHistoryLimit says")
	})

	It("does only what the tenant may", func() {
		other := newInstanceFixtureWithRules(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}})
		b = other
		b.PublishVersion("1.0.0", configMapFiles())
		b.createAdmittedInstance() // The permissions were removed since.
		_, err := b.reconcileInstance()
		stalled(err, v1alpha1.ReasonPermissionDenied)
		Expect(b.conditionMessage(v1alpha1.ConditionApplied)).To(ContainSubstring(`service account "` + b.instance.Namespace + `/tenant" cannot`))
		b.expectNoWrites()
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Failed PermissionDenied"}))
	})

	It("makes a release of every unit, and removes those that the app no longer has", func() {
		unit := func(name string) map[string]string {
			return map[string]string{
				name + "/Chart.yaml":          "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n",
				name + "/templates/page.yaml": configMapTemplate,
			}
		}
		app := func(units ...string) map[string]string {
			text := "olaresManifest.version: 0.12.0\napiVersion: v2\nmetadata: {name: web, version: 1.0.0}\nspec:\n  subCharts:\n"
			content := map[string]string{}
			for _, name := range units {
				text += "    - {name: " + name + "}\n"
				for file, data := range unit(name) {
					content[file] = data
				}
			}
			content["OlaresManifest.yaml"] = text
			return content
		}
		withData := app("web", "base", "old")
		withData["old/templates/claim.yaml"] = claimTemplate
		b.PublishVersion("1.0.0", withData)
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "*" })
		b.expectReady("1.0.0", 1)
		Expect([]int{b.releaseRevision("mine"), b.releaseRevision("mine-base"), b.releaseRevision("mine-old")}).To(Equal([]int{1, 1, 1}))
		Expect(b.instance.Status.Inventory.Total).To(Equal(int32(4)))

		data := v1alpha1.ObjectReference{
			APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: b.instance.Namespace, Name: "mine-old-data"}
		b.PublishVersion("2.0.0", app("web", "base"))
		b.expectReady("2.0.0", 2)
		Expect(b.instance.Status.RetainedObjects).To(Equal([]v1alpha1.ObjectReference{data}))
		Expect([]int{b.releaseRevision("mine"), b.releaseRevision("mine-base"), b.releaseRevision("mine-old")}).To(Equal([]int{2, 2, 0}))
		Expect(b.instance.Status.Releases).To(HaveLen(2))

		By("changing something else")
		b.editInstance(paint("blue"))
		b.expectReady("2.0.0", 3)
		Expect(b.instance.Status.RetainedObjects).To(Equal([]v1alpha1.ObjectReference{data}), "no release has it")

		By("having the unit again")
		b.PublishVersion("3.0.0", withData)
		b.expectReady("3.0.0", 4)
		Expect(b.instance.Status.RetainedObjects).To(BeEmpty())
	})
})
