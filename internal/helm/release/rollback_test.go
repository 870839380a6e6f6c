package release_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

const (
	plainMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %NAME%\n"
	badPort  = "apiVersion: v1\nkind: Service\nmetadata:\n  name: bad\nspec:\n  ports: [{port: 99999}]\n"
)

func replaceName(text, name string) string { return strings.ReplaceAll(text, "%NAME%", name) }

// configMaps returns the names of the ConfigMaps in a namespace, without the ConfigMap that the
// cluster creates.
func configMaps(t testing.TB, namespace string) []string {
	t.Helper()
	list, err := helmtest.Server.Admin.CoreV1().ConfigMaps(namespace).List(context.Background(), metav1.ListOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	names := []string{}
	for _, one := range list.Items {
		if one.Name != "kube-root-ca.crt" {
			names = append(names, one.Name)
		}
	}
	return names
}

// createTwoRevisions creates revision 1 with a Service, and revision 2 with another ConfigMap and a
// volume claim instead.
func createTwoRevisions(t testing.TB, c *helmtest.ChartClient) {
	t.Helper()
	g := NewWithT(t)
	first := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": helmtest.Service, "templates/NOTES.txt": "One."})
	first.Values = map[string]any{"v": "one"}
	_, err := c.Install(t.Context(), first)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{
		"cm.yaml": helmtest.ConfigMap, "more.yaml": replaceName(plainMap, "more"), "claim.yaml": replaceName(claimText, "photos"),
	}))
	g.Expect(err).NotTo(HaveOccurred())
}

func TestRollbackGoesBack(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	createTwoRevisions(t, c)

	r, err := c.Rollback(ctx, helmtest.NewRollback(1))
	g.Expect(err).NotTo(HaveOccurred())
	digest, err := helmrelease.ConfigDigest(map[string]any{"v": "one"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status, r.Notes, r.ConfigDigest, r.Deployed, r.Description}).
		To(Equal([]any{3, "deployed", "One.", digest, true, "Rollback to 1"}))
	g.Expect(r.Labels).To(HaveKeyWithValue("appmarket.io/instance", "blog"))
	g.Expect(r.Labels).To(HaveKeyWithValue("appmarket.io/run", "3.rollback-1"))
	cm, err := helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cm.Data).To(Equal(map[string]string{"v": "one", "revision": "1"}), "the recorded manifest is not rendered again")
	_, err = helmtest.Server.Admin.CoreV1().Services(namespace).Get(ctx, "blog", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred(), "what went is there again")
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}), "what came since is gone")
	_, err = helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, "photos", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred(), "but no volume claim")

	again := helmtest.NewRollback(1)
	again.Resumed = true
	r, err = c.Rollback(ctx, again)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Revision).To(Equal(3), "it was complete when it was cut off")
	r, err = c.Rollback(ctx, helmtest.NewRollback(1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Revision).To(Equal(4), "a repeated request is a new rollback")
	again.Revision = 2
	r, err = c.Rollback(ctx, again)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Revision).To(Equal(5), "to another revision is something else")
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog", "more"}))
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	g.Expect(configMaps(t, namespace)).To(BeEmpty())
}

// TestRollbackAcrossVersions rolls back to a revision in which the same object has another API
// version.
func TestRollbackAcrossVersions(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	scaler := "kind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": "apiVersion: autoscaling/v1\n" + scaler}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"a.yaml": "apiVersion: autoscaling/v2\n" + scaler}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Rollback(ctx, helmtest.NewRollback(1))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = helmtest.Server.Admin.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(ctx, "web", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred(), "it is still there")
}

func TestRollbackKeepsWhereItWent(t *testing.T) {
	c, _ := helmtest.NewClient(t)
	g := NewWithT(t)
	createTwoRevisions(t, c)
	_, err := c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	to := helmtest.NewRollback(1)
	to.MaxHistory = 1
	for revision := range 2 {
		r, err := c.Rollback(t.Context(), to)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.Revision).To(Equal(4 + revision))
	}
	to.Revision = 2
	_, err = c.Rollback(t.Context(), to)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRevisionNotFound), "but no other beyond the bound")
}

func TestRollbackRefuses(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	createTwoRevisions(t, c)
	_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": badPort}))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	gone := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	gone.Name = "gone"
	_, err = c.Install(ctx, gone)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "gone", KeepHistory: true, Timeout: time.Minute})).To(Succeed())

	for _, one := range []struct {
		why    string
		to     plain.Rollback
		reason string
		want   string
	}{
		{why: "a revision that is not recorded", to: plain.Rollback{Name: "blog", Revision: 7}, reason: v1alpha1.ReasonRevisionNotFound,
			want: `roll back Helm release "blog": revision 7 is not recorded; the recorded revisions are 1, 2, 3`},
		{why: "no revision at all", to: plain.Rollback{Name: "blog"}, reason: v1alpha1.ReasonRevisionNotFound,
			want: `roll back Helm release "blog": revision 0 is not recorded; the recorded revisions are 1, 2, 3`},
		{why: "a revision that was never complete", to: plain.Rollback{Name: "blog", Revision: 3}, reason: v1alpha1.ReasonRollbackFailed,
			want: `roll back Helm release "blog": revision 3 is failed and was never complete; choose a complete revision: 1, 2`},
		{why: "a release that is not there", to: plain.Rollback{Name: "none", Revision: 1}, reason: v1alpha1.ReasonRevisionNotFound,
			want: fmt.Sprintf(`roll back release "none": not found in namespace %s`, namespace)},
		{why: "a release that was removed", to: plain.Rollback{Name: "gone", Revision: 1}, reason: v1alpha1.ReasonRevisionNotFound,
			want: fmt.Sprintf(`roll back release "gone": not found in namespace %s`, namespace)},
		{why: "a name that is none", to: plain.Rollback{Name: "Not/Good", Revision: 1}, reason: v1alpha1.ReasonRollbackFailed,
			want: `name release "Not/Good": `},
	} {
		t.Run(one.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := c.Rollback(ctx, one.to)
			g.Expect(err).To(MatchError(HavePrefix(one.want)))
			g.Expect(outcome.Reason(err, "")).To(Equal(one.reason))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
		})
	}
	r, err := c.Get(ctx, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Revision).To(Equal(3), "nothing was begun")
}

func TestRollbackTakesNothingFromOthers(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "more.yaml": replaceName(plainMap, "more")}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	other := helmtest.NewSpec(map[string]string{"more.yaml": replaceName(plainMap, "more")})
	other.Name = "shop"
	_, err = c.Install(ctx, other)
	g.Expect(err).NotTo(HaveOccurred())

	_, err = c.Rollback(ctx, helmtest.NewRollback(1))
	g.Expect(err).To(MatchError(fmt.Sprintf(`ConfigMap "more" in namespace %q already exists and is managed by Helm release "shop"; use another name for the instance, or uninstall that release first`, namespace)))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRollbackFailed))
	r, err := c.Get(ctx, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Revision).To(Equal(2))
}

func TestRollbackAfterFailedUpgrade(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	createTwoRevisions(t, c)
	_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{
		"cm.yaml": helmtest.ConfigMap, "new.yaml": replaceName(plainMap, "new"), "claim.yaml": replaceName(claimText, "films"), "svc.yaml": badPort,
	}))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog", "more", "new"}))

	r, err := c.Rollback(ctx, helmtest.NewRollback(1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{4, "deployed"}))
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}),
		"gone is what the failed revision brought, and what the one before it did, with which Helm did not compare")
	for _, name := range []string{"photos", "films"} {
		_, err = helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred(), "but no volume claim ever is")
	}
}

func TestFailedRollbackForgetsNothing(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	frozen := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: frozen}\nimmutable: {{ .Values.frozen }}\ndata: {v: '{{ .Values.frozen }}'}\n"
	s := helmtest.NewSpec(map[string]string{"frozen.yaml": frozen})
	s.Values = map[string]any{"frozen": false}
	_, err := c.Install(ctx, s)
	g.Expect(err).NotTo(HaveOccurred())
	s = helmtest.NewSpec(map[string]string{"frozen.yaml": frozen, "more.yaml": replaceName(plainMap, "more")})
	s.Values = map[string]any{"frozen": true}
	_, err = c.Upgrade(ctx, s)
	g.Expect(err).NotTo(HaveOccurred())

	for revision := range 2 {
		_, err = c.Rollback(ctx, helmtest.NewRollback(1))
		g.Expect(err).To(MatchError(ContainSubstring("field is immutable when `immutable` is set")))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRollbackFailed))
		r, err := c.Get(ctx, "blog")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect([]any{r.Revision, r.Status, r.Interrupted, r.Deployed}).
			To(Equal([]any{3 + revision, "failed", false, true}))
	}
	s.Files = helmtest.NewChartFiles(map[string]string{"templates/frozen.yaml": frozen})
	r, err := c.Upgrade(ctx, s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Status).To(Equal("deployed"))
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"frozen"}), "an upgrade compares with the last complete revision still")
}

func TestUninstallAfterFailedUpgrade(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	createTwoRevisions(t, c)
	_, err := c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": badPort}))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	g.Expect(configMaps(t, namespace)).To(BeEmpty(), "what only the last complete revision has goes too")
}

// rollbackHooks is a chart with rollback hooks, which also run after the installation.
var rollbackHooks = map[string]string{
	"a.yaml":  hookJob("first", "pre-rollback,post-install"),
	"b.yaml":  hookJob("second", "post-rollback,post-install"),
	"c.yaml":  hookJob("never", "test"),
	"cm.yaml": helmtest.ConfigMap,
}
