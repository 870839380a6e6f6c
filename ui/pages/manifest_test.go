package pages_test

import (
	"bytes"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/command"
)

// shownCode matches a text that a page shows to be copied.
var shownCode = regexp.MustCompile(`(?s)<div class="copyable"><pre[^>]*><code>(.*?)</code></pre>`)

// TestManifestIsTheObject compares the manifest that a form shows with the object in the cluster, and with
// the output of the command that the form shows.
func TestManifestIsTheObject(t *testing.T) {
	w := newWorld(t, true)
	w.addApp(t, w.market, "samples", "vault", v1alpha1.AppSummary{Title: "Vault", Inputs: []v1alpha1.Input{
		{Name: "VAULT_PASSWORD", Type: "password", Secret: true, Required: true},
	}})
	b := w.signInAsAdmin(t)
	shows(t, b, "/apps", "Wiki")
	shows(t, b, "/apps/"+w.market+"/samples/vault/install", "Install Vault")
	w.addInstance(t, w.tenant, "board", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version, i.Status.AvailableUpdate = "1.1.0", "1.2.0" })
	app, actions := "/apps/"+w.market+"/samples/wiki/", "/instances/"+w.tenant+"/board/actions/"
	shows(t, b, actions+"upgrade", "Upgrade")
	for _, c := range []struct {
		path string
		form url.Values
	}{
		{app + "install", url.Values{"to": {w.tenant}, "name": {"shown"}, "title": {"Shown"}, "version": {"1.2.0"}, "account": {"installer"}, "dependencies": {"yes"},
			"values": {"replicas: 2\nimage:\n  tag: a\nlist: [1, b]\n"}, "input.WIKI_ADMIN_EMAIL": {"jane@example.com"}, "input.WIKI_LANGUAGE": {"zh"}}},
		{"/apps/" + w.market + "/samples/vault/install", url.Values{"to": {w.tenant}, "name": {"confidential"}, "version": {"1.2.0"}, "account": {"installer"},
			"input.VAULT_PASSWORD": {"CANARY-password"}}},
		{app + "adopt", url.Values{"to": {w.tenant}, "name": {"adopted"}}},
		{actions + "upgrade", url.Values{"choice": {"1.2.0"}}},
		{actions + "configure", url.Values{"title": {"Changed"}, "values": {"replicas: 3\n"}}},
		{actions + "stop", url.Values{}},
		{actions + "uninstall", url.Values{"data": {"retain"}, "dependents": {"yes"}}},
	} {
		t.Run(c.path[strings.LastIndex(c.path, "/")+1:], func(t *testing.T) {
			g := NewWithT(t)
			c.form.Set("key", "abcde")
			preview := b.post(t, c.path+"/preview", c.form)
			g.Expect(preview.StatusCode).To(Equal(http.StatusOK), preview.text)
			shown := shownCode.FindAllStringSubmatch(preview.text, -1)
			g.Expect(len(shown)).To(BeNumerically(">=", 4))
			shown = shown[len(shown)-4:] // YAML, kubectl, kubectl market and git
			manifest, shell := html.UnescapeString(shown[0][1]), html.UnescapeString(shown[2][1])
			g.Expect(html.UnescapeString(shown[1][1])).To(And(HavePrefix("kubectl apply -f - <<'EOF'\n"), ContainSubstring(manifest)))

			g.Expect(w.runPlugin(t, shell)).To(Equal(manifest), shell)

			submitted := b.post(t, c.path, c.form)
			g.Expect(submitted.StatusCode).To(Equal(http.StatusSeeOther), submitted.text)
			documents := strings.Split(manifest, "---\n")
			w.expectSecret(t, documents[:len(documents)-1], c.form)
			var described v1alpha1.AppInstallTask
			g.Expect(yaml.UnmarshalStrict([]byte(documents[len(documents)-1]), &described)).To(Succeed())
			created := &v1alpha1.AppInstallTask{}
			g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(&described), created)).To(Succeed())
			// The API server adds the same defaults to the manifest.
			defaulted := described.DeepCopy()
			defaulted.Name += "x"
			g.Expect(w.Client.Create(t.Context(), defaulted, client.DryRunAll)).To(Succeed())
			g.Expect(created.Spec).To(Equal(defaulted.Spec))
			g.Expect(created.Labels).To(Equal(described.Labels))
		})
	}
}

// expectSecret compares the Secret that a form shows, if it has confidential inputs, with the Secret in the cluster.
func (w world) expectSecret(t *testing.T, documents []string, form url.Values) {
	t.Helper()
	g := NewWithT(t)
	password := form.Get("input.VAULT_PASSWORD")
	if password == "" {
		g.Expect(documents).To(BeEmpty())
		return
	}
	g.Expect(documents).To(HaveLen(1))
	g.Expect(documents[0]).NotTo(ContainSubstring(password))
	var described corev1.Secret
	g.Expect(yaml.UnmarshalStrict([]byte(documents[0]), &described)).To(Succeed())
	g.Expect(described.Data).To(BeEmpty())
	g.Expect(described.StringData).To(BeEmpty())
	created := &corev1.Secret{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(&described), created)).To(Succeed())
	g.Expect(created.Labels).To(Equal(described.Labels))
	g.Expect(created.Type).To(Equal(described.Type))
	g.Expect(created.Data).To(Equal(map[string][]byte{"VAULT_PASSWORD": []byte(password)}))
}

// runPlugin returns the manifest that the kubectl plugin prints for a command of a page.
func (w world) runPlugin(t *testing.T, shell string) string {
	t.Helper()
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"local": {Server: "https://" + strings.TrimPrefix(w.Config.Host, "https://"), CertificateAuthorityData: w.Config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"user": {ClientCertificateData: w.Config.CertData, ClientKeyData: w.Config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"local": {Cluster: "local", AuthInfo: "user"}},
		CurrentContext: "local",
	}, file)).To(Succeed())
	t.Setenv("KUBECONFIG", file)
	arguments := strings.Fields(strings.ReplaceAll(shell, "'", "")) // The quoted values have no spaces.
	g.Expect(arguments[:2]).To(Equal([]string{"kubectl", "market"}))
	var out, problems bytes.Buffer
	factory := command.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &problems}, "kubectl market", "1.2.3")
	factory.Suffix = func() string { return "abcde" }
	g.Expect(factory.Run(t.Context(), append(arguments[2:], "--dry-run=client", "-o", "yaml"))).To(BeZero(), "%s: %s", shell, problems.String())
	return out.String()
}
