package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

const plantedManifest = `---
apiVersion: v1
kind: ConfigMap
metadata:
  name: planted
`

var _ = Describe("A record of a release that another client has written", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.PublishVersion("2.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.0.0" })
		b.expectReady("1.0.0", 1)
	})

	// records returns the storage driver of Helm for the namespace.
	records := func() *driver.Secrets {
		set, err := kubernetes.NewForConfig(server.Config)
		Expect(err).NotTo(HaveOccurred())
		return driver.NewSecrets(set.CoreV1().Secrets(b.instance.Namespace))
	}
	nameOf := map[int]string{1: "sh.helm.release.v1.mine.v1", 2: "sh.helm.release.v1.mine.v2"}
	// plant writes a release revision with objects that are not in any chart of the market.
	plant := func(revision int, change ...func(*helmrelease.Release)) {
		GinkgoHelper()
		record, err := records().Get(nameOf[1])
		Expect(err).NotTo(HaveOccurred())
		record.Version, record.Manifest = revision, plantedManifest
		for _, one := range change {
			one(record)
		}
		if revision == 1 {
			Expect(records().Update(nameOf[1], record)).To(Succeed())
			return
		}
		Expect(records().Create(nameOf[revision], record)).To(Succeed())
	}
	refused := func(condition string) {
		GinkgoHelper()
		_, err := b.reconcileUntilObserved()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True RecordChanged"))
		Expect(b.conditionMessage(condition)).To(ContainSubstring("Secret sh.helm.release.v1.mine.v"))
		planted := &corev1.ConfigMap{}
		err = server.Client.Get(b.ctx, client.ObjectKey{Namespace: b.instance.Namespace, Name: "planted"}, planted)
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "nothing of the record is carried out")
		Expect(b.configMapData()).NotTo(BeEmpty(), "what was installed is left alone")
	}

	DescribeTable("is not carried out", func(revision int, edit func(*v1alpha1.AppInstance), condition string) {
		plant(revision)
		b.editInstance(edit)
		refused(condition)
	},
		Entry("by an upgrade", 2, func(i *v1alpha1.AppInstance) { i.Spec.Version = "2.0.0" }, v1alpha1.ConditionReady),
		Entry("by an upgrade over a record that was changed", 1, func(i *v1alpha1.AppInstance) { i.Spec.Version = "2.0.0" }, v1alpha1.ConditionReady),
		Entry("by a stop", 2, func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateStopped }, v1alpha1.ConditionReady),
		Entry("by a removal", 2, func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled }, v1alpha1.ConditionReady),
	)

	It("is not gone back to", func() {
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "2.0.0" })
		b.expectReady("2.0.0", 2)
		plant(1)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = 1 })
		refused(v1alpha1.ConditionReady)
	})

	It("is not carried out to correct drift", func() {
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DriftPolicy = v1alpha1.DriftCorrect })
		_, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		plant(2)
		page := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}}
		Expect(server.Client.Patch(b.ctx, page, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"color":"red"}}`)))).To(Succeed())
		Eventually(func() string {
			_, _ = b.reconcileInstance()
			return b.conditionStatus(v1alpha1.ConditionStalled)
		}).WithTimeout(10 * time.Second).Should(Equal("True RecordChanged"))
		refused(v1alpha1.ConditionReady)
	})

	It("blocks operations until it is deleted", func() {
		plant(2)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "2.0.0" })
		refused(v1alpha1.ConditionReady)
		_, err := records().Delete(nameOf[2])
		Expect(err).NotTo(HaveOccurred())
		b.requestReconcile("now")
		b.expectReady("2.0.0", 2)
	})

	It("is trusted where the status of the instance was lost", func() {
		b.editStatus(func(st *v1alpha1.AppInstanceStatus) { *st = v1alpha1.AppInstanceStatus{} })
		b.expectReady("1.0.0", 2)
		Expect(b.instance.Status.Releases[0].Records).To(HaveLen(2), "both are noted from then on")
	})
})

var _ = Describe("The records of an instance", func() {
	It("are noted before they are written, as many as Helm keeps", func() {
		b := newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.RevisionHistoryLimit = 2 })
		b.expectReady("1.0.0", 1)
		for i, color := range []string{"red", "green", "blue"} {
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor(color) })
			b.expectReady("1.0.0", i+2)
		}
		var revisions []int32
		for _, record := range b.instance.Status.Releases[0].Records {
			Expect(record.Digest).To(HavePrefix("sha256:"))
			revisions = append(revisions, record.Revision)
		}
		Expect(revisions).To(Equal([]int32{4, 3}))
	})

	It("are stored again if one was stored and never written", func() {
		b := newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editStatus(func(st *v1alpha1.AppInstanceStatus) {
			noted := v1alpha1.ReleaseRecord{Revision: 2, Digest: "sha256:of-another-attempt"}
			st.Releases[0].Records = append(st.Releases[0].Records, noted)
		})
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		b.expectReady("1.0.0", 2)
		Expect(b.instance.Status.Releases[0].Records[0].Digest).NotTo(ContainSubstring("another"))
	})

	It("include the records of hooks", func() {
		b := newInstanceFixture()
		content := configMapFiles()
		content["templates/hook.yaml"] = hookPage
		b.PublishVersion("1.0.0", content)
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		b.expectReady("1.0.0", 2)
	})
})

// hookPage is a hook without a deletion policy. Helm adds one to its record.
const hookPage = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
`
