package status_test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestAddFinalizer(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	b.Expect(writer.AddFinalizer(b.ctx)).To(Succeed())
	b.Expect(b.getStored().Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
	b.Expect(writer.AddFinalizer(b.ctx)).To(Succeed())
	b.Expect(b.writes.Take()).To(Equal([]string{"patch"}), "the second call does not write")

	_, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred(), "status is written after AddFinalizer")
	b.Expect(b.writes.Take()).To(Equal([]string{"patch status"}))

	b.reload()
	b.Expect(b.newWriter().AddFinalizer(b.ctx)).To(Succeed())
	b.Expect(b.writes.Take()).To(BeEmpty())
}

func TestAddFinalizerOnConflict(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	b.editSpec(func(app *v1alpha1.AppInfo) { app.Finalizers = []string{"example.com/other"} })
	b.Expect(writer.AddFinalizer(b.ctx)).To(Satisfy(apierrors.IsConflict))
	b.Expect(b.getStored().Finalizers).To(Equal([]string{"example.com/other"}), "the finalizer of another controller is kept")
}

func TestRemoveFinalizer(t *testing.T) {
	b := newFixture(t)
	b.Expect(b.newWriter().AddFinalizer(b.ctx)).To(Succeed())
	b.reload()
	b.Expect(b.client.Delete(b.ctx, b.app.DeepCopy())).To(Succeed())
	b.reload()
	b.Expect(b.app.DeletionTimestamp).NotTo(BeNil(), "the finalizer keeps the object")
	b.writes.Take()

	writer := b.newWriter()
	b.Expect(writer.RemoveFinalizer(b.ctx)).To(Succeed())
	err := b.client.Get(b.ctx, client.ObjectKeyFromObject(b.app), b.app.DeepCopy())
	b.Expect(err).To(Satisfy(apierrors.IsNotFound))
	result, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(result).To(Equal(ctrl.Result{}))
	b.Expect(b.writes.Take()).To(Equal([]string{"patch"}), "status is not written after the finalizer was removed")
	b.Expect(b.takeEvents()).To(BeEmpty())
}

func TestRemoveFinalizerKeepsOtherFinalizers(t *testing.T) {
	b := newFixture(t)
	b.editSpec(func(app *v1alpha1.AppInfo) { app.Finalizers = []string{v1alpha1.Finalizer, "example.com/other"} })
	b.reload()
	b.Expect(b.newWriter().RemoveFinalizer(b.ctx)).To(Succeed())
	b.Expect(b.getStored().Finalizers).To(Equal([]string{"example.com/other"}))
}

func TestRemoveFinalizerOfADeletedObject(t *testing.T) {
	b := newFixture(t)
	b.Expect(b.newWriter().AddFinalizer(b.ctx)).To(Succeed())
	b.reload()
	writer := b.newWriter()
	b.editSpec(func(app *v1alpha1.AppInfo) { app.Finalizers = nil })
	b.Expect(b.client.Delete(b.ctx, b.getStored())).To(Succeed())
	b.Expect(writer.RemoveFinalizer(b.ctx)).To(Succeed())
}
