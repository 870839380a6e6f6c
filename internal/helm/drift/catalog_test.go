package drift_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

// TestCatalogDoesNotDrift installs every eighth chart unit of the catalog, or all of them if
// MARKET_CATALOG_WHOLE is true, and skips charts that cannot be installed without Olares. It checks
// that no object has drifted after the installation, after Stop and after Resume.
func TestCatalogDoesNotDrift(t *testing.T) {
	units := helmtest.CatalogUnits(t)
	if os.Getenv("MARKET_CATALOG_WHOLE") != "true" {
		sample := map[string][]chart.File{}
		for i, folder := range slices.Sorted(maps.Keys(units)) {
			if i%8 == 0 {
				sample[folder] = units[folder]
			}
		}
		units = sample
	}
	installed, workloads := 0, 0
	for folder, chart := range units {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			g := NewWithT(t)
			ctx := t.Context()
			c := newClusterAdmin(t)
			undrifted := func() {
				found, err := c.Drift(ctx, "app")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(formatDrift(found)).To(BeEmpty())
			}
			_, err := c.Install(ctx, helmtest.ChartSpec{Spec: plain.Spec{Name: "app", Values: helmtest.ParentValues(chart), Timeout: time.Millisecond}, Files: chart})
			// The API server of the tests has few cluster IPs for Services.
			defer func() { g.Expect(c.Uninstall(ctx, plain.Removal{Name: "app", Timeout: time.Minute})).To(Succeed()) }()
			if err != nil {
				t.Skip("left out: it cannot be installed here: ", err)
			}
			installed++
			undrifted()
			g.Expect(c.Stop(ctx, "app")).To(Succeed())
			stopped, total, err := c.Workloads(ctx, "app")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(stopped).To(Equal(total))
			workloads += total
			undrifted()
			g.Expect(c.Resume(ctx, "app")).To(Succeed())
			undrifted()
		})
	}
	t.Logf("%d of %d chart units, %d workloads", installed, len(units), workloads)
	NewWithT(t).Expect(installed).To(BeNumerically(">", len(units)/2))
}

// newClusterAdmin returns a client of a new namespace whose tenant may do anything in the cluster.
func newClusterAdmin(t testing.TB) *helmtest.ChartClient {
	t.Helper()
	g := NewWithT(t)
	tenant := helmtest.NewTenant(t, helmtest.Everything)
	_, err := helmtest.Server.Admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "mighty-" + tenant.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: tenant.ServiceAccount, Namespace: tenant.Namespace}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	c := helmtest.NewClientFor(helmtest.Server.Clients, tenant)
	g.Eventually(func() error {
		_, err := c.Get(t.Context(), "app")
		return err
	}).Should(Succeed())
	return c
}
