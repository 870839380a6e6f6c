package story_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// createCatalogSource creates a source of the whole catalog with the given platform version.
func createCatalogSource(ctx context.Context, system string) *v1alpha1.MarketSource {
	GinkgoHelper()
	folder := os.Getenv("MARKET_CATALOG")
	if folder == "" {
		Skip("skipped: MARKET_CATALOG is not set")
	}
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: createNamespace(ctx, "market"), Name: "catalog"},
		Spec: v1alpha1.MarketSourceSpec{
			Type:              v1alpha1.SourceTypeDirectory,
			Directory:         &v1alpha1.DirectorySource{Path: folder},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
			Platform:          newPlatform(system),
		},
	}
	begin := time.Now()
	Expect(k8sClient.Create(ctx, source)).To(Succeed())
	waitTrue(ctx, source, v1alpha1.ConditionReady)
	AddReportEntry("time until all apps are Ready", fmt.Sprintf("%d apps in %.1f s",
		source.Status.Apps.Total, time.Since(begin).Seconds()), ReportEntryVisibilityAlways)
	Expect(source.Status.Apps.Total).To(BeNumerically(">", 100))
	Expect(source.Status.Apps.Ready).To(Equal(source.Status.Apps.Total), "%v", source.Status.Failures)
	return source
}

var _ = Describe("A tenant of a catalog of real apps", func() {
	It("installs apps without required inputs, and removes them completely", func(ctx SpecContext) {
		source := createCatalogSource(ctx, olderSystem) // The apps with several charts require this version.
		chosen := newAppSelector(ctx, source.Namespace, olderSystem)
		plain := func(rule func(candidate) bool) func(candidate) bool {
			return func(c candidate) bool { return !c.needsInput() && rule(c) }
		}
		apps := chosen.selectApps(1, plain(func(c candidate) bool { return len(c.Status.Summary.SubCharts) > 1 }))
		apps = append(apps, chosen.selectApps(5, plain(func(c candidate) bool { return c.countKind("Deployment.apps") > 1 }))...)
		apps = append(apps, chosen.selectApps(4, plain(func(candidate) bool { return true }))...)
		installAndUninstall(ctx, source, chosen, apps)
	})

	It("installs apps with required inputs, and keeps their data when they are removed", func(ctx SpecContext) {
		source := createCatalogSource(ctx, newestSystem)
		chosen := newAppSelector(ctx, source.Namespace, newestSystem)
		installAndUninstall(ctx, source, chosen, chosen.selectApps(2, func(c candidate) bool {
			return c.needsInput() && c.countKind("PersistentVolumeClaim") > 0
		}))
	})
})

// An installation is an app in a namespace of its own.
type installation struct {
	*tenant
	app  candidate
	task *v1alpha1.AppInstallTask
	// servers are the shared charts of the app, each in a namespace of its own.
	servers []*installation
}

// newInstallation creates a namespace for an app and for each of its shared charts.
func newInstallation(ctx context.Context, source *v1alpha1.MarketSource, app candidate) *installation {
	GinkgoHelper()
	one := &installation{tenant: newTenant(ctx, source), app: app}
	for _, c := range app.Status.Summary.SubCharts {
		if c.Shared {
			one.servers = append(one.servers, &installation{tenant: createSharedNamespace(ctx, source, c.Name), app: app})
		}
	}
	return one
}

// createInstallTask creates a task and provides the inputs that it requires.
func (i *installation) createInstallTask(ctx context.Context) {
	GinkgoHelper()
	i.task = i.tenant.Task(ctx, v1alpha1.ActionInstall, i.app.Spec.App)
	if i.app.needsInput() {
		i.provideInputs(ctx)
	}
}

// installAndUninstall installs apps in parallel, checks that they run, uninstalls them and checks that no
// objects remain.
func installAndUninstall(ctx context.Context, source *v1alpha1.MarketSource, chosen *appSelector, apps []candidate) {
	GinkgoHelper()
	var all []*installation
	for _, app := range apps {
		all = append(all, newInstallation(ctx, source, app))
	}
	for _, one := range all {
		for _, part := range append(one.servers, one) {
			summary := one.app.Status.Summary
			if chosen.needsClusterAdmin(one.app) || len(one.servers) > 0 || summary.AdminOnly || summary.ClusterSingleton {
				part.grantClusterAdmin(ctx)
			}
			part.waitNamespaceObjects(ctx)
		}
	}
	before := listObjectNames(ctx)

	By("installing them")
	for _, one := range all {
		for _, part := range append(one.servers, one) {
			part.createInstallTask(ctx)
		}
	}
	for _, one := range all {
		for _, part := range append(one.servers, one) {
			part.waitSucceeded(ctx, part.task)
		}
		one.expectRunning(ctx)
	}
	AddReportEntry("installed", installationTable(ctx, all), ReportEntryVisibilityAlways)

	By("removing them")
	for _, one := range all {
		one.task = one.tenant.Task(ctx, v1alpha1.ActionUninstall, one.app.Spec.App, withDependents)
	}
	kept := map[string]bool{}
	for _, one := range all {
		one.waitSucceeded(ctx, one.task)
		for _, name := range one.retainedNames(ctx) {
			kept[name] = true
		}
	}
	Eventually(func() []string {
		var left []string
		for name := range listObjectNames(ctx) {
			own := strings.HasPrefix(name, "secrets ") && strings.Contains(name, "/input-") // created by this test
			if !before[name] && !kept[name] && !own {
				left = append(left, name)
			}
		}
		return left
	}).WithContext(ctx).Should(BeEmpty())
}

// grantClusterAdmin binds the tenant's service account to cluster-admin, which an app that reaches beyond
// its namespace requires.
func (i *installation) grantClusterAdmin(ctx context.Context) {
	GinkgoHelper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "administrator-of-" + i.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: i.Namespace, Name: "tenant"}},
	}
	Expect(k8sClient.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, binding)).To(Succeed()) })
}

// waitNamespaceObjects waits for the objects that Kubernetes creates in a new namespace.
func (i *installation) waitNamespaceObjects(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() error {
		return k8sClient.Get(ctx, client.ObjectKey{Namespace: i.Namespace, Name: "default"}, &corev1.ServiceAccount{})
	}).WithContext(ctx).Should(Succeed())
	Eventually(func() error {
		return k8sClient.Get(ctx, client.ObjectKey{Namespace: i.Namespace, Name: "kube-root-ca.crt"}, &corev1.ConfigMap{})
	}).WithContext(ctx).Should(Succeed())
}

// provideInputs waits for the task to require inputs and provides a value for each.
func (i *installation) provideInputs(ctx context.Context) {
	GinkgoHelper()
	i.waitReconciling(ctx, i.task, v1alpha1.ReasonWaitingForInput)
	Expect(i.task.Status.RequiredInputs).NotTo(BeEmpty())
	before := client.MergeFrom(i.task.DeepCopy())
	for _, in := range i.task.Status.RequiredInputs {
		Expect(in.Problem).To(Equal("required"))
		i.task.Spec.EnsureParameters().Inputs = append(i.task.Spec.EnsureParameters().Inputs, i.newInputValue(ctx, in))
	}
	Expect(k8sClient.Patch(ctx, i.task, before)).To(Succeed())
}

// newInputValue returns a value for an input. The value of a secret input is a reference to a Secret.
func (i *installation) newInputValue(ctx context.Context, in v1alpha1.Input) v1alpha1.InputValue {
	GinkgoHelper()
	if in.Secret {
		return i.createInputSecret(ctx, in.Name, validInput(in))
	}
	return newInput(in.Name, validInput(in))
}

// expectRunning checks in the tasks, the instances and the cluster that the app and its shared charts run.
func (i *installation) expectRunning(ctx context.Context) {
	GinkgoHelper()
	releases, workloads := 0, 0
	for _, part := range append(i.servers, i) {
		Expect(meta.IsStatusConditionTrue(part.task.Status.Conditions, v1alpha1.ConditionHealthy)).To(BeTrue())
		status := part.Instance(ctx, i.app.Spec.App).Status
		Expect(status.Version).To(Equal(i.app.Status.SelectedVersion))
		Expect(status.Inventory.Ready).To(Equal(status.Inventory.Total))
		Expect(status.Inventory.Total).To(BeNumerically(">", 0))
		releases += len(status.Releases)
		for _, d := range part.deployments(ctx) {
			Expect(d.Status.ReadyReplicas).To(Equal(*d.Spec.Replicas), d.Name)
			workloads++
		}
	}
	Expect(releases).To(Equal(max(1, len(i.app.Status.Summary.SubCharts))))
	Expect(workloads).To(Equal(i.app.countKind("Deployment.apps")))
}

// retainedNames returns the names of the objects that may remain: the volume claims of the app, all of them
// recorded in status.retainedObjects, and their volumes.
func (i *installation) retainedNames(ctx context.Context) []string {
	GinkgoHelper()
	var names []string
	count := 0
	for _, part := range append(i.servers, i) {
		status := part.Instance(ctx, i.app.Spec.App).Status
		Expect(status.Releases).To(BeEmpty())
		var claims corev1.PersistentVolumeClaimList
		Expect(k8sClient.List(ctx, &claims, client.InNamespace(part.Namespace))).To(Succeed())
		Expect(claims.Items).To(HaveLen(len(status.RetainedObjects)))
		count += len(claims.Items)
		for _, claim := range claims.Items {
			Expect(slices.ContainsFunc(status.RetainedObjects, func(r v1alpha1.ObjectReference) bool {
				return r.Kind == "PersistentVolumeClaim" && r.Name == claim.Name
			})).To(BeTrue(), claim.Name)
			names = append(names, "persistentvolumeclaims "+part.Namespace+"/"+claim.Name, "persistentvolumes /"+claim.Spec.VolumeName)
		}
	}
	Expect(count).To(BeNumerically(">=", i.app.countKind("PersistentVolumeClaim")))
	return names
}

// listObjectNames returns the name of every object of the cluster, except events and the objects of
// AppMarket.
func listObjectNames(ctx context.Context) map[string]bool {
	GinkgoHelper()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(restConfig).ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	reader := metadata.NewForConfigOrDie(restConfig)
	found := map[string]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range list.APIResources {
			if version.Group == v1alpha1.GroupVersion.Group || resource.Name == "events" || !slices.Contains(resource.Verbs, "list") {
				continue
			}
			objects, err := reader.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred(), resource.Name)
			for _, o := range objects.Items {
				found[version.WithResource(resource.Name).GroupResource().String()+" "+o.Namespace+"/"+o.Name] = true
			}
		}
	}
	return found
}

// installationTable formats the installed apps and the times of their installations.
func installationTable(ctx context.Context, all []*installation) string {
	GinkgoHelper()
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "\nAPP\tVERSION\tRELEASES\tDEPLOYMENTS\tOBJECTS\tINPUTS\tSECONDS")
	for _, one := range all {
		releases, objects := 0, 0
		for _, part := range append(one.servers, one) {
			status := part.Instance(ctx, one.app.Spec.App).Status
			releases, objects = releases+len(status.Releases), objects+int(status.Inventory.Total)
		}
		took := one.task.Status.CompletionTime.Sub(one.task.CreationTimestamp.Time)
		_, _ = fmt.Fprintf(out, "%s\t%s\t%d\t%d\t%d\t%d\t%.0f\n", one.app.Spec.App, one.task.Status.Version, releases,
			one.app.countKind("Deployment.apps"), objects, len(one.task.Spec.EnsureParameters().Inputs), took.Seconds())
	}
	Expect(out.Flush()).To(Succeed())
	return text.String()
}
