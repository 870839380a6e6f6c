package chart_test

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

func TestPagesAreOffByDefault(t *testing.T) {
	NewWithT(t).Expect(renderChart(t).ofKind("Deployment")).To(HaveLen(1))
}

// TestPagesMayReadLittle compares the permissions of the account of the pages with the documented
// ones.
func TestPagesMayReadLittle(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t, "ui.enabled=true")
	role := findOnly[rbacv1.ClusterRole](t, all, "ClusterRole", "appmarket-ui")
	g.Expect(role.Rules).To(ConsistOf(
		rbacv1.PolicyRule{
			APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources", "appinfos", "appinstances", "appinstalltasks"},
			Verbs: []string{"get", "list", "watch"},
		},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}},
	))
	bound := 0
	for _, kind := range []string{"RoleBinding", "ClusterRoleBinding"} {
		for _, binding := range all.ofKind(kind) {
			for _, subject := range nestedField(t, binding, "subjects").([]any) {
				if subject.(map[string]any)["name"] == "appmarket-ui" {
					bound++
				}
			}
		}
	}
	g.Expect(bound).To(Equal(1), "the account has one binding")
	g.Expect(findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket-ui").Spec.Template.Spec.ServiceAccountName).To(Equal("appmarket-ui"))
}

// TestPagesAreSeparateFromTheRepository checks that neither Service selects the pods of the other.
func TestPagesAreSeparateFromTheRepository(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t, "ui.enabled=true")
	for _, name := range []string{"appmarket", "appmarket-ui"} {
		service := findOnly[corev1.Service](t, all, "Service", name)
		for _, deployment := range []string{"appmarket", "appmarket-ui"} {
			labels := findOnly[appsv1.Deployment](t, all, "Deployment", deployment).Spec.Template.Labels
			selected := true
			for key, value := range service.Spec.Selector {
				selected = selected && labels[key] == value
			}
			g.Expect(selected).To(Equal(name == deployment), name+" "+deployment)
		}
	}
}

func TestPagesArguments(t *testing.T) {
	g := NewWithT(t)
	plain := findOnly[appsv1.Deployment](t, renderChart(t, "ui.enabled=true"), "Deployment", "appmarket-ui").Spec.Template.Spec
	g.Expect(plain.Containers[0].Args).To(ConsistOf(
		"ui", "--bind-address=:8090", "--repository-url=http://appmarket."+namespace+".svc", "--session-max-age=8h", "--auth=token", "--fetch-images=true"))
	g.Expect(plain.SecurityContext.RunAsNonRoot).To(HaveValue(BeTrue()))
	g.Expect(plain.Containers[0].SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()))

	all := renderChart(t, "ui={enabled: true, replicas: 2, publicURL: 'https://market.example', tlsSecret: tls, sessionKeySecret: keys}")
	full := findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket-ui").Spec.Template.Spec
	g.Expect(full.Containers[0].Args).To(ContainElements(
		"--public-url=https://market.example", "--cert-dir=/etc/appmarket/ui-tls", "--session-key-file=/etc/appmarket/ui-session/keys"))
	g.Expect(full.Containers[0].ReadinessProbe.HTTPGet.Scheme).To(Equal(corev1.URISchemeHTTPS))
	secrets := []string{}
	for _, volume := range full.Volumes {
		secrets = append(secrets, volume.Secret.SecretName)
	}
	slices.Sort(secrets)
	g.Expect(secrets).To(Equal([]string{"keys", "tls"}))
	g.Expect(findOnly[corev1.Service](t, all, "Service", "appmarket-ui").Spec.Ports[0].Port).To(Equal(int32(443)))
	g.Expect(renderErrors(t, "ui={enabled: true, replicas: 2}")).To(ContainSubstring("ui.sessionKeySecret"))
}
