package chart_test

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
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

func TestBucket(t *testing.T) {
	const bucket = "store.bucket={name: charts, endpoint: 'https://s3.example.com', prefix: market, secretName: keys, caSecret: authorities}"
	t.Run("serves several replicas without a claim", func(t *testing.T) {
		g := NewWithT(t)
		values := []string{bucket, "store.persistent=false", "replicas=3"}
		g.Expect(renderChart(t, values...).ofKind("PersistentVolumeClaim")).To(BeEmpty())
		made := operatorDeployment(t, values...)
		g.Expect(*made.Spec.Replicas).To(BeEquivalentTo(3))
		g.Expect(made.Spec.Strategy.Type).To(Equal(appsv1.RollingUpdateDeploymentStrategyType))
		container := made.Spec.Template.Spec.Containers[0]
		g.Expect(container.Args).To(ContainElements(
			"--store-bucket=charts", "--store-bucket-endpoint=https://s3.example.com", "--store-bucket-region=us-east-1",
			"--store-bucket-addressing=Auto", "--store-bucket-refresh-interval=10s", "--store-bucket-prefix=market",
			"--store-bucket-credentials-dir=/etc/appmarket/bucket-credentials", "--store-bucket-ca-file=/etc/appmarket/bucket-ca/ca.crt",
			"--receive-uploads=false"))
		secrets := map[string]string{}
		for _, volume := range made.Spec.Template.Spec.Volumes {
			if volume.Secret != nil {
				secrets[volume.Name] = volume.Secret.SecretName
			}
		}
		g.Expect(secrets).To(Equal(map[string]string{"bucket-credentials": "keys", "bucket-ca": "authorities"}))
		mounts := map[string]string{}
		for _, mount := range container.VolumeMounts {
			mounts[mount.Name] = mount.MountPath
		}
		g.Expect(mounts).To(HaveKeyWithValue("bucket-credentials", "/etc/appmarket/bucket-credentials"))
		g.Expect(mounts).To(HaveKeyWithValue("bucket-ca", "/etc/appmarket/bucket-ca"))
	})
	t.Run("keeps the claim for uploads", func(t *testing.T) {
		g := NewWithT(t)
		g.Expect(renderChart(t, bucket).ofKind("PersistentVolumeClaim")).To(HaveLen(1))
		made := operatorDeployment(t, bucket)
		g.Expect(made.Spec.Strategy.Type).To(Equal(appsv1.RecreateDeploymentStrategyType), "the claim can be attached to one node")
		g.Expect(made.Spec.Template.Spec.Containers[0].Args).NotTo(ContainElement("--receive-uploads=false"))
		shared := operatorDeployment(t, bucket, "store.accessModes=[ReadWriteMany]", "replicas=2")
		g.Expect(*shared.Spec.Replicas).To(BeEquivalentTo(2))
		g.Expect(shared.Spec.Template.Spec.Containers[0].Args).NotTo(ContainElement("--receive-uploads=false"))
	})
	t.Run("is not used by default", func(t *testing.T) {
		g := NewWithT(t)
		made := operatorDeployment(t)
		g.Expect(*made.Spec.Replicas).To(BeEquivalentTo(1))
		g.Expect(made.Spec.Strategy.Type).To(Equal(appsv1.RecreateDeploymentStrategyType))
		g.Expect(made.Spec.Template.Spec.Containers[0].Args).NotTo(ContainElement(ContainSubstring("bucket")))
	})
}
