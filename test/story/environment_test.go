package story_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// An environment is the market and the caches with which scenarios run.
type environment struct {
	source *v1alpha1.MarketSource
	// cache reads tasks and instances from watches, so that many concurrent waits are cheap.
	cache client.Reader
	// recorder watches every namespace.
	*recorder
	helm *fixture.Helm
	// archives are paths of chart archives by version.
	archives map[string]string
}

// newEnvironment creates a market that offers the actor chart.
func newEnvironment(ctx context.Context) *environment {
	GinkgoHelper()
	s := &environment{helm: fixture.NewHelm(cluster, "HELM3"), archives: map[string]string{}}
	repo := fixture.NewRepository()
	for _, version := range []string{older, newer} {
		archive := actorChart("actor", version, nil)
		s.archives[version] = filepath.Join(GinkgoT().TempDir(), "actor-"+version+".tgz")
		Expect(os.WriteFile(s.archives[version], archive, 0o600)).To(Succeed())
		repo.AddArchive("actor", version, archive)
	}
	s.source = cluster.CreateSource(ctx, createNamespace(ctx, "market"), "scenarios", repo.URL, fixture.ShareWithAll)
	waitTrue(ctx, s.source, v1alpha1.ConditionReady)

	recorderContext, cancel := context.WithCancel(suiteContext)
	DeferCleanup(cancel)
	s.recorder = (&tenant{&fixture.Tenant{Namespace: metav1.NamespaceAll}}).startRecorder(recorderContext)
	informers, err := cache.New(restConfig, cache.Options{Scheme: k8sClient.Scheme(), ReaderFailOnMissingInformer: true})
	Expect(err).NotTo(HaveOccurred())
	for _, kind := range []client.Object{&v1alpha1.AppInstallTask{}, &v1alpha1.AppInstance{}} {
		_, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		Expect(err).NotTo(HaveOccurred())
	}
	go func() {
		defer GinkgoRecover()
		Expect(informers.Start(recorderContext)).To(Succeed())
	}()
	Expect(informers.WaitForCacheSync(ctx)).To(BeTrue())
	s.cache = informers
	return s
}

// newRuns creates a run for each scenario, each with its own tenant.
func (e *environment) newRuns(ctx context.Context, scenarios []scenario) []*scenarioRun {
	GinkgoHelper()
	var runs []*scenarioRun
	for _, s := range scenarios {
		runs = append(runs, newScenarioRun(ctx, e, newTenant(ctx, e.source), s))
	}
	return runs
}

// frozenLabel marks a namespace in which changes are denied.
const frozenLabel = "story.example/frozen"

// createFreezePolicy creates an admission policy that denies changes of Deployments and Helm records
// in frozen namespaces.
func createFreezePolicy(ctx context.Context) {
	GinkgoHelper()
	rules := []admissionv1.NamedRuleWithOperations{}
	for group, resource := range map[string][]string{"apps": {"deployments", "deployments/scale"}, "": {"secrets"}} {
		rules = append(rules, admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Update},
			Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: resource},
		}})
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "freeze-"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{frozenLabel: "true"}},
				ResourceRules:     rules,
			},
			Validations: []admissionv1.Validation{{Expression: "false", Message: "this namespace is frozen"}},
		},
	}
	Expect(k8sClient.Create(ctx, policy)).To(Succeed())
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	Expect(k8sClient.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(k8sClient.Delete(ctx, binding)).To(Succeed())
		Expect(k8sClient.Delete(ctx, policy)).To(Succeed())
	})
}

// namesInNamespace returns the names of the objects of type T that were added to or deleted from a
// namespace, once for each event.
func namesInNamespace[T client.Object](w *recorder, what watch.EventType, namespace string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := []string{}
	for _, o := range w.objects[what] {
		if _, ok := o.(T); ok && o.GetNamespace() == namespace {
			found = append(found, o.GetName())
		}
	}
	return found
}

// createdHooks returns the Jobs that were created in a namespace.
func (e *environment) createdHooks(namespace string) []string {
	return namesInNamespace[*batchv1.Job](e.recorder, watch.Added, namespace)
}
