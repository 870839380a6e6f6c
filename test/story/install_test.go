package story_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// A tenant is a namespace in which apps from a source can be installed.
type tenant struct{ *fixture.Tenant }

// newTenant creates a namespace whose service account has the permissions of a namespace
// administrator.
func newTenant(ctx context.Context, source *v1alpha1.MarketSource) *tenant {
	GinkgoHelper()
	return newTenantIn(ctx, source, createNamespace(ctx, "tenant"))
}

// newTenantIn returns a tenant in an existing namespace.
func newTenantIn(ctx context.Context, source *v1alpha1.MarketSource, namespace string) *tenant {
	GinkgoHelper()
	t := &tenant{fixture.TenantIn(ctx, cluster, namespace)}
	t.Source = source
	return t
}

// waitSucceeded waits for a task to succeed.
func (t *tenant) waitSucceeded(ctx context.Context, task *v1alpha1.AppInstallTask) {
	GinkgoHelper()
	waitTrue(ctx, task, v1alpha1.ConditionSucceeded)
	Expect(task.Status.CompletionTime).NotTo(BeNil())
}

// waitReconciling waits until a task is Reconciling with a reason.
func (t *tenant) waitReconciling(ctx context.Context, task *v1alpha1.AppInstallTask, reason string) {
	GinkgoHelper()
	t.WaitReconciling(ctx, task, reason)
}

// waitFailed waits until a task is Stalled with a reason, and returns the message.
func (t *tenant) waitFailed(ctx context.Context, task *v1alpha1.AppInstallTask, reason string) string {
	GinkgoHelper()
	return t.WaitStalled(ctx, task, reason)
}

// deployments returns the Deployments of the tenant.
func (t *tenant) deployments(ctx context.Context) []appsv1.Deployment {
	GinkgoHelper()
	var list appsv1.DeploymentList
	Expect(k8sClient.List(ctx, &list, client.InNamespace(t.Namespace))).To(Succeed())
	return list.Items
}

// listLeftovers returns the Deployments and the Helm records in the namespace.
func (t *tenant) listLeftovers(ctx context.Context) []string {
	GinkgoHelper()
	var left []string
	for _, d := range t.deployments(ctx) {
		left = append(left, "Deployment/"+d.Name)
	}
	var secrets corev1.SecretList
	Expect(k8sClient.List(ctx, &secrets, client.InNamespace(t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	for _, s := range secrets.Items {
		left = append(left, "Secret/"+s.Name)
	}
	return left
}

func withVersion(v string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Version = v }
}

func newInput(name, value string) v1alpha1.InputValue {
	return v1alpha1.InputValue{Name: name, Value: &value}
}

// createInputSecret creates a Secret and returns an input that is read from it.
func (t *tenant) createInputSecret(ctx context.Context, name, value string) v1alpha1.InputValue {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, GenerateName: "input-"}, StringData: map[string]string{"value": value},
	}
	Expect(k8sClient.Create(ctx, secret)).To(Succeed())
	return v1alpha1.InputValue{Name: name, ValueFrom: &v1alpha1.InputValueSource{
		SecretKeyRef: &v1alpha1.KeyReference{Name: secret.Name, Key: "value"},
	}}
}

var _ = Describe("A tenant", Ordered, func() {
	var source *v1alpha1.MarketSource
	var t *tenant

	BeforeAll(func(ctx SpecContext) { source = createSampleSource(ctx, createNamespace(ctx, "market")) })
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, source) })

	It("installs an app, upgrades it and removes it", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "hello", withVersion("1.0.0")))
		instance := t.Instance(ctx, "hello")
		Expect(instance.Status.Version).To(Equal("1.0.0"))
		Expect(instance.Status.AvailableUpdate).To(Equal("1.1.0"))
		Expect(t.deployments(ctx)).NotTo(BeEmpty())
		for _, d := range t.deployments(ctx) {
			Expect(d.Status.ReadyReplicas).To(Equal(*d.Spec.Replicas))
		}

		upgrade := t.Task(ctx, v1alpha1.ActionUpgrade, "hello")
		t.waitSucceeded(ctx, upgrade)
		instance = t.Instance(ctx, "hello")
		Expect(instance.Status.Version).To(Equal("1.1.0"))
		Expect(instance.Status.AvailableUpdate).To(BeEmpty())
		Expect(instance.Status.History[0].Operation.Type).To(Equal(v1alpha1.OperationUpgrade))
		Expect(instance.Status.History[0].Operation.Task).To(Equal(upgrade.Name))

		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "hello"))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
		Expect(t.Instance(ctx, "hello").Status.Releases).To(BeEmpty())
	})

	It("is asked for all required inputs at once, and continues when they are valid", func(ctx SpecContext) {
		task := t.Task(ctx, v1alpha1.ActionInstall, "wiki")
		t.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForInput)
		var names []string
		for _, in := range task.Status.RequiredInputs {
			names = append(names, in.Name)
			Expect(in.Problem).To(Equal("required"))
		}
		Expect(names).To(ConsistOf("WIKI_ADMIN_EMAIL", "WIKI_ADMIN_PASSWORD", "WIKI_PUBLIC_URL", "WIKI_LANGUAGE", "WIKI_HOME"))

		By("setting an invalid input")
		task.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{
			newInput("WIKI_ADMIN_EMAIL", "invalid"), t.createInputSecret(ctx, "WIKI_ADMIN_PASSWORD", "correct horse battery"),
			newInput("WIKI_PUBLIC_URL", "https://wiki.example"), newInput("WIKI_LANGUAGE", "en"), newInput("WIKI_HOME", "start"),
		}
		Expect(k8sClient.Update(ctx, task)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
			g.Expect(task.Status.RequiredInputs).To(HaveLen(1))
			g.Expect(task.Status.RequiredInputs[0].Problem).To(Equal("must be an email address"))
		}).WithContext(ctx).Should(Succeed())

		By("setting valid inputs")
		task.Spec.EnsureParameters().Inputs[0] = newInput("WIKI_ADMIN_EMAIL", "admin@wiki.example")
		Expect(k8sClient.Update(ctx, task)).To(Succeed())
		t.waitSucceeded(ctx, task)
		Expect(task.Status.RequiredInputs).To(BeEmpty())
	})

	It("installs an app with a dependency when the dependency runs", func(ctx SpecContext) {
		blog := t.Task(ctx, v1alpha1.ActionInstall, "blog")
		t.waitReconciling(ctx, blog, v1alpha1.ReasonWaitingForDependency)
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "notes"))
		t.waitSucceeded(ctx, blog)
	})

	It("keeps the data of an app that is removed, unless dataPolicy is Delete", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "notes"))
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "notes"))
		kept := t.Instance(ctx, "notes").Status.RetainedObjects
		Expect(kept).To(HaveLen(1))
		claim := &corev1.PersistentVolumeClaim{}
		key := client.ObjectKey{Namespace: t.Namespace, Name: kept[0].Name}
		Expect(k8sClient.Get(ctx, key, claim)).To(Succeed())
		uid := claim.UID

		By("installing the app again")
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "notes"))
		Expect(k8sClient.Get(ctx, key, claim)).To(Succeed())
		Expect(claim.UID).To(Equal(uid))
		Expect(t.Instance(ctx, "notes").Status.RetainedObjects).To(BeEmpty())

		By("removing the app with its data")
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "notes", func(s *v1alpha1.AppInstallTaskSpec) {
			s.Uninstall = &v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataDelete}
		}))
		Eventually(func() error { return k8sClient.Get(ctx, key, claim) }).Should(MatchError(ContainSubstring("not found")))
	})

	It("cannot use permissions that its service account does not have", func(ctx SpecContext) {
		task := t.Task(ctx, v1alpha1.ActionInstall, "hello", func(s *v1alpha1.AppInstallTaskSpec) {
			s.ServiceAccountName = "default"
		})
		Expect(t.waitFailed(ctx, task, v1alpha1.ReasonPermissionDenied)).To(ContainSubstring("default"))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
	})

	It("gets the reason for each invalid request", func(ctx SpecContext) {
		t.waitFailed(ctx, t.Task(ctx, v1alpha1.ActionUpgrade, "hello"), v1alpha1.ReasonNotInstalled)
		t.waitFailed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "nothing"), v1alpha1.ReasonNotFound)
		t.waitFailed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "hello", withVersion("9.x")), v1alpha1.ReasonVersionNotFound)
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "hello"))
		t.waitFailed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "hello"), v1alpha1.ReasonAlreadyInstalled)
		t.waitFailed(ctx, t.Task(ctx, v1alpha1.ActionUpgrade, "hello", withVersion("1.0.0")), v1alpha1.ReasonVersionNotNewer)
	})

	It("creates several tasks for one instance, which run one after the other", func(ctx SpecContext) {
		var tasks []*v1alpha1.AppInstallTask
		for _, action := range []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionStop} {
			tasks = append(tasks, t.Task(ctx, action, "hello", func(s *v1alpha1.AppInstallTaskSpec) {
				if action == v1alpha1.ActionInstall {
					s.EnsureParameters().Version = "1.0.0"
				}
			}))
			// Tasks that are created in the same second are ordered by name, which is random here.
			Eventually(func() bool { return time.Now().Unix() > tasks[len(tasks)-1].CreationTimestamp.Unix() }).Should(BeTrue())
		}
		for _, task := range tasks {
			t.waitSucceeded(ctx, task)
		}
		history := t.Instance(ctx, "hello").Status.History
		Expect(history).To(HaveLen(3))
		for i, entry := range history {
			Expect(entry.Operation.Task).To(Equal(tasks[len(tasks)-1-i].Name))
			Expect(entry.Outcome).To(Equal(v1alpha1.OutcomeSucceeded))
		}
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "hello"))
	})

	It("deletes an instance, and the operator removes its releases first", func(ctx SpecContext) {
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "hello"))
		instance := t.Instance(ctx, "hello")
		Expect(k8sClient.Delete(ctx, instance)).To(Succeed())
		Eventually(func() error {
			return k8sClient.Get(ctx, client.ObjectKeyFromObject(instance), instance)
		}).Should(MatchError(ContainSubstring("not found")))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
	})
})
