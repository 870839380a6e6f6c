package chart_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/test/testenv"
)

// proxyValues are values for a proxy that sends no tokens.
const proxyValues = "ui={enabled: true, tlsSecret: tls, auth: proxy, proxy: {trustedProxies: [10.0.0.0/24, 'fd00::/64'], clientCASecret: proxy-ca, impersonation: Constrained, signOutURL: /oauth2/sign_out}}"

func TestSignInArguments(t *testing.T) {
	issuer := "ui={enabled: true, publicURL: 'https://market.example', auth: oidc, oidc: {issuerURL: 'https://login.example', clientID: pages, clientSecret: client, scopes: [openid, offline_access], caSecret: ca}}"
	for name, c := range map[string]struct {
		values    string
		arguments []string
		secrets   []string
	}{
		"an issuer": {issuer, []string{
			"--auth=oidc", "--oidc-issuer-url=https://login.example", "--oidc-client-id=pages", "--oidc-scopes=openid,offline_access",
			"--oidc-client-secret-file=/etc/appmarket/ui-oidc/clientSecret", "--oidc-ca-file=/etc/appmarket/ui-oidc-ca/ca.crt",
		}, []string{"client", "ca"}},
		"tokens behind an Ingress": {"ui={enabled: true, proxy: {trustedProxies: [10.0.0.0/24]}}", []string{"--auth=token", "--trusted-proxies=10.0.0.0/24"}, nil},
		"an issuer behind an Ingress": {
			"ui={enabled: true, publicURL: 'https://market.example', auth: oidc, oidc: {issuerURL: 'https://login.example', clientID: pages}, proxy: {trustedProxies: [10.0.0.0/24]}}",
			[]string{"--auth=oidc", "--trusted-proxies=10.0.0.0/24"}, nil,
		},
		"a proxy with tokens":     {"ui={enabled: true, auth: proxy}", []string{"--auth=proxy"}, nil},
		"tokens of a known proxy": {"ui={enabled: true, auth: proxy, proxy: {trustedProxies: [10.0.0.0/24]}}", []string{"--auth=proxy", "--trusted-proxies=10.0.0.0/24"}, nil},
		"a proxy without tokens": {proxyValues, []string{
			"--auth=proxy", "--trusted-proxies=10.0.0.0/24,fd00::/64", "--proxy-client-ca=/etc/appmarket/ui-proxy-ca/ca.crt", "--proxy-sign-out-url=/oauth2/sign_out",
		}, []string{"tls", "proxy-ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			pod := findOnly[appsv1.Deployment](t, renderChart(t, c.values), "Deployment", "appmarket-ui").Spec.Template.Spec
			g.Expect(pod.Containers[0].Args).To(ContainElements(c.arguments))
			var secrets, mounted []string
			for _, volume := range pod.Volumes {
				secrets = append(secrets, volume.Secret.SecretName)
				mounted = append(mounted, volume.Name)
			}
			g.Expect(secrets).To(ConsistOf(c.secrets))
			for _, mount := range pod.Containers[0].VolumeMounts {
				g.Expect(mounted).To(ContainElement(mount.Name))
			}
			g.Expect(pod.Containers[0].VolumeMounts).To(HaveLen(len(secrets)))
		})
	}
}

func TestRejectedSignInValues(t *testing.T) {
	for values, message := range map[string]string{
		"ui={enabled: true, auth: basic}": `auth`,
		"ui={enabled: true, auth: oidc}":  `ui.oidc.issuerURL`,
		"ui={enabled: true, auth: oidc, oidc: {issuerURL: 'http://login.example', clientID: pages}}":                `issuerURL`,
		"ui={enabled: true, auth: oidc, oidc: {issuerURL: 'https://login.example', clientID: pages}}":               `ui.publicURL`,
		"ui={enabled: true, proxy: {impersonation: Full}}":                                                          `needs ui.auth proxy`,
		"ui={enabled: true, auth: proxy, proxy: {impersonation: Constrained}}":                                      `need each other`,
		"ui={enabled: true, auth: proxy, tlsSecret: tls, proxy: {trustedProxies: [10.0.0.0/8], clientCASecret: a}}": `need each other`,
		"ui={enabled: true, auth: proxy, tlsSecret: tls, proxy: {clientCASecret: a, impersonation: Constrained}}":   `needs ui.proxy.trustedProxies`,
		"ui={enabled: true, auth: proxy, proxy: {trustedProxies: [10.0.0.0/8], impersonation: Constrained}}":        `ui.proxy.clientCASecret`,
		"ui={enabled: true, auth: proxy, proxy: {trustedProxies: [10.0.0.1]}}":                                      `trustedProxies`,
		"ui={enabled: true, auth: proxy, proxy: {signOutURL: 'javascript:alert(1)'}}":                               `signOutURL`,
	} {
		NewWithT(t).Expect(renderErrors(t, values)).To(ContainSubstring(message), values)
	}
}

// TestImpersonationNeedsAProxy checks that the pages can impersonate users only if a proxy needs it.
func TestImpersonationNeedsAProxy(t *testing.T) {
	for name, values := range map[string][]string{
		"by default": nil, "with pages": {"ui.enabled=true"}, "with a proxy that sends tokens": {"ui={enabled: true, auth: proxy}"},
	} {
		for _, role := range renderChart(t, values...).ofKind("ClusterRole") {
			NewWithT(t).Expect(role.GetName()).NotTo(ContainSubstring("ui-impersonation"), name)
		}
	}
}

// TestConstrainedImpersonation applies the roles of the chart to an API server, and acts as users with the
// account of the pages. The users are administrators, so the API server refuses for the account alone.
func TestConstrainedImpersonation(t *testing.T) {
	server := testenv.Start(t)
	tenant := server.Namespace(t, nil)
	server.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: tenant}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane"}, {Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "admins"}},
	})
	for name, full := range map[string]bool{"Constrained": false, "Full": true} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			account := startPagesAccount(t, server, name)
			as := func(user string, groups ...string) client.Client { return account.as(t, user, groups...) }
			g.Eventually(func() error { return as("jane").Create(t.Context(), &authenticationv1.SelfSubjectReview{}) }).WithTimeout(20 * time.Second).Should(Succeed())
			review := &authenticationv1.SelfSubjectReview{}
			g.Expect(as("jane", "team", "b", "c", "d").Create(t.Context(), review)).To(Succeed())
			g.Expect(review.Status.UserInfo.Username).To(Equal("jane"))
			g.Expect(review.Status.UserInfo.Groups).To(ConsistOf("team", "b", "c", "d", "system:authenticated"))
			g.Expect(as("john", "admins").List(t.Context(), &appsv1.DeploymentList{}, client.InNamespace(tenant))).To(Succeed())
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "inputs-", Namespace: tenant}}
			g.Expect(as("jane").Create(t.Context(), secret)).To(Succeed())
			g.Expect(as("ann").Create(t.Context(), secret.DeepCopy())).To(Satisfy(apierrors.IsForbidden), "the user has no permission")
			g.Expect(as("").List(t.Context(), &corev1.PodList{}, client.InNamespace(tenant))).To(Satisfy(apierrors.IsForbidden), "the account itself has none")

			refused := map[string]error{
				"reading Secrets": as("jane").Get(t.Context(), client.ObjectKeyFromObject(secret), secret.DeepCopy()),
				"listing Secrets": as("jane").List(t.Context(), &corev1.SecretList{}, client.InNamespace(tenant)),
				"creating roles":  as("jane").Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "any-"}}),
				"system:masters":  as("jane", "system:masters").List(t.Context(), &corev1.PodList{}, client.InNamespace(tenant)),
			}
			for what, err := range refused {
				if full {
					g.Expect(err).NotTo(HaveOccurred(), "%s: full impersonation is cluster administration", what)
				} else {
					g.Expect(err).To(Satisfy(apierrors.IsForbidden), what)
				}
			}
			g.Expect(as("system:serviceaccount:kube-system:default").Create(t.Context(), &authenticationv1.SelfSubjectReview{})).To(Satisfy(apierrors.IsForbidden), "service accounts")
		})
	}
}

// pagesAccount is the account of the pages with the roles of the chart.
type pagesAccount struct {
	server *testenv.Env
	config *rest.Config
}

// startPagesAccount applies the roles of the pages with a mode of impersonation, and binds them to an account.
func startPagesAccount(t *testing.T, server *testenv.Env, mode string, values ...string) pagesAccount {
	t.Helper()
	g := NewWithT(t)
	own := server.Namespace(t, nil)
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "ui"}})
	for _, each := range renderChart(t, append([]string{proxyValues, "ui.proxy.impersonation=" + mode}, values...)...).ofKind("ClusterRole") {
		if each.GetName() != "appmarket-ui" && each.GetName() != "appmarket-ui-impersonation" {
			continue
		}
		each.SetName(own + "-" + each.GetName())
		server.Create(t, each, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: each.GetName()}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: each.GetName()},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: own, Name: "ui"}},
		})
	}
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "ui"}}
	g.Expect(server.Client.SubResource("token").Create(t.Context(), account, request)).To(Succeed())
	config := rest.AnonymousClientConfig(server.Config)
	config.BearerToken = request.Status.Token
	return pagesAccount{server, config}
}

// as returns a client that impersonates a user, or the account itself if the user is empty.
func (a pagesAccount) as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	config := rest.CopyConfig(a.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	created, err := client.New(config, client.Options{Scheme: a.server.Scheme, Mapper: a.server.Mapper})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return created
}
