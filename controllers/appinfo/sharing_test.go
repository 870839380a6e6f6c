package appinfo_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("The sharing of an app", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
	})

	share := func(allowed *v1alpha1.AllowedNamespaces) {
		GinkgoHelper()
		before := client.MergeFrom(b.source.DeepCopy())
		b.source.Spec.AllowedNamespaces = allowed
		Expect(server.Client.Patch(b.ctx, b.source, before)).To(Succeed())
	}

	It("follows the source, also of a suspended app", func() {
		b.reconciler.Markets = []string{b.source.Namespace}
		b.expectServed("1.0.0")
		Expect(b.app.Status.Sharing).To(Equal(&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}))
		some := &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}}
		share(some)
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = new(true) })
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.app.Status.Sharing).To(Equal(some))
		b.expectNoWrites()
	})

	It("is limited to the namespace outside of a market", func() {
		share(&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll})
		b.expectServed("1.0.0")
		Expect(b.app.Status.Sharing).To(Equal(&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}))
	})
})
