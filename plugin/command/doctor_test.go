package command_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/appmarket/operator/api/v1alpha1"
)

// readArchive returns the files of an archive by name.
func readArchive(t *testing.T, content []byte) map[string]string {
	t.Helper()
	g := NewWithT(t)
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	g.Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for archive := tar.NewReader(unpacked); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		g.Expect(err).NotTo(HaveOccurred())
		text, err := io.ReadAll(archive)
		g.Expect(err).NotTo(HaveOccurred())
		files[header.Name] = string(text)
	}
}

// create creates an object of a kind without status.
func (p *plugin) create(o client.Object) {
	p.t.Helper()
	NewWithT(p.t).Expect(p.env.Client.Create(p.t.Context(), o)).To(Succeed())
}

// newConfidentialMarket creates objects that contain the text of a secret in each place in which it can be.
func (p *plugin) newConfidentialMarket(namespace, secret string) {
	token := "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0." + secret
	values := &runtime.RawExtension{Raw: []byte(`{"database":{"password":"` + secret + `","users":["` + secret + `"]}}`)}
	p.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "wiki-inputs"}, StringData: map[string]string{"PASSWORD": secret}})
	p.createWithStatus(&v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "team"},
		Spec: v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example/team"},
			CustomParams: values, Platform: &v1alpha1.Platform{Values: values}, Inputs: []v1alpha1.InputValue{{Name: "PASSWORD", Value: &secret}},
		},
	})
	p.createWithStatus(newInstance(namespace, "wiki", func(i *v1alpha1.AppInstance) {
		i.Status.Outputs = []v1alpha1.Output{{Name: "url", Value: secret}}
		i.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": secret}
		i.Spec.Values = values
		i.Spec.Inputs = []v1alpha1.InputValue{{Name: "PASSWORD", Value: &secret}}
	}))
	p.createWithStatus(newTask(namespace, "install-wiki-aaaaa", v1alpha1.ActionInstall, func(task *v1alpha1.AppInstallTask) {
		task.Spec.EnsureConfiguration().Values = values
		task.Spec.EnsureConfiguration().Inputs = []v1alpha1.InputValue{{Name: "PASSWORD", Value: &secret}}
		endTask(task, metav1.ConditionFalse, v1alpha1.ReasonInstallFailed, "GET https://user:"+secret+"@charts.example: Authorization: Bearer "+token)
	}))
	p.create(&corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: "wiki.1"},
		InvolvedObject: corev1.ObjectReference{APIVersion: "appmarket.io/v1alpha1", Kind: "AppInstance", Name: "wiki", Namespace: namespace},
		Type:           corev1.EventTypeWarning, Reason: "InstallFailed", Message: "GET https://user:" + secret + "@charts.example: Authorization: Bearer " + token,
	})
	p.createWithStatus(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "appmarket-0", Labels: map[string]string{"app.kubernetes.io/name": "appmarket"}},
		Spec: corev1.PodSpec{NodeName: "node-doctor", Containers: []corev1.Container{{
			Name: "operator", Image: "appmarket", Env: []corev1.EnvVar{{Name: "TOKEN", Value: secret}}, Ports: []corev1.ContainerPort{{Name: "probes", ContainerPort: 8081}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	})
}

func TestDoctorContainsNoSecret(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	p.newMarket()
	p.startKubelet("node-doctor")
	const secret = "correct-horse-battery"
	p.newConfidentialMarket(p.namespace("doctor"), secret)
	file := filepath.Join(t.TempDir(), "report.tar.gz")
	r := p.run("doctor -n doctor --operator-namespace doctor --out " + file)
	g.Expect(r.code).To(BeZero(), r.errOut)
	g.Expect(r.out).To(Equal(file + "\n"))
	// A pod has no address here, so the API server cannot reach it.
	g.Expect(r.errOut).To(HavePrefix("not read: readiness of pod appmarket-0: "))
	g.Expect(strings.Count(r.errOut, "\n")).To(Equal(1), r.errOut)
	content, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	files := readArchive(t, content)
	g.Expect(slices.Sorted(maps.Keys(files))).To(Equal([]string{
		"appmarket/appinfos.yaml", "appmarket/appinstalltasks.yaml", "appmarket/appinstances.yaml", "appmarket/customresourcedefinitions.yaml", "appmarket/events.yaml",
		"appmarket/logs/appmarket-0-operator-previous.log", "appmarket/logs/appmarket-0-operator.log", "appmarket/marketsources.yaml", "appmarket/pods.yaml",
		"appmarket/problems.txt", "appmarket/versions.yaml",
	}))
	for name, text := range files {
		g.Expect(text).NotTo(ContainSubstring(secret), name)
	}
	g.Expect(files["appmarket/appinstances.yaml"]).To(ContainSubstring("password: (removed)"), "the names of values are kept")
	g.Expect(files["appmarket/appinstalltasks.yaml"]).To(And(ContainSubstring("https://(removed)@charts.example"), ContainSubstring("Bearer (removed)")))
	g.Expect(files["appmarket/appinfos.yaml"]).To(ContainSubstring("selectedVersion: 2.4.0"))
	g.Expect(files["appmarket/customresourcedefinitions.yaml"]).To(ContainSubstring("storedVersions"))
	g.Expect(files["appmarket/logs/appmarket-0-operator.log"]).To(HavePrefix("operator tail=5000"))
	g.Expect(files["appmarket/events.yaml"]).To(And(ContainSubstring("https://(removed)@charts.example"), ContainSubstring("Bearer (removed)")))

	t.Log("a Pod whose readiness check answers")
	p.startGateway("/api/v1/namespaces/doctor/pods/appmarket-0:8081/proxy", http.StripPrefix("/readyz", &healthz.Handler{
		Checks: map[string]healthz.Checker{"store": healthz.Ping},
	}))
	r = p.run("doctor -n doctor --operator-namespace doctor --out -")
	g.Expect(r.code).To(BeZero(), r.errOut)
	g.Expect(r.errOut).To(BeEmpty())
	complete := readArchive(t, []byte(r.out))
	g.Expect(complete).NotTo(HaveKey("appmarket/problems.txt"))
	g.Expect(complete["appmarket/readyz/appmarket-0.txt"]).To(ContainSubstring("[+]store ok"))
	for name, text := range complete {
		g.Expect(text).NotTo(ContainSubstring(secret), name)
	}
	info, err := os.Stat(file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
}

func TestDoctorWithFewPermissions(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	p.newMarket()
	namespace := p.namespace("doctor-few")
	p.createWithStatus(newInstance(namespace, "wiki"))
	p.create(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "instances"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{"list"}},
	}})
	p.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "instances"}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "instances"},
		Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "joe"}},
	})
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "joe")
	r := p.run("doctor -n doctor-few --out -")
	g.Expect(r.code).To(BeZero(), r.errOut)
	files := readArchive(t, []byte(r.out))
	g.Expect(files["appmarket/appinstances.yaml"]).To(ContainSubstring("name: wiki"))
	g.Expect(files).NotTo(HaveKey("appmarket/appinfos.yaml"))
	for _, problem := range []string{"appinfos: ", "appinstances of all namespaces: ", "events: ", "pods of the operator: ", "CustomResourceDefinition appinfos.appmarket.io: "} {
		g.Expect(files["appmarket/problems.txt"]).To(ContainSubstring(problem))
		g.Expect(r.errOut).To(ContainSubstring("not read: " + problem))
	}
}

func TestDoctorThatIsInterruptedLeavesNoFile(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	folder := t.TempDir()
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "")
	r := p.run("doctor --out " + filepath.Join(folder, "missing", "report.tar.gz"))
	g.Expect(r.code).To(Equal(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.ctx = ctx
	r = p.run("doctor --out " + filepath.Join(folder, "report.tar.gz"))
	g.Expect(r.code).To(Equal(130), r.errOut)
	left, err := os.ReadDir(folder)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeEmpty())
}
