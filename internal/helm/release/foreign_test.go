package release_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

// set is a StatefulSet with a volume claim for each pod.
const set = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
`

// TestObjectsOfAnotherReleaseAreLeft lets another release take over objects, as the helm command
// does with --take-ownership, and then removes the objects from their first release.
func TestObjectsOfAnotherReleaseAreLeft(t *testing.T) {
	const moved = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved}\n"
	const own = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"
	for why, remove := range map[string]func(context.Context, *helmtest.ChartClient) error{
		"the release is removed": func(ctx context.Context, c *helmtest.ChartClient) error {
			return c.Uninstall(ctx, plain.Removal{Name: "blog"})
		},
		"an upgrade goes without them": func(ctx context.Context, c *helmtest.ChartClient) error {
			_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
			return err
		},
		"a rollback goes to a revision without them": func(ctx context.Context, c *helmtest.ChartClient) error {
			_, err := c.Rollback(ctx, helmtest.NewRollback(1))
			return err
		},
	} {
		t.Run(why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			ctx := t.Context()
			_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "own.yaml": own, "moved.yaml": moved, "set.yaml": set}))
			g.Expect(err).NotTo(HaveOccurred())
			mark := []byte(`{"metadata":{"annotations":{"meta.helm.sh/release-name":"shop"}}}`)
			_, err = helmtest.Server.Admin.CoreV1().ConfigMaps(namespace).Patch(ctx, "moved", types.MergePatchType, mark, metav1.PatchOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = helmtest.Server.Admin.AppsV1().StatefulSets(namespace).Patch(ctx, "db", types.MergePatchType, mark, metav1.PatchOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			claim := claimOf("data-db-0", metav1.OwnerReference{})
			claim.OwnerReferences, claim.Labels = nil, map[string]string{"a": "b"}
			_, err = helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Create(ctx, claim, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())

			observed, retained := observeRetained(ctx)
			g.Expect(remove(observed, c)).To(Succeed())
			g.Expect(retained()).To(BeEmpty(), "the claim belongs to the release that has the StatefulSet")
			_, err = helmtest.GetConfigMap(t, namespace, "moved")
			g.Expect(err).NotTo(HaveOccurred())
			_, err = helmtest.Server.Admin.AppsV1().StatefulSets(namespace).Get(ctx, "db", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = helmtest.GetConfigMap(t, namespace, "own")
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
		})
	}
}
