package collector_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

// catalogDrafts renders every app of the catalog.
func catalogDrafts(t *testing.T) map[string]*hydrate.Draft {
	t.Helper()
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("skipped: MARKET_CATALOG is not set")
	}
	g := NewWithT(t)
	charts, err := filepath.Glob(filepath.Join(root, "*", "Chart.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(charts).NotTo(BeEmpty())
	render := hydrate.RenderedChart{Renderer: render.Engine{}, Reader: olares.Reader{}}
	drafts := map[string]*hydrate.Draft{}
	for _, file := range charts {
		files := readFolder(t, filepath.Dir(file))
		meta, err := chart.ReadMetadata(files)
		g.Expect(err).NotTo(HaveOccurred())
		draft := &hydrate.Draft{Request: hydrate.Request{App: meta.Name, Profile: olares.Profile{}, At: hydrate.InstallTarget{Namespace: hydrate.RenderNamespace, Instance: meta.Name}}, Files: files, Chart: meta}
		g.Expect(render.Apply(t.Context(), draft)).To(Succeed(), meta.Name)
		drafts[meta.Name] = draft
	}
	return drafts
}

func readFolder(t *testing.T, folder string) []chart.File {
	t.Helper()
	var all []chart.File
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, name))
		all = append(all, chart.File{Name: name, Data: data})
		return err
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return all
}

// TestCatalog checks every app of the catalog for an administrator and for an account without
// permissions, with one large amd64 node without GPU.
func TestCatalog(t *testing.T) {
	drafts := catalogDrafts(t)
	g := NewWithT(t)
	server := testenv.Start(t)
	addNode(t, server, "large", resourceList("512", "4Ti"))
	c := newCollector(t, server)
	unprivileged := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "default"}
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: unprivileged.Namespace, Name: unprivileged.ServiceAccount}})
	for who, tenant := range map[string]release.Tenant{"an administrator": createAdministrator(t, server), "an account without permissions": unprivileged} {
		counts, apps, remedies := map[string]int{}, map[string]bool{}, 0
		for _, app := range slices.Sorted(maps.Keys(drafts)) {
			units := preflight.UnitsOf(drafts[app], hydrate.RenderNamespace)
			problems, err := c.Check(t.Context(), preflight.Request{Tenant: tenant, App: app, Units: units})
			g.Expect(err).NotTo(HaveOccurred(), app)
			for _, p := range problems {
				counts[p.Reason]++
				if p.Reason != v1alpha1.ReasonPermissionDenied && p.Reason != v1alpha1.ReasonClusterPermissionRequired {
					apps[app] = true
					if testing.Verbose() && tenant != unprivileged {
						t.Logf("%s: %s: %s", app, p.Reason, p.Message)
					}
				}
				g.Expect(p.Message).NotTo(BeEmpty())
				g.Expect(len(p.Message)).To(BeNumerically("<", 1024), app)
				remedies = max(remedies, len(p.Remedy))
				if tenant == unprivileged && p.Reason == v1alpha1.ReasonPermissionDenied {
					g.Expect(p.Remedy).NotTo(BeEmpty(), app)
				}
			}
		}
		var line []string
		for _, reason := range slices.Sorted(maps.Keys(counts)) {
			line = append(line, fmt.Sprintf("%s %d", reason, counts[reason]))
		}
		t.Logf("%d apps for %s: %s; %d apps with problems of the cluster; the longest remedy has %d bytes",
			len(drafts), who, strings.Join(line, ", "), len(apps), remedies)
	}
}
