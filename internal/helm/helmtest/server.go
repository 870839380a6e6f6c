package helmtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/kinds"
	plain "github.com/appmarket/operator/internal/release"
)

// Server is the API server that the tests of a package share.
var Server struct {
	once sync.Once
	err  error

	Env    *envtest.Environment
	Config *rest.Config
	Mapper *kinds.Kinds
	// Clients has the permissions of the administrator, who impersonates tenants. Admin does not
	// impersonate.
	Clients *helmrelease.Clients
	Admin   *kubernetes.Clientset
}

func startAPIServer() {
	Server.Env = &envtest.Environment{}
	if Server.Config, Server.err = Server.Env.Start(); Server.err != nil {
		return
	}
	Server.Config.QPS = -1
	if Server.Mapper, Server.err = kinds.New(Server.Config); Server.err != nil {
		return
	}
	if Server.Admin, Server.err = kubernetes.NewForConfig(Server.Config); Server.err != nil {
		return
	}
	Server.Clients, Server.err = helmrelease.NewClients(Server.Config, Server.Mapper)
}

// Run runs the tests of a package and stops the API server if it was started. It returns the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if Server.Env == nil {
		return code
	}
	if err := Server.Env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop API server:", err)
	}
	return code
}

// RequireServer skips a test if the programs to start an API server are not installed.
func RequireServer(t testing.TB) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KUBEBUILDER_ASSETS is not set")
		}
		t.Skip("left out: KUBEBUILDER_ASSETS is not set")
	}
	Server.once.Do(startAPIServer)
	if Server.err != nil {
		t.Fatal(Server.err)
	}
}

var namespaces atomic.Int64

// NewTenant creates a namespace with a service account that has the given permissions.
func NewTenant(t testing.TB, rules ...rbacv1.PolicyRule) plain.Tenant {
	t.Helper()
	RequireServer(t)
	g := NewWithT(t)
	ctx := t.Context()
	tenant := plain.Tenant{Namespace: fmt.Sprintf("tenant-%d", namespaces.Add(1)), ServiceAccount: "installer"}
	_, err := Server.Admin.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant.Namespace}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	if len(rules) == 0 {
		return tenant
	}
	name := metav1.ObjectMeta{Name: "installer", Namespace: tenant.Namespace}
	_, err = Server.Admin.RbacV1().Roles(tenant.Namespace).Create(ctx,
		&rbacv1.Role{ObjectMeta: name, Rules: rules}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = Server.Admin.RbacV1().RoleBindings(tenant.Namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: tenant.ServiceAccount, Namespace: tenant.Namespace}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	return tenant
}

// Everything permits all operations in a namespace.
var Everything = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}

// NewClient returns a client that may do anything in a new namespace, and the namespace.
func NewClient(t testing.TB) (*ChartClient, string) {
	t.Helper()
	tenant := NewTenant(t, Everything)
	c := NewClientFor(Server.Clients, tenant)
	NewWithT(t).Eventually(func() error {
		_, err := c.Get(t.Context(), "none")
		return err
	}).Should(Succeed(), "the API server has taken note of the rights")
	return c, tenant.Namespace
}

// NewSpec returns a release "blog" of a chart with the given templates.
func NewSpec(templates map[string]string) ChartSpec {
	content := map[string]string{}
	for name, text := range templates {
		if !strings.Contains(name, "/") && strings.HasSuffix(name, "yaml") && name != "values.yaml" && name != "Chart.yaml" {
			name = "templates/" + name
		}
		content[name] = text
	}
	return ChartSpec{Spec: plain.Spec{Name: "blog", Labels: map[string]string{"appmarket.io/instance": "blog"}}, Files: NewChartFiles(content)}
}

// ChartSpec is a Spec with the files of its chart, which is rendered in this process.
type ChartSpec struct {
	plain.Spec
	Files []chart.File
}

// ChartClient is a client that renders its charts.
type ChartClient struct {
	*helmrelease.Client
	Clients *helmrelease.Clients
	Tenant  plain.Tenant
}

// NewClientFor returns a client of a tenant that renders its charts.
func NewClientFor(clients *helmrelease.Clients, tenant plain.Tenant) *ChartClient {
	return &ChartClient{Client: clients.For(tenant, nil), Clients: clients, Tenant: tenant}
}

// Install installs a chart.
func (c *ChartClient) Install(ctx context.Context, s ChartSpec) (*plain.Release, error) {
	return c.Client.Install(ctx, c.withRender(s))
}

// Upgrade upgrades to a chart.
func (c *ChartClient) Upgrade(ctx context.Context, s ChartSpec) (*plain.Release, error) {
	return c.Client.Upgrade(ctx, c.withRender(s))
}

func (c *ChartClient) withRender(s ChartSpec) plain.Spec {
	if s.Files == nil {
		return s.Spec
	}
	s.Render = func(ctx context.Context, revision hydrate.ReleaseRevision) (*hydrate.Rendered, error) {
		cluster, err := c.Clients.Capabilities(ctx)
		if err != nil {
			return nil, err
		}
		out, err := render.Engine{}.Render(ctx, hydrate.RenderInput{
			Files: s.Files, Values: s.Values, Release: s.Name, Namespace: c.Tenant.Namespace, Cluster: cluster,
			Upgrade: revision.Upgrade, Revision: revision.Number, Lookup: c.Clients.Lookup(c.Tenant), ForRelease: true,
		})
		return &out, err
	}
	return s.Spec
}

// Templates of objects with the name of their release.
const (
	ConfigMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  v: {{ .Values.v | default \"none\" | quote }}\n  revision: {{ .Release.Revision | quote }}\n"
	Service   = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  ports: [{port: 80}]\n"
)

// GetConfigMap returns a ConfigMap, as the administrator.
func GetConfigMap(t testing.TB, namespace, name string) (*corev1.ConfigMap, error) {
	t.Helper()
	return Server.Admin.CoreV1().ConfigMaps(namespace).Get(context.Background(), name, metav1.GetOptions{})
}
