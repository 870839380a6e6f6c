package release_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

const (
	widget    = "apiVersion: test.appmarket.io/v1\nkind: Widget\nmetadata: {name: %NAME%}\n"
	namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %NAME%}\n"
)

// newAdminClient returns a client of a new namespace whose tenant may do anything in the cluster.
func newAdminClient(t testing.TB) (*helmtest.ChartClient, string) {
	t.Helper()
	g := NewWithT(t)
	tenant := helmtest.NewTenant(t)
	_, err := helmtest.Server.Admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: tenant.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: tenant.ServiceAccount, Namespace: tenant.Namespace}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	c := helmtest.NewClientFor(helmtest.Server.Clients, tenant)
	g.Eventually(func() error {
		_, err := c.Get(t.Context(), "none")
		return err
	}).Should(Succeed(), "the API server has seen the binding")
	return c, tenant.Namespace
}

// makeWidget creates a custom resource like its controller.
func makeWidget(t testing.TB, namespace, name string, owners ...metav1.OwnerReference) metav1.OwnerReference {
	t.Helper()
	admin, err := dynamic.NewForConfig(helmtest.Server.Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	object := &unstructured.Unstructured{}
	NewWithT(t).Expect(yaml.Unmarshal([]byte(replaceName(widget, name)), &object.Object)).To(Succeed())
	object.SetOwnerReferences(owners)
	made, err := admin.Resource(helmtest.Resources["Widget"]).Namespace(namespace).Create(t.Context(), object, metav1.CreateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return ownerOf(made)
}

func ownerOf(object *unstructured.Unstructured) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Name: object.GetName(), UID: object.GetUID(),
	}
}

func makeClaim(t testing.TB, namespace, name string, owners ...metav1.OwnerReference) {
	t.Helper()
	claim := claimOf(name, metav1.OwnerReference{})
	claim.OwnerReferences = owners
	_, err := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), claim, metav1.CreateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// ownersOf returns the owners of a claim that is not being deleted.
func ownersOf(t testing.TB, namespace, name string) []string {
	t.Helper()
	claim, err := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Get(context.Background(), name, metav1.GetOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(claim.DeletionTimestamp).To(BeNil())
	owners := []string{}
	for _, one := range claim.OwnerReferences {
		owners = append(owners, one.Kind+"/"+one.Name)
	}
	return owners
}

// claimsOf returns the claims with the label of an instance.
func claimsOf(t testing.TB, namespace, instance string) []string {
	t.Helper()
	claims, err := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).List(
		t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.InstanceLabel + "=" + instance})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	names := []string{}
	for _, one := range claims.Items {
		names = append(names, one.Name)
	}
	return names
}

// TestClaimsOutliveTheirOwners has claims that belong to a custom resource of the release, directly
// and through another object.
func TestClaimsOutliveTheirOwners(t *testing.T) {
	helmtest.RequireWidgets(t)
	upgraded := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	for _, one := range []struct {
		why    string
		remove func(context.Context, *testing.T, *helmtest.ChartClient) error
		gone   bool
	}{
		{why: "the release is removed", gone: true, remove: func(ctx context.Context, _ *testing.T, c *helmtest.ChartClient) error {
			return c.Uninstall(ctx, plain.Removal{Name: "blog"})
		}},
		{why: "an upgrade goes without the owner", gone: true, remove: func(ctx context.Context, _ *testing.T, c *helmtest.ChartClient) error {
			_, err := c.Upgrade(ctx, upgraded)
			return err
		}},
		{why: "the owner is left behind by a failed upgrade", gone: true, remove: func(ctx context.Context, t *testing.T, c *helmtest.ChartClient) error {
			broken := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": strings.Replace(helmtest.Service, "80", "99999", 1)})
			_, err := c.Upgrade(ctx, broken)
			NewWithT(t).Expect(err).To(HaveOccurred())
			_, err = c.Upgrade(ctx, upgraded)
			return err
		}},
		{why: "a rollback goes to a revision without the owner", gone: true, remove: func(ctx context.Context, _ *testing.T, c *helmtest.ChartClient) error {
			_, err := c.Rollback(ctx, helmtest.NewRollback(1))
			return err
		}},
		{why: "an upgrade keeps the owner", remove: func(ctx context.Context, _ *testing.T, c *helmtest.ChartClient) error {
			_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "widget.yaml": replaceName(widget, "db")}))
			return err
		}},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			_, err := c.Install(t.Context(), upgraded)
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "widget.yaml": replaceName(widget, "db")}))
			g.Expect(err).NotTo(HaveOccurred())
			db := ownerOf(helmtest.GetLive(t, helmtest.Resources["Widget"], namespace, "db"))
			replica := makeWidget(t, namespace, "db-1", db)
			other := makeWidget(t, namespace, "other")
			makeClaim(t, namespace, "direct", db)
			makeClaim(t, namespace, "indirect", replica)
			makeClaim(t, namespace, "shared", other, db)
			makeClaim(t, namespace, "others", other)
			makeClaim(t, namespace, "scratch", metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: "db-0", UID: db.UID})

			ctx, retained := observeRetained(t.Context())
			g.Expect(one.remove(ctx, t, c)).To(Succeed())
			if !one.gone {
				g.Expect(retained()).To(BeEmpty())
				g.Expect(ownersOf(t, namespace, "direct")).To(Equal([]string{"Widget/db"}))
				return
			}
			g.Expect(retained()).To(ConsistOf(
				"PersistentVolumeClaim/direct", "PersistentVolumeClaim/indirect", "PersistentVolumeClaim/shared"))
			g.Expect(claimsOf(t, namespace, "blog")).To(Equal([]string{"direct", "indirect", "shared"}), "they bear the name of the instance")
			g.Expect(ownersOf(t, namespace, "direct")).To(BeEmpty())
			g.Expect(ownersOf(t, namespace, "indirect")).To(BeEmpty())
			g.Expect(ownersOf(t, namespace, "shared")).To(Equal([]string{"Widget/other"}))
			g.Expect(ownersOf(t, namespace, "others")).To(Equal([]string{"Widget/other"}), "they have nothing to do with the release")
			g.Expect(ownersOf(t, namespace, "scratch")).To(Equal([]string{"Pod/db-0"}), "an ephemeral volume goes with its pod")
		})
	}
}

// TestOwnNamespaceIsNeverDeleted has a chart that contains the namespace of its release.
func TestOwnNamespaceIsNeverDeleted(t *testing.T) {
	for _, one := range []struct {
		why    string
		text   func(string) string
		remove func(context.Context, *helmtest.ChartClient) error
	}{
		{why: "the release is removed", remove: func(ctx context.Context, c *helmtest.ChartClient) error {
			return c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: 20 * time.Second})
		}},
		{why: "an upgrade goes without it", remove: func(ctx context.Context, c *helmtest.ChartClient) error {
			_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
			return err
		}},
		{why: "a failed upgrade has brought it", remove: func(ctx context.Context, c *helmtest.ChartClient) error {
			_, err := c.Rollback(ctx, helmtest.NewRollback(1))
			return err
		}},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, own := newAdminClient(t)
			g := NewWithT(t)
			_, err := helmtest.Server.Admin.CoreV1().Namespaces().Patch(t.Context(), own, "application/merge-patch+json", []byte(
				`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"blog","meta.helm.sh/release-namespace":"`+own+`"}}}`),
				metav1.PatchOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "ns.yaml": replaceName(namespace, own)}))
			g.Expect(err).NotTo(HaveOccurred())

			ctx, retained := observeRetained(t.Context())
			g.Expect(one.remove(ctx, c)).To(Succeed())
			space, err := helmtest.Server.Admin.CoreV1().Namespaces().Get(t.Context(), own, metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(space.DeletionTimestamp).To(BeNil())
			g.Expect(retained()).To(Equal([]string{"Namespace/" + own}))
			g.Expect(c.DeleteKept(t.Context(), []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "Namespace", Name: own}})).To(Succeed())
			space, err = helmtest.Server.Admin.CoreV1().Namespaces().Get(t.Context(), own, metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(space.DeletionTimestamp).To(BeNil())
		})
	}
	t.Run("a hook has it deleted first", func(t *testing.T) {
		c, own := newAdminClient(t)
		g := NewWithT(t)
		hook := fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, annotations: {helm.sh/hook: pre-install}}\n", own)
		_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "ns.yaml": hook}))
		g.Expect(err).NotTo(HaveOccurred())
		space, err := helmtest.Server.Admin.CoreV1().Namespaces().Get(t.Context(), own, metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(space.DeletionTimestamp).To(BeNil())
	})
}

// TestContainersOfClaimsAreKept has Namespaces and a CRD in a chart, whose deletion would delete
// claims.
func TestContainersOfClaimsAreKept(t *testing.T) {
	c, own := newAdminClient(t)
	g := NewWithT(t)
	full, empty := own+"-full", own+"-empty"
	gadgets := strings.NewReplacer("widgets", "gadgets-"+own, "widget", "gadget", "WidgetList", "GadgetList", "Widget", "Gadget",
		"test.appmarket.io", "other.test.appmarket.io").Replace(helmtest.Widgets)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{
		"cm.yaml": helmtest.ConfigMap, "ns.yaml": replaceName(namespace, full) + "---\n" + replaceName(namespace, empty), "crd.yaml": gadgets,
	}))
	g.Expect(err).NotTo(HaveOccurred())
	makeClaim(t, full, "data")
	kind := metav1.OwnerReference{APIVersion: "other.test.appmarket.io/v1", Kind: "Gadget", Name: "of-another-tenant", UID: "u-1"}
	other := helmtest.NewTenant(t)
	makeClaim(t, other.Namespace, "precious", kind)

	ctx, retained := observeRetained(t.Context())
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: 20 * time.Second})).To(Or(Succeed(),
		MatchError(ContainSubstring(empty))), "there is no controller that completes the deletion of a namespace")
	g.Expect(retained()).To(ConsistOf("PersistentVolumeClaim/data", "Namespace/"+full,
		"CustomResourceDefinition/gadgets-"+own+".other.test.appmarket.io"))
	spaces := helmtest.Server.Admin.CoreV1().Namespaces()
	space, err := spaces.Get(t.Context(), full, metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(space.DeletionTimestamp).To(BeNil())
	space, err = spaces.Get(t.Context(), empty, metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(space.DeletionTimestamp).NotTo(BeNil(), "nothing is in it")
	g.Expect(ownersOf(t, other.Namespace, "precious")).To(Equal([]string{"Gadget/of-another-tenant"}))

	g.Expect(c.DeleteKept(t.Context(), []v1alpha1.ObjectReference{
		{APIVersion: "v1", Kind: "Namespace", Name: full},
		{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: full, Name: "data"},
	})).To(Succeed())
	space, err = spaces.Get(t.Context(), full, metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(space.DeletionTimestamp).NotTo(BeNil(), "the data in it was to be deleted")
}

func TestObjectsKeptByPolicyAreNamed(t *testing.T) {
	kept := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\n"
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "kept.yaml": kept}))
	g.Expect(err).NotTo(HaveOccurred())
	ctx, retained := observeRetained(t.Context())
	_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(retained()).To(Equal([]string{"ConfigMap/kept"}), "an upgrade goes without it")
	_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "kept.yaml": kept}))
	g.Expect(err).NotTo(HaveOccurred())

	ctx, retained = observeRetained(t.Context())
	g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog"})).To(Succeed())
	g.Expect(retained()).To(Equal([]string{"ConfigMap/kept"}))
	g.Expect(c.DeleteKept(t.Context(), []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "kept"}})).To(Succeed())
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"kept"}))
}

// TestClaimsThatCannotBeSeenAreNotRisked removes the permission to list claims from a tenant.
func TestClaimsThatCannotBeSeenAreNotRisked(t *testing.T) {
	helmtest.RequireWidgets(t)
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "widget.yaml": replaceName(widget, "db")}))
	g.Expect(err).NotTo(HaveOccurred())
	unrelated := helmtest.NewSpec(map[string]string{"cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"})
	unrelated.Name = "plain"
	_, err = c.Install(t.Context(), unrelated)
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.SetPermissions(t, namespace,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"*"}},
		rbacv1.PolicyRule{APIGroups: []string{"test.appmarket.io"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	g.Eventually(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog"}) }).Should(MatchError(
		fmt.Sprintf(`service account "%[1]s/installer" cannot list persistentvolumeclaims in namespace %[1]q`, namespace)))
	err = c.Uninstall(t.Context(), plain.Removal{Name: "blog"})
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
	g.Expect(helmtest.GetLive(t, helmtest.Resources["Widget"], namespace, "db").GetDeletionTimestamp()).To(BeNil())

	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "plain"})).To(Succeed(), "none of its objects is likely to own a claim")
	_, err = helmtest.Server.Admin.CoreV1().ConfigMaps(namespace).Get(t.Context(), "plain", metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
}

// TestOwnersThatCannotBeRead has a claim with an owner that the tenant may not read, and a claim of
// the release. It is unknown whether the first claim depends on the release.
func TestOwnersThatCannotBeRead(t *testing.T) {
	helmtest.RequireWidgets(t)
	cluster := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps", "services", "persistentvolumeclaims"}, Verbs: []string{"*"}},
		{APIGroups: []string{"apps"}, Resources: []string{"statefulsets"}, Verbs: []string{"*"}},
	}
	widgetsToo := append(slices.Clone(cluster), rbacv1.PolicyRule{APIGroups: []string{"test.appmarket.io"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	hidden := metav1.OwnerReference{APIVersion: "storage.k8s.io/v1", Kind: "VolumeAttachment", Name: "hidden", UID: "u-1"}
	t.Run("a release of custom resources is not removed", func(t *testing.T) {
		c, namespace := helmtest.NewClient(t)
		g := NewWithT(t)
		_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"widget.yaml": replaceName(widget, "db")}))
		g.Expect(err).NotTo(HaveOccurred())
		makeClaim(t, namespace, "foreign", hidden)
		helmtest.SetPermissions(t, namespace, widgetsToo...)
		g.Eventually(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog"}) }).Should(MatchError(
			`service account "` + namespace + `/installer" cannot get volumeattachments.storage.k8s.io at cluster scope`))
		g.Expect(helmtest.GetLive(t, helmtest.Resources["Widget"], namespace, "db").GetDeletionTimestamp()).To(BeNil())
	})
	t.Run("a release of other objects is removed, and its own claims are kept", func(t *testing.T) {
		c, namespace := helmtest.NewClient(t)
		g := NewWithT(t)
		_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
		g.Expect(err).NotTo(HaveOccurred())
		owner, err := helmtest.GetConfigMap(t, namespace, "blog")
		g.Expect(err).NotTo(HaveOccurred())
		makeClaim(t, namespace, "a-foreign", hidden)
		makeClaim(t, namespace, "own", metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "blog", UID: owner.UID})
		helmtest.SetPermissions(t, namespace, cluster...)
		g.Eventually(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog"}) }).Should(Succeed())
		g.Expect(ownersOf(t, namespace, "own")).To(BeEmpty())
		g.Expect(ownersOf(t, namespace, "a-foreign")).To(Equal([]string{"VolumeAttachment/hidden"}))
	})
}
