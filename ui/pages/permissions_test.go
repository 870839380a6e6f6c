package pages_test

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/permissions"
)

func TestPermissionsFootprintAndPlacement(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	app := w.addApp(t, w.market, "samples", "agent", v1alpha1.AppSummary{
		Title: "Agent", Translations: []v1alpha1.AppTranslation{{Locale: "zh-CN", Title: "代理程序"}},
		Footprint: &v1alpha1.AppFootprint{Storage: "3Gi", PullBytes: 412_000_000},
		Access:    &v1alpha1.AppAccess{Scope: v1alpha1.AccessCluster, Rules: 1, HostPath: true},
	})
	app.Status.Placement = &v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementNo, Reasons: []string{`StorageClass "slow" not found`}}
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/permissions.json"] = `{"rules": ["list nodes in all namespaces"], "ruleCount": 7, "hasClusterRules": true, "hostPaths": ["Pod/agent: /run"]}`
	w.reports.mu.Unlock()
	address := "/apps/" + w.market + "/samples/agent"
	shows(t, b, address, ">Storage</span> 3Gi", ">Pull</span> 412 MB", "does not run on this cluster", "StorageClass &#34;slow&#34; not found")
	shows(t, b, address+"/permissions", "The app uses directories, the network or devices of the nodes", "objects or permissions outside its namespace", "list nodes in all namespaces", "Directories of nodes", "Pod/agent: /run")
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/objects.yaml"] = "---\n# Source: agent/templates/role.yaml\napiVersion: rbac.authorization.k8s.io/v1\n" +
		"kind: ClusterRole\nmetadata: {name: agent}\nrules: [{apiGroups: [\"\"], resources: [nodes], verbs: [list]}]\n"
	w.reports.mu.Unlock()
	shows(t, b, address+"/permissions", `href="`+address+`/permissions.yaml?version=`)
	manifest := b.get(t, address+"/permissions.yaml")
	g.Expect(manifest.StatusCode).To(Equal(http.StatusOK))
	g.Expect(manifest.Header.Get("Content-Disposition")).To(Equal(`attachment; filename="permissions.yaml"`))
	want, err := permissions.NewManifest(app, app.Status.SelectedVersion, []byte(w.reports.texts["/reports/"+digest+"/objects.yaml"]))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manifest.text).To(Equal(string(want)))
	g.Expect(manifest.text).To(ContainSubstring("- kind: ClusterRole\n  name: agent\n"))
	w.addApp(t, w.market, "samples", "modest", v1alpha1.AppSummary{Title: "Modest", Access: &v1alpha1.AppAccess{Scope: v1alpha1.AccessNamespace}})
	shows(t, b, "/apps/"+w.market+"/samples/modest/permissions", "The app asks for nothing outside its namespace.")
	w.addApp(t, w.market, "samples", "mounting", v1alpha1.AppSummary{Title: "Mounting", Access: &v1alpha1.AppAccess{Scope: v1alpha1.AccessNamespace, HostPath: true}})
	g.Expect(shows(t, b, "/apps/"+w.market+"/samples/mounting/permissions", "of the nodes").text).NotTo(ContainSubstring("nothing outside its namespace"))

	list := func(path string) func() string { return func() string { return b.get(t, path).text } }
	g.Eventually(list("/apps?placement=No")).WithTimeout(15 * time.Second).Should(And(ContainSubstring("Agent"), Not(ContainSubstring("Modest"))))
	g.Expect(list("/apps")()).To(ContainSubstring("Runs here"))
	chinese := func(path string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
		g.Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Accept-Language", "zh-CN")
		return b.send(t, request).text
	}
	g.Expect(chinese("/apps?q=代理程序")).To(ContainSubstring("代理程序"))
	g.Expect(list("/apps")()).NotTo(ContainSubstring("代理程序"))
	g.Expect(chinese(address + "/permissions")).To(And(ContainSubstring("代理程序"), ContainSubstring("访问权限")))
}
