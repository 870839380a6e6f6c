package chart_test

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/test/testenv"
)

const (
	recordedTerminal = "ui={enabled: true, terminal: {enabled: true, recording: {enabled: true, maxBytes: 2000000000, maxAge: 24h, size: 3Gi}}}"
	recordingsClaim  = "appmarket-ui-recordings"
)

func TestTerminalIsOffByDefault(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t, "ui.enabled=true")
	pages := findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket-ui").Spec
	g.Expect(pages.Template.Spec.Containers[0].Args).NotTo(ContainElement("--terminal"))
	g.Expect(pages.Template.Spec.Volumes).To(BeEmpty())
	for _, claim := range all.ofKind("PersistentVolumeClaim") {
		g.Expect(claim.GetName()).NotTo(Equal(recordingsClaim))
	}
	on := findOnly[appsv1.Deployment](t, renderChart(t, "ui={enabled: true, terminal: {enabled: true}}"), "Deployment", "appmarket-ui").Spec
	g.Expect(on.Template.Spec.Containers[0].Args).To(And(ContainElement("--terminal"), Not(ContainElement(HavePrefix("--record-terminal")))))
	g.Expect(on.Template.Spec.Volumes).To(BeEmpty())
}

func TestRecordingsAreOnAVolume(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t, recordedTerminal)
	pages := findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket-ui").Spec
	g.Expect(pages.Template.Spec.Containers[0].Args).To(ContainElements("--terminal", "--record-terminal=/var/lib/appmarket/recordings", "--recording-max-bytes=2000000000", "--recording-max-age=24h"))
	g.Expect(pages.Template.Spec.Containers[0].VolumeMounts).To(ConsistOf(corev1.VolumeMount{Name: "recordings", MountPath: "/var/lib/appmarket/recordings"}))
	g.Expect(pages.Template.Spec.Volumes).To(ConsistOf(HaveField("PersistentVolumeClaim.ClaimName", recordingsClaim)))
	g.Expect(pages.Strategy.Type).To(Equal(appsv1.RecreateDeploymentStrategyType))
	claim := findOnly[corev1.PersistentVolumeClaim](t, all, "PersistentVolumeClaim", recordingsClaim)
	g.Expect(claim.Annotations).To(HaveKeyWithValue("helm.sh/resource-policy", "keep"))
	g.Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("3Gi"))

	own := renderChart(t, "ui={enabled: true, terminal: {enabled: true, recording: {enabled: true, existingClaim: mine}}}")
	g.Expect(findOnly[appsv1.Deployment](t, own, "Deployment", "appmarket-ui").Spec.Template.Spec.Volumes).To(ConsistOf(HaveField("PersistentVolumeClaim.ClaimName", "mine")))
	for _, claim := range own.ofKind("PersistentVolumeClaim") {
		g.Expect(claim.GetName()).NotTo(Equal(recordingsClaim))
	}
}

func TestRejectedTerminalValues(t *testing.T) {
	for values, message := range map[string]string{
		"ui={enabled: true, terminal: {recording: {enabled: true}}}":                                                     `needs ui.terminal.enabled`,
		"ui={enabled: true, replicas: 2, sessionKeySecret: keys, terminal: {enabled: true, recording: {enabled: true}}}": `ReadWriteMany`,
		"ui={enabled: true, terminal: {enabled: true, recording: {enabled: true, maxBytes: 1000}}}":                      `maxBytes`,
		"ui={enabled: true, terminal: {enabled: true, recording: {enabled: true, maxAge: ever}}}":                        `maxAge`,
		"ui={enabled: true, terminal: {enabled: true, recording: {enabled: true, size: lots}}}":                          `size`,
	} {
		NewWithT(t).Expect(renderErrors(t, values)).To(ContainSubstring(message), values)
	}
}

// TestImpersonatedUsersOpenTerminals requests a terminal as a user of a proxy. The API server asks for an upgrade of
// the connection if the request is permitted.
func TestImpersonatedUsersOpenTerminals(t *testing.T) {
	server := testenv.Start(t)
	tenant := server.Namespace(t, nil)
	server.Create(t,
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "web"}, Spec: corev1.PodSpec{NodeName: "none", Containers: []corev1.Container{{Name: "web", Image: "web"}}}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: tenant}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane"}},
		})
	for enabled, permitted := range map[string]bool{"true": true, "false": false} {
		account := startPagesAccount(t, server, "Constrained", "ui.terminal.enabled="+enabled)
		config := rest.CopyConfig(account.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: "jane"}
		clients, err := kubernetes.NewForConfig(config)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			NewWithT(t).Eventually(func() bool {
				err := clients.CoreV1().RESTClient().Verb(method).Namespace(tenant).Resource("pods").Name("web").SubResource("exec").
					Param("container", "web").Param("command", "sh").Param("stdout", "true").Do(t.Context()).Error()
				return err != nil && !apierrors.IsForbidden(err)
			}).WithTimeout(20*time.Second).Should(Equal(permitted), "%s, terminals: %s", method, enabled)
		}
	}
}
