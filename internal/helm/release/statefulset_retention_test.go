package release_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

var statefulSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}

// forgetful is a StatefulSet whose deletion deletes its claims.
const forgetful = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Delete}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: a, image: b}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

// claimOf returns a claim of the StatefulSet, which is deleted with its owner.
func claimOf(name string, owner metav1.OwnerReference) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"app": "db"}, OwnerReferences: []metav1.OwnerReference{owner},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
}

// TestClaimsOfOthersAreLeft has two releases with a hook that creates a claim of the same name. The
// second release finds an existing claim and must not delete it.
func TestClaimsOfOthersAreLeft(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	s := helmtest.NewSpec(map[string]string{
		"hook.yaml": strings.ReplaceAll(claimText, "{name: %NAME%}", "{name: shared, annotations: {helm.sh/hook: pre-install}}"),
	})
	_, err := c.Install(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	s.Name = "second"
	_, err = c.Install(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	claims := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace)
	own, err := c.ListRetained(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(own).To(HaveLen(1))
	g.Expect(c.ListRetained(t.Context(), "second")).To(BeEmpty(), "it is the other's")

	g.Expect(c.DeleteKept(t.Context(), own)).To(Succeed())
	claim, err := claims.Get(t.Context(), "shared", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claim.DeletionTimestamp).To(BeNil(), "a release that lives has it")
	_, err = claims.Patch(t.Context(), "shared", types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"meta.helm.sh/release-name":null}}}`), metav1.PatchOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.ListRetained(t.Context(), "blog")).To(BeEmpty(), "its owner is unknown")
}

func TestClaimsOutliveTheirStatefulSet(t *testing.T) {
	for _, one := range []struct {
		why    string
		remove func(*testing.T, *helmtest.ChartClient) error
	}{
		{why: "the release is removed", remove: func(t *testing.T, c *helmtest.ChartClient) error {
			return c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})
		}},
		{why: "the chart goes without it", remove: func(t *testing.T, c *helmtest.ChartClient) error {
			_, err := c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
			return err
		}},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"set.yaml": forgetful, "cm.yaml": helmtest.ConfigMap}))
			g.Expect(err).NotTo(HaveOccurred())
			set := helmtest.GetLive(t, statefulSets, namespace, "db")
			g.Expect(helmtest.FieldAt(set, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted")).To(Equal("Retain"))
			g.Expect(helmtest.FieldAt(set, "spec.persistentVolumeClaimRetentionPolicy.whenScaled")).To(Equal("Delete"))
			g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty())

			helmtest.PatchObject(t, statefulSets, namespace, "db",
				`{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete"}}}`)
			claims := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace)
			_, err = claims.Create(t.Context(), claimOf("data-db-0", metav1.OwnerReference{
				APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: set.GetUID(),
			}), metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())

			g.Expect(one.remove(t, c)).To(Succeed())
			_, err = helmtest.Server.Admin.AppsV1().StatefulSets(namespace).Get(t.Context(), "db", metav1.GetOptions{})
			g.Expect(err).To(HaveOccurred(), "the set is gone")
			claim, err := claims.Get(t.Context(), "data-db-0", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(claim.OwnerReferences).To(BeEmpty(), "the garbage collector leaves it")
		})
	}
}
