package release_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// TestRenderedTextIsInstalledAsItIs installs a chart whose rendered text contains template actions.
// Helm renders the text again, which must not change it.
func TestRenderedTextIsInstalledAsItIs(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	chart := helmtest.NewSpec(map[string]string{
		"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: query}\ndata:\n" +
			"  alert: '{{ \"{{ $labels.pod }}{{- /* no action */ -}}\" }}'\n  open: '{{ \"{{{\" }}'\n---\n" +
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\n",
		"hook.yaml":              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n",
		"templates/NOTES.txt":    "Say {{ \"{{ hello }}\" }} to {{ .Release.Name }}.",
		"templates/_helpers.tpl": "{{ define \"x\" }}{{ end }}",
		"values.yaml":            "color: gray\n",
		"README.md":              "read me",
	})
	chart.Values = map[string]any{"v": "one"}
	installed, err := c.Install(t.Context(), chart)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(installed.Notes).To(Equal("Say {{ hello }} to blog."))
	g.Expect(installed.Hooks).To(Equal(1))
	g.Expect(installed.Objects).To(HaveLen(2))
	query, err := helmtest.GetConfigMap(t, namespace, "query")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(query.Data).To(Equal(map[string]string{"alert": "{{ $labels.pod }}{{- /* no action */ -}}", "open": "{{{"}))

	record, err := storage.Init(driver.NewSecrets(helmtest.Server.Admin.CoreV1().Secrets(namespace))).Get("blog", 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Config).To(Equal(map[string]any{"v": "one"}))
	g.Expect(record.Chart.Values).To(Equal(map[string]any{"color": "gray"}))
	var names []string
	for _, template := range record.Chart.Templates {
		names = append(names, template.Name)
		g.Expect(string(template.Data)).To(Equal(chartText(chart, template.Name)), "the record holds the chart itself")
	}
	g.Expect(names).To(ConsistOf("templates/cm.yaml", "templates/hook.yaml", "templates/NOTES.txt", "templates/_helpers.tpl"))
	g.Expect(record.Chart.Files).To(ConsistOf(HaveField("Name", "README.md")))
}

func chartText(s helmtest.ChartSpec, name string) string {
	for _, file := range s.Files {
		if file.Name == name {
			return string(file.Data)
		}
	}
	return ""
}

// TestLookupIsTheTenants checks that templates look up objects with the permissions of the tenant.
func TestLookupIsTheTenants(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "mine"}, StringData: map[string]string{"key": "value"},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	look := helmtest.Server.Clients.Lookup(c.Tenant)
	found, err := look(t.Context(), hydrate.LookupQuery{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: "mine"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveKeyWithValue("data", map[string]any{"key": "dmFsdWU="}))
	list, err := look(t.Context(), hydrate.LookupQuery{APIVersion: "v1", Kind: "Secret", Namespace: namespace})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list["items"]).To(HaveLen(1))
	for why, query := range map[string]hydrate.LookupQuery{
		"an object that is not there": {APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: "absent"},
		"a kind that is not there":    {APIVersion: "absent.example.com/v1", Kind: "Odd", Namespace: namespace, Name: "a"},
	} {
		none, err := look(t.Context(), query)
		g.Expect(err).NotTo(HaveOccurred(), why)
		g.Expect(none).To(BeNil(), why)
	}
	for why, query := range map[string]hydrate.LookupQuery{
		"another namespace":        {APIVersion: "v1", Kind: "Secret", Namespace: "kube-system", Name: "a"},
		"an object of the cluster": {APIVersion: "v1", Kind: "Node", Namespace: namespace, Name: "a"},
		"all namespaces":           {APIVersion: "v1", Kind: "Secret"},
	} {
		_, err := look(t.Context(), query)
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied), why)
		g.Expect(err).To(MatchError(`service account "`+namespace+`/installer" cannot get the object that a template of the app looks up; grant it the permission`), why)
	}
}

// TestRenderingKnowsTheRevision checks the values of .Release in templates.
func TestRenderingKnowsTheRevision(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	chart := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap + "  is: {{ printf \"%v %v\" .Release.IsInstall .Release.IsUpgrade | quote }}\n"})
	printed := func() []string {
		cm, err := helmtest.GetConfigMap(t, namespace, "blog")
		g.Expect(err).NotTo(HaveOccurred())
		return []string{cm.Data["revision"], cm.Data["is"]}
	}
	_, err := c.Install(t.Context(), chart)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(printed()).To(Equal([]string{"1", "true false"}))
	_, err = c.Upgrade(t.Context(), chart)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(printed()).To(Equal([]string{"2", "false true"}))
	g.Expect(c.Rollback(t.Context(), plain.Rollback{Name: "blog", Revision: 1})).NotTo(BeNil())
	_, err = c.Upgrade(t.Context(), chart)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(printed()).To(Equal([]string{"4", "false true"}))
}
