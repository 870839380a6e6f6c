package drift_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
)

func TestDriftIsBounded(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	var many, wide strings.Builder
	for i := range 60 {
		fmt.Fprintf(&many, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-%02d}\n---\n", i)
		fmt.Fprintf(&wide, "  key-%02d: a\n", i)
	}
	long := strings.Repeat("l", 253)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{
		"z.yaml": many.String(),
		"b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-wide}\ndata:\n" + wide.String(),
		"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-long}\ndata: {" + long + ": a}\n",
	}))
	g.Expect(err).NotTo(HaveOccurred())
	for i := range 60 {
		deleteImmediately(t, namespace, fmt.Sprintf("ConfigMap/many-%02d", i))
	}
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "a-wide", `{"data":null}`)
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "a-long", `{"data":null}`)

	var under, most atomic.Int64
	counted := helmtest.NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		now := under.Add(1)
		defer under.Add(-1)
		old := most.Load()
		for now > old && !most.CompareAndSwap(old, now) {
			old = most.Load()
		}
		return next.RoundTrip(request)
	})
	found, err := counted.Drift(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(50))
	g.Expect(most.Load()).To(And(BeNumerically(">", 1), BeNumerically("<=", 8)), "objects are compared concurrently, up to a limit")
	g.Expect(found[0].Fields).To(Equal([]string{("data." + long)[:253]}))
	g.Expect(found[1].Fields).To(HaveLen(20))
	g.Expect(found[1].Fields[19]).To(Equal("data.key-19"), "the first of them")

	g.Expect(c.Correct(t.Context(), "blog")).To(HaveLen(50))
	g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty(), "all are corrected, not only those that are listed")
}

func TestDriftThatCannotBeCorrected(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": helmtest.DeploymentManifest("web", "1"), "cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	web := helmtest.GetLive(t, helmtest.Deployments, namespace, "web")
	deleteImmediately(t, namespace, "Deployment/web")
	g.Expect(unstructured.SetNestedField(web.Object, "c", "spec", "selector", "matchLabels", "a")).To(Succeed())
	g.Expect(unstructured.SetNestedField(web.Object, "c", "spec", "template", "metadata", "labels", "a")).To(Succeed())
	web.SetResourceVersion("")
	admin, err := dynamic.NewForConfig(helmtest.Server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = admin.Resource(helmtest.Deployments).Namespace(namespace).Create(ctx, web, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "blog", `{"data":{"v":"other"}}`)

	found, err := c.Drift(ctx, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(formatDrift(found)).To(Equal([]string{
		"ConfigMap/blog data.v",
		"Deployment/web spec.selector.matchLabels.a spec.template.metadata.labels.a",
	}))
	corrected, err := c.Correct(ctx, "blog")
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	g.Expect(err).To(MatchError(ContainSubstring("field is immutable")))
	g.Expect(formatDrift(corrected)).To(Equal([]string{"ConfigMap/blog data.v"}), "the others are corrected")
}

func TestDriftOfReplicasThatAreNoNumber(t *testing.T) {
	helmtest.RequireWidgets(t)
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{
		"w.yaml": "apiVersion: test.appmarket.io/v1\nkind: Widget\nmetadata: {name: gear}\nspec: {replicas: {east: 1}}\n",
	}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty())
	helmtest.PatchObject(t, helmtest.Resources["Widget"], namespace, "gear", `{"spec":{"replicas":{"east":2}}}`)
	found, err := c.Drift(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(formatDrift(found)).To(Equal([]string{"Widget/gear spec.replicas.east"}))
}

func TestDriftOfWhatIsBeingRemoved(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "blog", `{"metadata":{"finalizers":["example.org/wait"]},"data":{"v":"other"}}`)
	g.Expect(helmtest.Server.Admin.CoreV1().ConfigMaps(namespace).Delete(t.Context(), "blog", metav1.DeleteOptions{})).To(Succeed())
	g.Expect(c.Correct(t.Context(), "blog")).To(BeEmpty())
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "blog", `{"metadata":{"finalizers":null}}`)
	found, err := c.Correct(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(formatDrift(found)).To(Equal([]string{"ConfigMap/blog missing"}))
	again, err := helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Labels).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "Helm"))
	g.Expect(again.Annotations).To(And(HaveKeyWithValue("meta.helm.sh/release-name", "blog"),
		HaveKeyWithValue("meta.helm.sh/release-namespace", namespace)))
	g.Expect(again.ManagedFields).To(ContainElement(HaveField("Manager", "helm")))
}

func TestDriftComparesWithTheCompleteRevision(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	good := helmtest.NewSpec(map[string]string{"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: good}\n"})
	_, err := c.Install(t.Context(), good)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{
		"cm.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: bad}\n",
		"svc.yaml": strings.ReplaceAll(helmtest.Service, "port: 80", "port: 99999"),
	}))
	g.Expect(err).To(HaveOccurred())
	found, err := c.Correct(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(formatDrift(found)).To(Equal([]string{"ConfigMap/a data.v"}))
	cm, err := helmtest.GetConfigMap(t, namespace, "a")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cm.Data).To(HaveKeyWithValue("v", "good"))
}

func TestCorrectGoesByWhatIsThere(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"all.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: red, size: '1'}\n"}))
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "settings", `{"data":{"color":"blue"}}`)
	raced := map[bool]bool{}
	racing := helmtest.NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		// Another client changes the object once before the dry run and once before the correction.
		dry := request.URL.Query().Has("dryRun")
		if request.Method == http.MethodPatch && !raced[dry] {
			raced[dry] = true
			helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "settings", fmt.Sprintf(`{"data":{"size":"%d"}}`, 1+len(raced)))
		}
		return next.RoundTrip(request)
	})
	found, err := racing.Correct(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(formatDrift(found)).To(HaveLen(1))
	cm, err := helmtest.GetConfigMap(t, namespace, "settings")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cm.Data).To(Equal(map[string]string{"color": "red", "size": "1"}))
}

func TestDriftSaysWhichRightIsMissing(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": helmtest.Service}))
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.PatchObject(t, helmtest.Resources["ConfigMap"], namespace, "blog", `{"data":{"v":"other"}}`)
	deleteImmediately(t, namespace, "Service/blog")
	records := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}}
	readers := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "services"}, Verbs: []string{"get"}}
	helmtest.SetPermissions(t, namespace, records, readers)
	who := `service account "` + namespace + `/installer" cannot `
	g.Eventually(func() error { _, err := c.Drift(t.Context(), "blog"); return err }).
		Should(MatchError(fmt.Sprintf("%spatch configmaps in namespace %q", who, namespace)))
	found, err := c.Correct(t.Context(), "blog")
	g.Expect(err).To(MatchError(And(ContainSubstring(fmt.Sprintf("%spatch configmaps in namespace %q", who, namespace)),
		ContainSubstring(fmt.Sprintf("%screate services in namespace %q", who, namespace)))))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
	g.Expect(found).To(BeEmpty())

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Drift(ended, "blog")
	g.Expect(err).To(MatchError(context.Canceled))
}

func TestDriftFindsWhatHelmHasLeftInASecret(t *testing.T) {
	const secretChart = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n%s\n"
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": fmt.Sprintf(secretChart, "stringData: {kept: a, revoked: b, reused: c}")}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"a.yaml": fmt.Sprintf(secretChart, "")}))
	g.Expect(err).NotTo(HaveOccurred())
	// The state after an upgrade by Helm.
	helmtest.EditObject("Secret/a", `{"data":{"revoked":"Yg==","reused":"bmV3","own":"YQ=="}}`)(t, c, namespace)

	found, err := c.Drift(ctx, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(formatDrift(found)).To(Equal([]string{"Secret/a data.revoked"}))
	g.Expect(c.Correct(ctx, "blog")).To(HaveLen(1))
	g.Expect(c.Drift(ctx, "blog")).To(BeEmpty())
	secret, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).Get(ctx, "a", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(secret.Data).To(And(HaveLen(2), HaveKey("own"), HaveKey("reused")))
}
