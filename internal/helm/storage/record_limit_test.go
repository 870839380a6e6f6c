package storage_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
)

// TestRecordsAreCountedBeforeTheyAreRead adds Secrets with the labels of a record, as a tenant that
// may write Secrets can.
func TestRecordsAreCountedBeforeTheyAreRead(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	junk := func(from, to int) {
		var group errgroup.Group
		group.SetLimit(20)
		for i := from; i < to; i++ {
			group.Go(func() error {
				_, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("junk-", i), Labels: map[string]string{"owner": "helm", "name": "blog", "status": "superseded"}},
					Data:       map[string][]byte{"release": []byte("nothing")},
				}, metav1.CreateOptions{})
				return err
			})
		}
		g.Expect(group.Wait()).To(Succeed())
	}
	junk(0, 45)
	found, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Revision).To(Equal(1), "it is found on whichever page it is")

	junk(45, 501)
	_, err = c.Get(t.Context(), "blog")
	g.Expect(err).To(MatchError(ContainSubstring("the records of the release exceed 500 Secrets or 128 MiB")))
	g.Expect(err).To(MatchError(ContainSubstring("kubectl get secrets -l '")), "%v", err)
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
}
