package helm_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"

	rbacv1 "k8s.io/api/rbac/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/kinds"
)

// apiServer is the API server that all tests of releases share.
var apiServer struct {
	once    sync.Once
	env     *envtest.Environment
	config  *rest.Config
	mapper  *kinds.Kinds
	clients *helm.Clients
	admin   *kubernetes.Clientset
	err     error
}

func startAPIServer() {
	apiServer.env = &envtest.Environment{}
	if apiServer.config, apiServer.err = apiServer.env.Start(); apiServer.err != nil {
		return
	}
	apiServer.config.QPS = -1
	if apiServer.mapper, apiServer.err = kinds.New(apiServer.config); apiServer.err != nil {
		return
	}
	if apiServer.admin, apiServer.err = kubernetes.NewForConfig(apiServer.config); apiServer.err != nil {
		return
	}
	apiServer.clients, apiServer.err = helm.NewClients(apiServer.config, apiServer.mapper)
}

func stopAPIServer() {
	if apiServer.env == nil {
		return
	}
	if err := apiServer.env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop API server:", err)
	}
}

// requireAPIServer skips a test if the programs to start an API server are not installed.
func requireAPIServer(t testing.TB) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KUBEBUILDER_ASSETS is not set")
		}
		t.Skip("left out: KUBEBUILDER_ASSETS is not set")
	}
	apiServer.once.Do(startAPIServer)
	if apiServer.err != nil {
		t.Fatal(apiServer.err)
	}
}

var namespaces atomic.Int64

// newTenant creates a namespace with a service account that has the given permissions.
func newTenant(t testing.TB, rules ...rbacv1.PolicyRule) helm.Tenant {
	t.Helper()
	requireAPIServer(t)
	g := NewWithT(t)
	ctx := t.Context()
	tenant := helm.Tenant{Namespace: fmt.Sprintf("tenant-%d", namespaces.Add(1)), ServiceAccount: "installer"}
	_, err := apiServer.admin.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant.Namespace}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	if len(rules) == 0 {
		return tenant
	}
	name := metav1.ObjectMeta{Name: "installer", Namespace: tenant.Namespace}
	_, err = apiServer.admin.RbacV1().Roles(tenant.Namespace).Create(ctx,
		&rbacv1.Role{ObjectMeta: name, Rules: rules}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = apiServer.admin.RbacV1().RoleBindings(tenant.Namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: tenant.ServiceAccount, Namespace: tenant.Namespace}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	return tenant
}

// everything permits all operations in a namespace.
var everything = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}

// newClient returns a client that may do anything in a new namespace, and the namespace.
func newClient(t testing.TB) (*chartClient, string) {
	t.Helper()
	tenant := newTenant(t, everything)
	c := newClientFor(apiServer.clients, tenant)
	NewWithT(t).Eventually(func() error {
		_, err := c.Get(t.Context(), "none")
		return err
	}).Should(Succeed(), "the API server has taken note of the rights")
	return c, tenant.Namespace
}

// newSpec returns a release "blog" of a chart with the given templates.
func newSpec(templates map[string]string) chartSpec {
	content := map[string]string{}
	for name, text := range templates {
		if !strings.Contains(name, "/") && strings.HasSuffix(name, "yaml") && name != "values.yaml" && name != "Chart.yaml" {
			name = "templates/" + name
		}
		content[name] = text
	}
	return chartSpec{Spec: helm.Spec{Name: "blog", Labels: map[string]string{"appmarket.io/instance": "blog"}}, Files: newChartFiles(content)}
}

// chartSpec is a Spec with the files of its chart, which is rendered in this process.
type chartSpec struct {
	helm.Spec
	Files []chart.File
}

// chartClient is a client that renders its charts.
type chartClient struct {
	*helm.Client
	clients *helm.Clients
	tenant  helm.Tenant
}

func newClientFor(clients *helm.Clients, tenant helm.Tenant) *chartClient {
	return &chartClient{Client: clients.For(tenant, nil), clients: clients, tenant: tenant}
}

// Install installs a chart.
func (c *chartClient) Install(ctx context.Context, s chartSpec) (*helm.Release, error) {
	return c.Client.Install(ctx, c.withRender(s))
}

// Upgrade upgrades to a chart.
func (c *chartClient) Upgrade(ctx context.Context, s chartSpec) (*helm.Release, error) {
	return c.Client.Upgrade(ctx, c.withRender(s))
}

func (c *chartClient) withRender(s chartSpec) helm.Spec {
	if s.Files == nil {
		return s.Spec
	}
	s.Render = func(ctx context.Context, revision hydrate.ReleaseRevision) (*hydrate.Rendered, error) {
		cluster, err := c.clients.Capabilities(ctx)
		if err != nil {
			return nil, err
		}
		out, err := helm.Engine{}.Render(ctx, hydrate.RenderInput{
			Files: s.Files, Values: s.Values, Release: s.Name, Namespace: c.tenant.Namespace, Cluster: cluster,
			Upgrade: revision.Upgrade, Revision: revision.Number, Lookup: c.clients.Lookup(c.tenant), ForRelease: true,
		})
		return &out, err
	}
	return s.Spec
}

const (
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  v: {{ .Values.v | default \"none\" | quote }}\n  revision: {{ .Release.Revision | quote }}\n"
	service   = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  ports: [{port: 80}]\n"
)

func getConfigMap(t testing.TB, namespace, name string) (*corev1.ConfigMap, error) {
	t.Helper()
	return apiServer.admin.CoreV1().ConfigMaps(namespace).Get(context.Background(), name, metav1.GetOptions{})
}
