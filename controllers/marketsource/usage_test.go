package marketsource_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A source whose charts are installed", func() {
	var b *marketFixture
	BeforeEach(func() {
		b = newMarketFixture()
		b.syncAndServe()
		Expect(b.source.Finalizers).To(BeEmpty())
	})

	// createInstance creates an instance in another namespace.
	createInstance := func(source, version string) *v1alpha1.AppInstance {
		GinkgoHelper()
		i := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(GinkgoTB(), nil), Name: "mine"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: source, Name: "web", Namespace: b.source.Namespace}},
		}
		server.Create(GinkgoTB(), i)
		before := client.MergeFrom(i.DeepCopy())
		i.Status.Version = version
		Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
		return i
	}

	It("is kept until no instance uses them, and names these instances", func() {
		createInstance("main", "")
		createInstance("other", "1.0.0")
		b.expectSuccess()
		Expect(b.source.Finalizers).To(BeEmpty())

		mine := createInstance("main", "1.0.0")
		b.expectSuccess()
		Expect(b.source.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
		b.expectNoWrites()

		Expect(server.Client.Delete(b.ctx, b.source)).To(Succeed())
		b.expectSuccess()
		c := meta.FindStatusCondition(b.source.Status.Conditions, v1alpha1.ConditionReconciling)
		Expect(c).To(HaveField("Reason", v1alpha1.ReasonInUse))
		Expect(c.Message).To(HaveSuffix("uninstall the instances " + mine.Namespace + "/mine"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"), "its charts are served")
		b.expectNoWrites()

		Expect(server.Client.Delete(b.ctx, mine)).To(Succeed())
		b.readSource()
		_, err := b.reconciler.Reconcile(b.ctx, b.source)
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsNotFound(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.source), b.source))).To(BeTrue())
	})
})
