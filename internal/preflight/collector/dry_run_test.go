package collector_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

// createOwner creates a service account with all permissions in its namespace.
func createOwner(t *testing.T, server *testenv.Env) release.Tenant {
	t.Helper()
	tenant := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "owner"}
	server.Allow(t, tenant.Namespace, tenant.ServiceAccount, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	return tenant
}

func configMapYAML(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}"
}

func TestExistingObjects(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	made := func(name, release, namespace string) {
		meta := metav1.ObjectMeta{Namespace: tenant.Namespace, Name: name}
		if release != "" {
			meta.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
			meta.Annotations = map[string]string{"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
		}
		server.Create(t, &corev1.ConfigMap{ObjectMeta: meta})
	}
	made("unowned", "", "")
	made("own", "web", tenant.Namespace)
	made("other", "blog", tenant.Namespace)
	made("far", "web", "elsewhere")
	w := newRequest(tenant, configMapYAML("unowned"), configMapYAML("own"), configMapYAML("other"), configMapYAML("far"), configMapYAML("new"))
	w.Units[0].Release = "web"
	g.Expect(checkMessages(t.Context(), g, newCollector(t, server), w)).To(ConsistOf(
		HavePrefix("ConfigMap/unowned already exists and is not managed by Helm;"),
		HavePrefix(`ConfigMap/other already exists and is managed by Helm release "blog";`),
		HavePrefix(`ConfigMap/far already exists and is managed by Helm release "web" in namespace "elsewhere";`)))

	list := &corev1.ConfigMapList{}
	g.Expect(server.Client.List(t.Context(), list)).To(Succeed())
	for _, one := range list.Items {
		g.Expect(one.Name).NotTo(Equal("new"), "a dry run creates nothing")
	}
}

func TestRejectedObjects(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	for _, c := range []struct{ why, text, message string }{
		{"an invalid port name", "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{name: Web_Port, port: 80}]}", "Service/shop: spec.ports[0].name: "},
		{"a duplicate port name", "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{name: a, port: 80}, {name: a, port: 81}]}", "Service/shop: spec.ports[1].name: Duplicate value"},
		{"an invalid name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Shop_Settings}", "ConfigMap/Shop_Settings: metadata.name: "},
		{"no selector", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}", "Deployment/shop: spec.selector: "},
		{"a custom resource", "apiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: shop}\nspec: {desiredState: Odd}", "AppInstance/shop: spec"},
		{"a valid claim", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {volumeName: v, storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", ""},
		{"a valid service account", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}", ""},
		{"a valid role", "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []\n", ""},
	} {
		problems, err := newCollector(t, server).Check(t.Context(), newRequest(tenant, c.text))
		g.Expect(err).NotTo(HaveOccurred(), c.why)
		if c.message == "" {
			g.Expect(problems).To(BeEmpty(), c.why)
			continue
		}
		g.Expect(problems).To(HaveLen(1), c.why)
		g.Expect(problems[0].Reason).To(Equal(v1alpha1.ReasonInvalidObject), c.why)
		g.Expect(problems[0].Message).To(HavePrefix(c.message), c.why)
		t.Log(problems[0].Message)
	}
}

// writeCounter counts write requests, and the dry runs among them.
type writeCounter struct {
	next          http.RoundTripper
	all, attempts *atomic.Int64
}

func (w writeCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/authorization.k8s.io/") {
		w.all.Add(1)
		if r.URL.Query().Get("dryRun") == "All" {
			w.attempts.Add(1)
		}
	}
	return w.next.RoundTrip(r)
}

func TestAttemptsAreDryRuns(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	var all, attempts atomic.Int64
	c := newCollector(t, server, func(config *rest.Config) {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return writeCounter{next, &all, &attempts} })
	})
	var texts []string
	for i := range 7 {
		texts = append(texts, configMapYAML(fmt.Sprintf("c-%d", i)))
	}
	g.Expect(checkReasons(t.Context(), c, newRequest(tenant, texts...))).To(BeEmpty())
	g.Expect(attempts.Load()).To(BeEquivalentTo(7))
	g.Expect(all.Load()).To(Equal(attempts.Load()), "every write is a dry run")

	rights := newRequest(tenant, texts...)
	rights.RightsOnly = true
	g.Expect(checkReasons(t.Context(), c, rights)).To(BeEmpty())
	g.Expect(attempts.Load()).To(BeEquivalentTo(7), "an operation that creates nothing makes no dry runs")
}

func TestExistingReleases(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	record := func(name, revision, status, instance string) {
		labels := map[string]string{"owner": "helm", "name": name, "version": revision, "status": status}
		if instance != "" {
			labels[v1alpha1.InstanceLabel] = instance
		}
		server.Create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: tenant.Namespace, Name: "sh.helm.release.v1." + name + ".v" + revision, Labels: labels,
		}})
	}
	record("web", "2", "superseded", "")
	record("web", "10", "deployed", "")
	record("gone", "1", "uninstalled", "")
	record("own", "1", "failed", "web")
	check := func(change func(*preflight.Request)) []string {
		w := newRequest(tenant, configMapYAML("a"))
		change(&w)
		found, err := checkReasons(t.Context(), newCollector(t, server), w)
		g.Expect(err).NotTo(HaveOccurred())
		return found
	}
	g.Expect(check(func(w *preflight.Request) { w.Units[0].Release = "web" })).To(Equal([]string{v1alpha1.ReasonAlreadyInstalled}))
	for _, free := range []string{"gone", "own", "new"} {
		g.Expect(check(func(w *preflight.Request) { w.Units[0].Release = free })).To(BeEmpty(), free)
	}
	g.Expect(check(func(w *preflight.Request) { w.Adopted, w.Replaces = []string{"web"}, true })).To(BeEmpty(), "the newest revision is deployed")
	g.Expect(check(func(w *preflight.Request) { w.Adopted, w.Replaces = []string{"new"}, true })).To(Equal([]string{v1alpha1.ReasonAdoptFailed}))
}

func TestServiceAccountOfAHook(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	w := newRequest(tenant, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}\n"+
		"spec: {template: {spec: {restartPolicy: Never, serviceAccountName: migrator, containers: [{name: a, image: a}]}}}")
	w.HookEvents = []string{"pre-install"}
	g.Expect(checkReasons(t.Context(), newCollector(t, server), w)).To(Equal([]string{v1alpha1.ReasonServiceAccountNotFound}))
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "migrator"}})
	g.Expect(checkReasons(t.Context(), newCollector(t, server), w)).To(BeEmpty())
}
