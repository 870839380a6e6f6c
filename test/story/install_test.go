package story_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// A tenant is a namespace that may install from a source.
type tenant struct {
	namespace string
	source    *v1alpha1.MarketSource
}

// newTenant makes a namespace whose service account "tenant" may do in it what an
// administrator of a namespace may.
func newTenant(ctx context.Context, source *v1alpha1.MarketSource) *tenant {
	GinkgoHelper()
	return tenantIn(ctx, source, namespace(ctx, "tenant"))
}

// tenantIn has the rights of an administrator of a namespace.
func tenantIn(ctx context.Context, source *v1alpha1.MarketSource, namespace string) *tenant {
	GinkgoHelper()
	t := &tenant{namespace: namespace, source: source}
	for _, o := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "tenant"}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "tenant"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: t.namespace, Name: "tenant"}},
		},
	} {
		Expect(client.IgnoreAlreadyExists(cluster.Create(ctx, o))).To(Succeed())
	}
	return t
}

// task makes a task about an app.
func (t *tenant) task(ctx context.Context, action v1alpha1.Action, app string, change ...func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
	GinkgoHelper()
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, GenerateName: app + "-"},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action:             action,
			App:                v1alpha1.AppReference{Source: t.source.Name, Namespace: t.source.Namespace, Name: app},
			ServiceAccountName: "tenant",
		},
	}
	for _, c := range change {
		c(&task.Spec)
	}
	Expect(cluster.Create(ctx, task)).To(Succeed())
	return task
}

// succeed waits for a task to end well.
func (t *tenant) succeed(ctx context.Context, task *v1alpha1.AppInstallTask) {
	GinkgoHelper()
	eventuallyTrue(ctx, task, v1alpha1.ConditionSucceeded)
	Expect(task.Status.CompletionTime).NotTo(BeNil())
}

// waits waits for a task to wait for a reason.
func (t *tenant) waits(ctx context.Context, task *v1alpha1.AppInstallTask, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
		g.Expect(c).NotTo(BeNil(), "%v", task.Status.Conditions)
		g.Expect(c.Reason).To(Equal(reason), c.Message)
	}).WithContext(ctx).Should(Succeed())
}

// fails waits for a task to end badly, and returns the message.
func (t *tenant) fails(ctx context.Context, task *v1alpha1.AppInstallTask, reason string) string {
	GinkgoHelper()
	var message string
	Eventually(func(g Gomega) {
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		g.Expect(c).NotTo(BeNil())
		g.Expect(c.Status).To(Equal(metav1.ConditionFalse), c.Message)
		g.Expect(c.Reason).To(Equal(reason), c.Message)
		message = c.Message
	}).WithContext(ctx).Should(Succeed())
	Expect(meta.IsStatusConditionTrue(task.Status.Conditions, v1alpha1.ConditionStalled)).To(BeTrue())
	return message
}

func (t *tenant) instance(ctx context.Context, name string) *v1alpha1.AppInstance {
	GinkgoHelper()
	instance := &v1alpha1.AppInstance{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: name}, instance)).To(Succeed())
	return instance
}

// workloads are the Deployments of the tenant.
func (t *tenant) workloads(ctx context.Context) []appsv1.Deployment {
	GinkgoHelper()
	var list appsv1.DeploymentList
	Expect(cluster.List(ctx, &list, client.InNamespace(t.namespace))).To(Succeed())
	return list.Items
}

// leftovers are Secrets of Helm and Deployments that should not be there.
func (t *tenant) leftovers(ctx context.Context) []string {
	GinkgoHelper()
	var left []string
	for _, d := range t.workloads(ctx) {
		left = append(left, "Deployment/"+d.Name)
	}
	var secrets corev1.SecretList
	Expect(cluster.List(ctx, &secrets, client.InNamespace(t.namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	for _, s := range secrets.Items {
		left = append(left, "Secret/"+s.Name)
	}
	return left
}

func version(v string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.Version = v }
}

func env(name, value string) v1alpha1.EnvVar {
	return v1alpha1.EnvVar{Name: name, Value: &value}
}

// secret is an input that is read from a Secret, which is made.
func (t *tenant) secret(ctx context.Context, name, value string) v1alpha1.EnvVar {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, GenerateName: "input-"}, StringData: map[string]string{"value": value},
	}
	Expect(cluster.Create(ctx, secret)).To(Succeed())
	return v1alpha1.EnvVar{Name: name, ValueFrom: &v1alpha1.EnvVarSource{
		SecretKeyRef: &v1alpha1.KeyReference{Name: secret.Name, Key: "value"},
	}}
}

var _ = Describe("A tenant", Ordered, func() {
	var source *v1alpha1.MarketSource
	var t *tenant

	BeforeAll(func(ctx SpecContext) { source = sampleSource(ctx, namespace(ctx, "market")) })
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, source) })

	It("installs an app, upgrades it and removes it", func(ctx SpecContext) {
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionInstall, "hello", version("1.0.0")))
		instance := t.instance(ctx, "hello")
		Expect(instance.Status.Version).To(Equal("1.0.0"))
		Expect(instance.Status.AvailableUpdate).To(Equal("1.1.0"))
		Expect(t.workloads(ctx)).NotTo(BeEmpty())
		for _, d := range t.workloads(ctx) {
			Expect(d.Status.ReadyReplicas).To(Equal(*d.Spec.Replicas))
		}

		upgrade := t.task(ctx, v1alpha1.ActionUpgrade, "hello")
		t.succeed(ctx, upgrade)
		instance = t.instance(ctx, "hello")
		Expect(instance.Status.Version).To(Equal("1.1.0"))
		Expect(instance.Status.AvailableUpdate).To(BeEmpty())
		Expect(instance.Status.History[0].Operation.Type).To(Equal(v1alpha1.OperationUpgrade))
		Expect(instance.Status.History[0].Operation.Task).To(Equal(upgrade.Name))

		t.succeed(ctx, t.task(ctx, v1alpha1.ActionUninstall, "hello"))
		Expect(t.leftovers(ctx)).To(BeEmpty())
		Expect(t.instance(ctx, "hello").Status.Releases).To(BeEmpty())
	})

	It("is told at once of everything that an app must be told, and goes on from there", func(ctx SpecContext) {
		task := t.task(ctx, v1alpha1.ActionInstall, "wiki")
		t.waits(ctx, task, v1alpha1.ReasonWaitingForInput)
		var names []string
		for _, in := range task.Status.RequiredInputs {
			names = append(names, in.Name)
			Expect(in.Problem).To(Equal("required"))
		}
		Expect(names).To(ConsistOf("WIKI_ADMIN_EMAIL", "WIKI_ADMIN_PASSWORD", "WIKI_PUBLIC_URL", "WIKI_LANGUAGE", "WIKI_HOME"))

		By("giving one that does not fit")
		task.Spec.Envs = []v1alpha1.EnvVar{
			env("WIKI_ADMIN_EMAIL", "nobody"), t.secret(ctx, "WIKI_ADMIN_PASSWORD", "correct horse battery"),
			env("WIKI_PUBLIC_URL", "https://wiki.example"), env("WIKI_LANGUAGE", "en"), env("WIKI_HOME", "start"),
		}
		Expect(cluster.Update(ctx, task)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
			g.Expect(task.Status.RequiredInputs).To(HaveLen(1))
			g.Expect(task.Status.RequiredInputs[0].Problem).To(Equal("not an e-mail address"))
		}).WithContext(ctx).Should(Succeed())

		By("giving all of them right")
		task.Spec.Envs[0] = env("WIKI_ADMIN_EMAIL", "admin@wiki.example")
		Expect(cluster.Update(ctx, task)).To(Succeed())
		t.succeed(ctx, task)
		Expect(task.Status.RequiredInputs).To(BeEmpty())
	})

	It("installs an app that needs another one as soon as that runs", func(ctx SpecContext) {
		blog := t.task(ctx, v1alpha1.ActionInstall, "blog")
		t.waits(ctx, blog, v1alpha1.ReasonWaitingForDependency)
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionInstall, "notes"))
		t.succeed(ctx, blog)
	})

	It("keeps the data of an app that is removed, unless told otherwise", func(ctx SpecContext) {
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionInstall, "notes"))
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionUninstall, "notes"))
		kept := t.instance(ctx, "notes").Status.Retained
		Expect(kept).To(HaveLen(1))
		claim := &corev1.PersistentVolumeClaim{}
		key := client.ObjectKey{Namespace: t.namespace, Name: kept[0].Name}
		Expect(cluster.Get(ctx, key, claim)).To(Succeed())
		uid := claim.UID

		By("finding it again")
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionInstall, "notes"))
		Expect(cluster.Get(ctx, key, claim)).To(Succeed())
		Expect(claim.UID).To(Equal(uid))
		Expect(t.instance(ctx, "notes").Status.Retained).To(BeEmpty())

		By("saying that it may go")
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionUninstall, "notes", func(s *v1alpha1.AppInstallTaskSpec) {
			s.DataPolicy = v1alpha1.DataDelete
		}))
		Eventually(func() error { return cluster.Get(ctx, key, claim) }).Should(MatchError(ContainSubstring("not found")))
	})

	It("cannot do through the operator what its account may not", func(ctx SpecContext) {
		task := t.task(ctx, v1alpha1.ActionInstall, "hello", func(s *v1alpha1.AppInstallTaskSpec) {
			s.ServiceAccountName = "default"
		})
		Expect(t.fails(ctx, task, v1alpha1.ReasonPermissionDenied)).To(ContainSubstring("default"))
		Expect(t.leftovers(ctx)).To(BeEmpty())
	})

	It("is refused what makes no sense, and told why", func(ctx SpecContext) {
		t.fails(ctx, t.task(ctx, v1alpha1.ActionUpgrade, "hello"), v1alpha1.ReasonNotInstalled)
		t.fails(ctx, t.task(ctx, v1alpha1.ActionInstall, "nothing"), v1alpha1.ReasonNotFound)
		t.fails(ctx, t.task(ctx, v1alpha1.ActionInstall, "hello", version("9.x")), v1alpha1.ReasonVersionNotFound)
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionInstall, "hello"))
		t.fails(ctx, t.task(ctx, v1alpha1.ActionInstall, "hello"), v1alpha1.ReasonAlreadyInstalled)
		t.fails(ctx, t.task(ctx, v1alpha1.ActionUpgrade, "hello", version("1.0.0")), v1alpha1.ReasonNotNewer)
	})

	It("may wish several things of one instance at once, and they are done one by one", func(ctx SpecContext) {
		var tasks []*v1alpha1.AppInstallTask
		for _, action := range []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionUpgrade, v1alpha1.ActionUninstall} {
			tasks = append(tasks, t.task(ctx, action, "hello", func(s *v1alpha1.AppInstallTaskSpec) {
				if action == v1alpha1.ActionInstall {
					s.Version = "1.0.0"
				}
			}))
			// Tasks of the same second are ordered by name, which is random here.
			Eventually(func() bool { return time.Now().Unix() > tasks[len(tasks)-1].CreationTimestamp.Unix() }).Should(BeTrue())
		}
		for _, task := range tasks {
			t.succeed(ctx, task)
		}
		history := t.instance(ctx, "hello").Status.History
		Expect(history).To(HaveLen(3))
		for i, entry := range history {
			Expect(entry.Operation.Task).To(Equal(tasks[len(tasks)-1-i].Name))
			Expect(entry.Outcome).To(Equal(v1alpha1.OutcomeSucceeded))
		}
	})

	It("deletes an instance, and its releases go first", func(ctx SpecContext) {
		t.succeed(ctx, t.task(ctx, v1alpha1.ActionInstall, "hello"))
		instance := t.instance(ctx, "hello")
		Expect(cluster.Delete(ctx, instance)).To(Succeed())
		Eventually(func() error {
			return cluster.Get(ctx, client.ObjectKeyFromObject(instance), instance)
		}).Should(MatchError(ContainSubstring("not found")))
		Expect(t.leftovers(ctx)).To(BeEmpty())
	})
})
