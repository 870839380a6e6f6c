package release_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

func TestReleaseLives(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil(), "there is none yet")

	first := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": helmtest.Service, "templates/NOTES.txt": "Hello {{ .Release.Name }}."})
	first.Values = map[string]any{"v": "one"}
	r, err := c.Install(t.Context(), first)
	g.Expect(err).NotTo(HaveOccurred())
	digest, err := helmrelease.ConfigDigest(first.Values)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Status).To(Equal("deployed"))
	g.Expect([]any{r.Name, r.Namespace, r.Revision, r.ChartName, r.ChartVersion, r.Notes, r.Hooks, r.ConfigDigest, r.Deployed, r.Pending}).
		To(Equal([]any{"blog", namespace, 1, "web", "1.2.3", "Hello blog.", 0, digest, true, false}))
	g.Expect(r.Objects).To(Equal([]v1alpha1.ObjectReference{
		{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "blog"},
		{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: "blog"},
	}))
	g.Expect(r.Labels).To(HaveKeyWithValue("appmarket.io/instance", "blog"))
	cm, err := helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cm.Data).To(HaveKeyWithValue("v", "one"))

	second := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	second.MaxHistory = 2
	for range 3 {
		r, err = c.Upgrade(t.Context(), second)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(r.Revision).To(Equal(4))
	cm, err = helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cm.Data).To(HaveKeyWithValue("v", "none"), "values of the revision before are not taken over")
	_, err = helmtest.Server.Admin.CoreV1().Services(namespace).Get(t.Context(), "blog", metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "what the chart no longer has is gone")
	secrets, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(secrets.Items).To(HaveLen(2), "history is bounded")

	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
	_, err = helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed(), "again does no harm")
}

func TestInstallKeepsItsHandsOffOthers(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())

	_, err = c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).To(MatchError(fmt.Sprintf(
		`install release "blog": namespace %s already has a release with this name`, namespace)))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInstallFailed))

	other := helmtest.NewSpec(map[string]string{"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: blog\n"})
	other.Name = "shop"
	_, err = c.Install(t.Context(), other)
	g.Expect(err).To(MatchError(fmt.Sprintf(
		`ConfigMap "blog" in namespace %q already exists and is managed by Helm release "blog"; use another name for the instance, or uninstall that release first`, namespace)))
	g.Expect(c.Get(t.Context(), "shop")).To(BeNil())

	_, err = helmtest.Server.Admin.CoreV1().ConfigMaps(namespace).Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	mine := helmtest.NewSpec(map[string]string{"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mine\n"})
	mine.Name = "mine"
	_, err = c.Install(t.Context(), mine)
	g.Expect(err).To(MatchError(fmt.Sprintf(`ConfigMap "mine" in namespace %q already exists and is not managed by Helm; delete it, or use another name for the instance`, namespace)))

	_, err = c.Upgrade(t.Context(), mine)
	g.Expect(err).To(MatchError(fmt.Sprintf(`upgrade release "mine": not found in namespace %s`, namespace)))
}

func TestFailedInstallIsContinued(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	broken := helmtest.NewSpec(map[string]string{
		"cm.yaml":    helmtest.ConfigMap,
		"old.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: old\n",
		"svc.yaml":   "apiVersion: v1\nkind: Service\nmetadata:\n  name: blog\nspec:\n  ports: [{port: 99999}]\n",
		"claim.yaml": "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: old\nspec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n",
	})
	_, err := c.Install(t.Context(), broken)
	g.Expect(err).To(MatchError(ContainSubstring(`spec.ports[0].port: Invalid value: 99999`)))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInstallFailed))
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status, r.Deployed}).To(Equal([]any{1, "failed", false}))

	stranger := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	stranger.Labels = map[string]string{"appmarket.io/instance": "other"}
	_, err = c.Install(t.Context(), stranger)
	g.Expect(err).To(MatchError(ContainSubstring("already has a release with this name")))

	r, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{
		"cm.yaml": helmtest.ConfigMap, "svc.yaml": helmtest.Service,
		"when.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: when\ndata: {install: {{ .Release.IsInstall | quote }}}\n",
	}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status, r.Deployed}).To(Equal([]any{2, "deployed", true}))
	when, err := helmtest.GetConfigMap(t, namespace, "when")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(when.Data).To(HaveKeyWithValue("install", "true"), "it is still the first installation")
	_, err = helmtest.GetConfigMap(t, namespace, "old")
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "what the failed revision left behind is gone")
	_, err = helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "old", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred(), "but no volume claim ever is")
}

func TestFailedUpgradeIsContinued(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{
		"cm.yaml": helmtest.ConfigMap, "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: left\n",
		"svc.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: blog\nspec:\n  ports: [{port: 99999}]\n",
	}))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status, r.Deployed}).To(Equal([]any{2, "failed", true}))
	r, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{3, "deployed"}))
	_, err = helmtest.GetConfigMap(t, namespace, "left")
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "what the failed revision left behind is gone")
}

func TestOperationsSayWhatIsWrong(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	cases := []struct {
		why     string
		spec    helmtest.ChartSpec
		reason  string
		stalled bool
		want    string
	}{{
		why: "kinds that are not there are named",
		spec: helmtest.NewSpec(map[string]string{
			"a.yaml": "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: a}\n",
			"b.yaml": "apiVersion: apps.kubeblocks.io/v1\nkind: Cluster\nmetadata: {name: b}\n",
		}),
		reason: v1alpha1.ReasonNoKindMatch,
		want:   `no matches for kind "Cluster" in version "apps.kubeblocks.io/v1", kind "IngressRoute" in version "traefik.io/v1alpha1": install the operator`,
	}, {
		why:     "a template that fails",
		spec:    helmtest.NewSpec(map[string]string{"a.yaml": "a: {{ .Values.domain.web }}"}),
		reason:  v1alpha1.ReasonRenderFailed,
		stalled: true,
		want:    "templates/a.yaml:1: nil pointer evaluating interface {}.web; give .Values.domain.web",
	}, {
		why: "values that break the schema",
		spec: helmtest.NewSpec(map[string]string{
			"cm.yaml":            helmtest.ConfigMap,
			"values.schema.json": `{"type": "object", "required": ["host"]}`,
		}),
		reason:  v1alpha1.ReasonSchemaViolation,
		stalled: true,
		want:    "values do not match values.schema.json: host: Required value",
	}, {
		why:     "a name that is none",
		spec:    helmtest.ChartSpec{Spec: plain.Spec{Name: "Not/Good"}, Files: helmtest.NewChartFiles(map[string]string{})},
		reason:  v1alpha1.ReasonInstallFailed,
		stalled: true,
		want:    `name release "Not/Good"`,
	}, {
		why:     "no chart",
		spec:    helmtest.ChartSpec{Spec: plain.Spec{Name: "blog"}},
		reason:  v1alpha1.ReasonInstallFailed,
		stalled: true,
		want:    "no chart is given",
	}, {
		why: "rights that the account would grant and does not have",
		spec: helmtest.NewSpec(map[string]string{
			"role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all-" + namespace + "}\nrules: []\n",
		}),
		reason: v1alpha1.ReasonPermissionDenied,
		want:   `service account "` + namespace + `/installer" cannot get clusterroles.rbac.authorization.k8s.io at cluster scope`,
	}, {
		why:     "a record that is too large",
		spec:    helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "files/noise.bin": helmtest.RandomText(26 << 20)}),
		reason:  v1alpha1.ReasonLimitExceeded,
		stalled: true,
		want:    "the record of the release needs 35 MiB, at most 32 MiB are allowed: reduce the chart or the values",
	}}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := c.Install(t.Context(), one.spec)
			g.Expect(err).To(MatchError(ContainSubstring(one.want)))
			g.Expect(outcome.Reason(err, "")).To(Equal(one.reason))
			g.Expect(outcome.IsStalled(err)).To(Equal(one.stalled))
			g.Expect(c.Get(t.Context(), "blog")).To(BeNil(), "nothing is left")
		})
	}
}

func TestTenantHasOnlyItsRights(t *testing.T) {
	records := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}}
	t.Run("none at all", func(t *testing.T) {
		g := NewWithT(t)
		tenant := helmtest.NewTenant(t)
		c := helmtest.NewClientFor(helmtest.Server.Clients, tenant)
		_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
		g.Expect(err).To(MatchError(fmt.Sprintf(`service account "%[1]s/installer" cannot list secrets in namespace %[1]q`, tenant.Namespace)))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
		g.Expect(outcome.IsStalled(err)).To(BeFalse(), "the permission can be granted at any time")
	})
	t.Run("some", func(t *testing.T) {
		g := NewWithT(t)
		tenant := helmtest.NewTenant(t, records, rbacv1.PolicyRule{
			APIGroups: []string{"", "apps"}, Resources: []string{"configmaps", "deployments"}, Verbs: []string{"get", "list"},
		})
		c := helmtest.NewClientFor(helmtest.Server.Clients, tenant)
		both := helmtest.NewSpec(map[string]string{
			"cm.yaml": helmtest.ConfigMap,
			"d.yaml":  "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b}]}}}\n",
		})
		var err error
		g.Eventually(func() string {
			_, err = c.Upgrade(t.Context(), both)
			if err != nil && outcome.Reason(err, "") == v1alpha1.ReasonUpgradeFailed {
				_, err = c.Install(t.Context(), both)
			}
			return fmt.Sprint(err)
		}).Should(ContainSubstring(fmt.Sprintf("cannot create configmaps in namespace %q", tenant.Namespace)))
		g.Expect(err.Error()).To(ContainSubstring(fmt.Sprintf("cannot create deployments.apps in namespace %q", tenant.Namespace)))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))

		_, err = helmtest.Server.Admin.RbacV1().Roles(tenant.Namespace).Update(t.Context(), &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: "installer", Namespace: tenant.Namespace},
			Rules:      []rbacv1.PolicyRule{helmtest.Everything},
		}, metav1.UpdateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Eventually(func() error {
			_, err := c.Upgrade(t.Context(), both)
			return err
		}).Should(Succeed(), "with the rights it goes on")

		_, err = helmtest.Server.Admin.RbacV1().Roles(tenant.Namespace).Update(t.Context(), &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: "installer", Namespace: tenant.Namespace},
			Rules:      []rbacv1.PolicyRule{records},
		}, metav1.UpdateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Eventually(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute}) }).
			Should(MatchError(ContainSubstring(fmt.Sprintf("cannot delete deployments.apps in namespace %q", tenant.Namespace))))
		r, err := c.Get(t.Context(), "blog")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r).NotTo(BeNil(), "the record stays as long as the objects do")
		g.Expect(r.Pending).To(BeFalse(), "and is not left pending")
	})
	t.Run("an operation in another namespace", func(t *testing.T) {
		c, namespace := helmtest.NewClient(t)
		other := helmtest.NewTenant(t)
		_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{
			"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: " + other.Namespace + "}\n",
		}))
		NewWithT(t).Expect(err).To(MatchError(
			fmt.Sprintf(`service account "%s/installer" cannot get configmaps in namespace %q`, namespace, other.Namespace)))
	})
}

func TestCanceledOperationIsSettled(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	s := helmtest.NewSpec(map[string]string{"hook.yaml": hookJob("wait", "pre-install"), "cm.yaml": helmtest.ConfigMap})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Install(ctx, s)
		done <- err
	}()
	g.Eventually(func() error { return jobExists(t, namespace, "wait") }).Should(Succeed())
	began := time.Now()
	cancel()
	var err error
	g.Eventually(done, "10s").Should(Receive(&err))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(time.Since(began)).To(BeNumerically("<", 5*time.Second))
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Status, r.Pending, r.Interrupted}).To(Equal([]any{"failed", false, true}))
	_, err = helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "nothing goes on behind its back")
}

func TestInstallIsQuick(t *testing.T) {
	c, _ := helmtest.NewClient(t)
	g := NewWithT(t)
	quick := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": helmtest.Service})
	var alone time.Duration
	for i := range 3 {
		quick.Name = fmt.Sprintf("warm-%d", i)
		began := time.Now()
		_, err := c.Install(t.Context(), quick)
		alone = time.Since(began)
		g.Expect(err).NotTo(HaveOccurred())
	}
	var all sync.WaitGroup
	errs := make([]error, 50)
	began := time.Now()
	for i := range errs {
		all.Go(func() {
			one := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
			one.Name = fmt.Sprintf("many-%d", i)
			_, errs[i] = c.Install(t.Context(), one)
		})
	}
	all.Wait()
	for _, err := range errs {
		g.Expect(err).NotTo(HaveOccurred())
	}
	t.Logf("one install %s, %d at once %s", alone.Round(time.Millisecond), len(errs), time.Since(began).Round(time.Millisecond))
	g.Expect(alone).To(BeNumerically("<", 2*time.Second))
}

func TestConfigDigestIsOfTheContent(t *testing.T) {
	cases := []struct {
		why  string
		a, b map[string]any
		same bool
	}{
		{why: "no values are no values", a: nil, b: map[string]any{}, same: true},
		{why: "order is of no matter", a: map[string]any{"a": 1, "b": 2}, b: map[string]any{"b": 2, "a": 1}, same: true},
		{why: "as read back from a record", a: map[string]any{"a": 1}, b: map[string]any{"a": json.Number("1")}, same: true},
		{why: "another value", a: map[string]any{"a": 1}, b: map[string]any{"a": 2}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			a, err := helmrelease.ConfigDigest(c.a)
			g.Expect(err).NotTo(HaveOccurred())
			b, err := helmrelease.ConfigDigest(c.b)
			g.Expect(err).NotTo(HaveOccurred())
			if c.same {
				g.Expect(a).To(Equal(b))
			} else {
				g.Expect(a).NotTo(Equal(b))
			}
		})
	}
}
