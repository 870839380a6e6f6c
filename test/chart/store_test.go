package chart_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestStore(t *testing.T) {
	const kind, name = "PersistentVolumeClaim", "appmarket-store"
	store := func(t *testing.T, values ...string) corev1.VolumeSource {
		volumes := operatorDeployment(t, values...).Spec.Template.Spec.Volumes
		NewWithT(t).Expect(volumes).To(HaveLen(1))
		return volumes[0].VolumeSource
	}
	t.Run("is on a claim", func(t *testing.T) {
		g := NewWithT(t)
		claim := findOnly[corev1.PersistentVolumeClaim](t, renderChart(t), kind, name)
		g.Expect(claim.Spec.AccessModes).To(ConsistOf(corev1.ReadWriteOnce))
		g.Expect(claim.Spec.StorageClassName).To(BeNil(), "the default class")
		g.Expect(claim.Annotations).To(BeEmpty())
		g.Expect(store(t).PersistentVolumeClaim.ClaimName).To(Equal(name))
	})
	t.Run("is on a claim of the given form", func(t *testing.T) {
		g := NewWithT(t)
		claim := findOnly[corev1.PersistentVolumeClaim](t, renderChart(t, "store.accessModes=[ReadWriteOncePod]", "store.size=1.5Gi",
			"store.storageClassName=fast", "store.annotations={helm.sh/resource-policy: keep}"), kind, name)
		g.Expect(claim.Spec.AccessModes).To(ConsistOf(corev1.ReadWriteOncePod))
		g.Expect(*claim.Spec.StorageClassName).To(Equal("fast"))
		g.Expect(claim.Annotations).To(HaveKeyWithValue("helm.sh/resource-policy", "keep"))
		g.Expect(claim.Spec.Resources.Requests.Storage().Equal(resource.MustParse("1.5Gi"))).To(BeTrue())
	})
	t.Run("is on an existing claim", func(t *testing.T) {
		g := NewWithT(t)
		g.Expect(renderChart(t, "store.existingClaim=mine").ofKind(kind)).To(BeEmpty())
		g.Expect(store(t, "store.existingClaim=mine").PersistentVolumeClaim.ClaimName).To(Equal("mine"))
	})
	t.Run("is temporary for a trial without a StorageClass", func(t *testing.T) {
		g := NewWithT(t)
		values := []string{"store.persistent=false", "store.size=2Gi"}
		g.Expect(renderChart(t, values...).ofKind(kind)).To(BeEmpty())
		volume := store(t, values...)
		g.Expect(volume.PersistentVolumeClaim).To(BeNil())
		g.Expect(volume.EmptyDir.SizeLimit.String()).To(Equal("2Gi"))
	})
}
