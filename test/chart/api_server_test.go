package chart_test

import (
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/test/testenv"
)

// writeKubeconfig writes a kubeconfig for the administrator of a server and returns its path.
func writeKubeconfig(t *testing.T, server *testenv.Env) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "test"
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.Config.Host, CertificateAuthorityData: server.Config.CAData}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: server.Config.CertData, ClientKeyData: server.Config.KeyData,
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	NewWithT(t).Expect(clientcmd.WriteToFile(*config, file)).To(Succeed())
	return file
}

// allValues are values with which the chart creates every object whose kind the API server of the
// test has.
var allValues = []string{
	"podDisruptionBudget.enabled=true", "metrics={enabled: true, authentication: true}",
	"networkPolicy={enabled: true, repositoryFrom: [{namespaceSelector: {}}], egress: [{ports: [{port: 443}]}]}",
	"ingress={enabled: true, hosts: [charts.example.com], tls: [{secretName: charts-tls}]}",
	"store={accessModes: [ReadWriteOncePod], annotations: {a: b}}",
	"repository.service={type: LoadBalancer, nodePort: 30080}",
	"marketNamespaces=[default]", "marketSecrets=true", "marketArtifacts=true", "marketBrowsers=[{kind: Group, name: tenants, apiGroup: rbac.authorization.k8s.io}]", "readers=[default]", "tenants=[default]",
}

// TestServerAcceptsTheChart creates every object as a dry run on a real API server, and the Pod in
// a namespace with the Pod Security level restricted.
func TestServerAcceptsTheChart(t *testing.T) {
	server := testenv.Start(t)
	server.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}})
	strict := client.WithFieldValidation(client.NewDryRunClient(server.Client), metav1.FieldValidationStrict)
	for name, values := range map[string][]string{
		"by default":         nil,
		"with everything":    allValues,
		"with a trial store": {"store.persistent=false"},
		"on OpenShift":       {"podSecurityContext={runAsUser: null, runAsGroup: null, fsGroup: null}"},
	} {
		t.Run(name, func(t *testing.T) {
			all := renderChart(t, values...)
			for _, each := range all {
				NewWithT(t).Expect(strict.Create(t.Context(), each)).To(Succeed(), "%s %s", each.GetKind(), each.GetName())
			}
			template := findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket").Spec.Template
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Namespace, pod.Name = namespace, "operator"
			NewWithT(t).Expect(strict.Create(t.Context(), pod)).To(Succeed())
		})
	}
}

// TestHelmInstallsTheChart runs a dry run of an installation with both clients and a real API
// server.
func TestHelmInstallsTheChart(t *testing.T) {
	server := testenv.Start(t)
	config, namespace := writeKubeconfig(t, server), server.Namespace(t, nil)
	for name, program := range helmClients(t) {
		t.Run(name, func(t *testing.T) {
			out, complaint, err := runHelm(t, program, "install", "appmarket", modulePath(t, "charts", "appmarket"), "--skip-crds",
				"--kubeconfig", config, "--namespace", namespace, "--dry-run=server", "--values", valuesFile(t, allValues))
			NewWithT(t).Expect(err).NotTo(HaveOccurred(), complaint)
			NewWithT(t).Expect(out).To(And(ContainSubstring("kind: NetworkPolicy"), ContainSubstring("NOTES:")))
		})
	}
}

// TestChartIsLinted runs helm lint with both clients.
func TestChartIsLinted(t *testing.T) {
	for client, program := range helmClients(t) {
		t.Run(client, func(t *testing.T) {
			out, complaint, err := runHelm(t, program, "lint", "--strict", "--kube-version", "1.36.0", modulePath(t, "charts", "appmarket"))
			g := NewWithT(t)
			g.Expect(err).NotTo(HaveOccurred(), out+complaint)
			g.Expect(out).NotTo(MatchRegexp(`\[(INFO|WARNING|ERROR)\]`))
		})
	}
}
