package release_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

func TestListObjects(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	createTwoRevisions(t, c)
	first, err := c.ListObjects(t.Context(), "blog", 1)
	g.Expect(err).NotTo(HaveOccurred())
	second, err := c.ListObjects(t.Context(), "blog", 2)
	g.Expect(err).NotTo(HaveOccurred())
	byName := func(list []plain.RevisionObject) map[string]plain.RevisionObject {
		all := map[string]plain.RevisionObject{}
		for _, one := range list {
			g.Expect(one.Object.Namespace).To(Equal(namespace))
			all[one.Object.Kind+"/"+one.Object.Name] = one
		}
		return all
	}
	was, is := byName(first), byName(second)
	g.Expect(was).To(And(HaveLen(2), HaveKey("ConfigMap/blog"), HaveKey("Service/blog")))
	g.Expect(is).To(And(HaveLen(3), HaveKey("ConfigMap/more"), HaveKey("PersistentVolumeClaim/photos")))
	g.Expect(was["ConfigMap/blog"].Digest).NotTo(Equal(is["ConfigMap/blog"].Digest), "its data differs")
	g.Expect(is["PersistentVolumeClaim/photos"].IsKept).To(BeTrue(), "no rollback deletes volume claims")
	g.Expect(is["PersistentVolumeClaim/photos"].Storage).NotTo(BeEmpty())

	_, err = c.ListObjects(t.Context(), "blog", 7)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRevisionNotFound))
	secrets := helmtest.Server.Admin.CoreV1().Secrets(namespace)
	g.Expect(secrets.Delete(t.Context(), "sh.helm.release.v1.blog.v1", metav1.DeleteOptions{})).To(Succeed())
	_, err = c.ListObjects(t.Context(), "blog", 1)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRevisionNotFound))
}
