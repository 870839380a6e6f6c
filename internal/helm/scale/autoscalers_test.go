package scale_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

func TestResumeKeepsToAutoscalers(t *testing.T) {
	two := int32(2)
	cases := []struct {
		why      string
		name     string
		replicas string
		scaler   *autoscalingv2.HorizontalPodAutoscalerSpec
		want     int64
	}{
		{why: "no autoscaler", name: "free", replicas: "9", want: 9},
		{why: "it was below the least", name: "low", replicas: "1", scaler: helmtest.NewAutoscalerSpec("Deployment", &two, 5), want: 2},
		{why: "it was above the most", name: "high", replicas: "9", scaler: helmtest.NewAutoscalerSpec("Deployment", &two, 5), want: 5},
		{why: "it was between", name: "fit", replicas: "3", scaler: helmtest.NewAutoscalerSpec("Deployment", &two, 5), want: 3},
		{why: "no least is given", name: "one", replicas: "1", scaler: helmtest.NewAutoscalerSpec("Deployment", nil, 5), want: 1},
		{why: "it was not running, and is not scaled then", name: "none", replicas: "0", scaler: helmtest.NewAutoscalerSpec("Deployment", &two, 5), want: 0},
		{why: "another kind is scaled", name: "kind", replicas: "9", scaler: helmtest.NewAutoscalerSpec("StatefulSet", &two, 5), want: 9},
	}
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	templates := map[string]string{}
	for _, one := range cases {
		templates[one.name+".yaml"] = helmtest.DeploymentManifest(one.name, one.replicas)
	}
	_, err := c.Install(t.Context(), helmtest.NewSpec(templates))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	for _, one := range cases {
		if one.scaler == nil {
			continue
		}
		one.scaler.ScaleTargetRef.Name = one.name
		_, err := helmtest.Server.Admin.AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(t.Context(),
			&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: one.name}, Spec: *one.scaler},
			metav1.CreateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(c.Resume(t.Context(), "blog")).To(Succeed())
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			NewWithT(t).Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, one.name), "spec.replicas")).To(Equal(one.want))
		})
	}
}

func TestStopLeavesOthersAlone(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{
		"a.yaml": helmtest.DeploymentManifest("taken", "1"), "b.yaml": helmtest.DeploymentManifest("gone", "1"), "c.yaml": helmtest.DeploymentManifest("hand", "1"),
		"d.yaml": helmtest.DeploymentManifest("again", "1"), "job.yaml": allWorkloads["job.yaml"],
	}))
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.PatchObject(t, helmtest.Deployments, namespace, "taken", `{"metadata":{"annotations":{"meta.helm.sh/release-name":"other"}}}`)
	g.Expect(helmtest.Server.Admin.AppsV1().Deployments(namespace).Delete(ctx, "gone", metav1.DeleteOptions{})).To(Succeed())
	helmtest.EndJob(t, namespace, "import", helmtest.Completed...)

	g.Expect(c.Stop(ctx, "blog")).To(Succeed())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "taken"), "spec.replicas")).To(Equal(int64(1)), "it is another release's")
	g.Expect(helmtest.GetLive(t, scaleFields[10].resource, namespace, "import").GetAnnotations()).
		NotTo(HaveKey("appmarket.io/before-stop"), "the job has ended")
	stopped, total, err := c.Workloads(ctx, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]int{stopped, total}).To(Equal([]int{2, 2}))

	helmtest.PatchObject(t, helmtest.Deployments, namespace, "hand", `{"metadata":{"annotations":{"appmarket.io/before-stop":null}}}`)
	helmtest.PatchObject(t, helmtest.Deployments, namespace, "again", `{"spec":{"replicas":4}}`)
	g.Expect(c.Stop(ctx, "blog")).To(Succeed())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "again"), "spec.replicas")).
		To(Equal(int64(0)), "an upgrade may have started it between two halves of a stop")
	helmtest.PatchObject(t, helmtest.Deployments, namespace, "hand", `{"metadata":{"annotations":{"appmarket.io/before-stop":null}}}`)
	g.Expect(c.Resume(ctx, "blog")).To(Succeed())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "hand"), "spec.replicas")).To(Equal(int64(0)), "without a note it stays")
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "again"), "spec.replicas")).To(Equal(int64(1)), "the older note counts")
}

func TestStopFindsWhatAFailedUpgradeLeft(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": helmtest.DeploymentManifest("old", "1")}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{
		"b.yaml": helmtest.DeploymentManifest("new", "1"), "svc.yaml": strings.ReplaceAll(helmtest.Service, "port: 80", "port: 99999"),
	}))
	g.Expect(err).To(HaveOccurred())
	g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "old"), "spec.replicas")).To(Equal(int64(0)))
}

func TestStopWithoutARelease(t *testing.T) {
	c, _ := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	none := func() {
		g.Expect(c.Stop(ctx, "blog")).To(Succeed())
		g.Expect(c.Resume(ctx, "blog")).To(Succeed())
		stopped, total, err := c.Workloads(ctx, "blog")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect([]int{stopped, total}).To(Equal([]int{0, 0}))
		g.Expect(c.Drift(ctx, "blog")).To(BeEmpty())
		g.Expect(c.Correct(ctx, "blog")).To(BeEmpty())
	}
	none()
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": helmtest.DeploymentManifest("web", "1")}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{
		"a.yaml": helmtest.DeploymentManifest("web", "1"), "svc.yaml": strings.ReplaceAll(helmtest.Service, "port: 80", "port: 99999"),
	}))
	g.Expect(err).To(HaveOccurred())
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", KeepHistory: true, Timeout: time.Minute})).To(Succeed())
	none()
}

func TestResumeDoubtsNotes(t *testing.T) {
	cases := []struct{ why, note string }{
		{why: "no JSON", note: `3`},
		{why: "of another kind", note: `{"suspend":false}`},
		{why: "no number", note: `{"replicas":"3"}`},
		{why: "no whole number", note: `{"replicas":1.5}`},
		{why: "none that can be", note: `{"replicas":-1}`},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": helmtest.DeploymentManifest("a", "2"), "b.yaml": helmtest.DeploymentManifest("b", "2")}))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
			helmtest.PatchObject(t, helmtest.Deployments, namespace, "a", fmt.Sprintf(`{"metadata":{"annotations":{"appmarket.io/before-stop":%q}}}`, one.note))
			err = c.Resume(t.Context(), "blog")
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonResumeFailed))
			g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "b"), "spec.replicas")).To(Equal(int64(2)), "the others go on")
		})
	}
}

func TestStopSaysWhichRightIsMissing(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": helmtest.DeploymentManifest("a", "2"), "b.yaml": allWorkloads["set.yaml"]}))
	g.Expect(err).NotTo(HaveOccurred())
	records := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}}
	workloads := rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"*"}, Verbs: []string{"get"}}
	helmtest.SetPermissions(t, namespace, records, workloads)
	g.Eventually(func() error { return c.Stop(t.Context(), "blog") }).Should(MatchError(And(
		ContainSubstring(fmt.Sprintf(`service account "%[1]s/installer" cannot patch deployments.apps in namespace %[1]q`, namespace)),
		ContainSubstring(fmt.Sprintf("cannot patch statefulsets.apps in namespace %q", namespace)))))
	g.Expect(outcome.Reason(c.Stop(t.Context(), "blog"), "")).To(Equal(v1alpha1.ReasonPermissionDenied))

	workloads.Verbs = []string{"get", "patch"}
	helmtest.SetPermissions(t, namespace, records, workloads)
	g.Eventually(func() error { return c.Stop(t.Context(), "blog") }).Should(Succeed())
	err = c.Resume(t.Context(), "blog")
	g.Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf("cannot list horizontalpodautoscalers.autoscaling in namespace %q", namespace))))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
}

func TestStopReachesOtherNamespaces(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	other := helmtest.NewTenant(t).Namespace
	_, err := helmtest.Server.Admin.RbacV1().RoleBindings(other).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "guest"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "installer", Namespace: namespace}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	s := helmtest.NewSpec(map[string]string{"a.yaml": strings.Replace(helmtest.DeploymentManifest("web", "2"), "name: web}", "name: web, namespace: "+other+"}", 1)})
	g.Eventually(func() error {
		_, err := c.Upgrade(t.Context(), s)
		if outcome.Reason(err, "") == v1alpha1.ReasonUpgradeFailed {
			_, err = c.Install(t.Context(), s)
		}
		return err
	}).Should(Succeed())
	g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, other, "web"), "spec.replicas")).To(Equal(int64(0)))
	g.Expect(c.Resume(t.Context(), "blog")).To(Succeed())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, other, "web"), "spec.replicas")).To(Equal(int64(2)))
	helmtest.PatchObject(t, helmtest.Deployments, other, "web", `{"spec":{"replicas":5}}`)
	g.Expect(c.Correct(t.Context(), "blog")).To(HaveLen(1))
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, other, "web"), "spec.replicas")).To(Equal(int64(2)))
}
