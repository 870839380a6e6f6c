package release_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

func TestUnlockMarksInterruptedAsFailed(t *testing.T) {
	cases := []struct {
		why      string
		status   release.Status
		upgraded bool
	}{
		{why: "a first installation", status: release.StatusPendingInstall},
		{why: "an upgrade", status: release.StatusPendingUpgrade, upgraded: true},
		{why: "a rollback", status: release.StatusPendingRollback, upgraded: true},
		{why: "a removal", status: release.StatusUninstalling},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			s := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
			revision := 1
			_, err := c.Install(t.Context(), s)
			g.Expect(err).NotTo(HaveOccurred())
			if one.upgraded {
				revision++
				_, err = c.Upgrade(t.Context(), s)
				g.Expect(err).NotTo(HaveOccurred())
			}
			store := storage.Init(driver.NewSecrets(helmtest.Server.Admin.CoreV1().Secrets(namespace)))
			record, err := store.Get("blog", revision)
			g.Expect(err).NotTo(HaveOccurred())
			record.Info.Status = one.status
			g.Expect(store.Update(record)).To(Succeed())
			before, err := helmtest.GetConfigMap(t, namespace, "blog")
			g.Expect(err).NotTo(HaveOccurred())

			for range 2 {
				g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
			}
			r, err := c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Revision, r.Status, r.Pending, r.Interrupted}).
				To(Equal([]any{revision, "failed", false, true}))
			after, err := helmtest.GetConfigMap(t, namespace, "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(after.ResourceVersion).To(Equal(before.ResourceVersion), "no object is touched")

			r, err = c.Upgrade(t.Context(), s)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{revision + 1, "deployed"}))
			g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
		})
	}
}

func TestUnlockChangesNothingElse(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	g.Expect(c.Unlock(t.Context(), "none")).To(Succeed())
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	secrets := helmtest.Server.Admin.CoreV1().Secrets(namespace)
	before, err := secrets.Get(t.Context(), "sh.helm.release.v1.blog.v1", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
	after, err := secrets.Get(t.Context(), "sh.helm.release.v1.blog.v1", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
}

const claimText = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %NAME%}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

func TestVolumeClaimsAreKept(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	claims := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace)
	for _, foreign := range []corev1.PersistentVolumeClaim{
		{ObjectMeta: metav1.ObjectMeta{Name: "data-db-0", Labels: map[string]string{"app": "db"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "data-db-1", Labels: map[string]string{"app": "other"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "data-db-x", Labels: map[string]string{"app": "db"}}},
	} {
		foreign.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		foreign.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
		_, err := claims.Create(ctx, &foreign, metav1.CreateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	templates := map[string]string{
		"claim.yaml": strings.ReplaceAll(claimText, "%NAME%", "photos") + "---\n" + helmtest.ConfigMap,
		"list.yaml":  "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: PersistentVolumeClaim\n  metadata: {name: films}\n  spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
		"hook.yaml":  strings.ReplaceAll(claimText, "{name: %NAME%}", "{name: music, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}"),
		"set.yaml": `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: a, image: b}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
	}
	_, err := c.Install(ctx, helmtest.NewSpec(templates))
	g.Expect(err).NotTo(HaveOccurred())
	music, err := claims.Get(ctx, "music", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())

	g.Expect(c.ListRetained(ctx, "none")).To(BeEmpty())
	found, err := c.ListRetained(ctx, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, ref := range found {
		names = append(names, ref.Name)
	}
	g.Expect(names).To(Equal([]string{"data-db-0", "films", "music", "photos"}))

	_, err = c.Upgrade(ctx, helmtest.NewSpec(templates))
	g.Expect(err).NotTo(HaveOccurred())
	again, err := claims.Get(ctx, "music", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.UID).To(Equal(music.UID), "a hook does not lose its volume")

	delete(templates, "claim.yaml")
	_, err = c.Upgrade(ctx, helmtest.NewSpec(templates))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	for _, ref := range found {
		claim, err := claims.Get(ctx, ref.Name, metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred(), ref.Name+" is still there")
		g.Expect(claim.DeletionTimestamp).To(BeNil())
	}

	_, err = c.Install(ctx, helmtest.NewSpec(map[string]string{"claim.yaml": strings.ReplaceAll(claimText, "%NAME%", "photos")}))
	g.Expect(err).NotTo(HaveOccurred(), "the same instance finds its volume again")
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())

	g.Expect(c.DeleteKept(ctx, append(found, v1alpha1.ObjectReference{
		APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: "gone",
	}))).To(Succeed())
	left, err := claims.List(ctx, metav1.ListOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	for _, claim := range left.Items {
		if claim.Name != "data-db-1" && claim.Name != "data-db-x" {
			g.Expect(claim.DeletionTimestamp).NotTo(BeNil(), claim.Name+" goes when its volume is free")
		} else {
			g.Expect(claim.DeletionTimestamp).To(BeNil(), claim.Name+" belongs to another release")
		}
	}
}
