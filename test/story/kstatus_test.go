package story_test

import (
	"context"
	"net/http"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// Every object must keep the status contract after each spec. An object that is being reconciled
// must keep it at its next stable state.
var _ = AfterEach(func(ctx SpecContext) {
	if CurrentSpecReport().Failed() {
		return
	}
	Eventually(func() []string { return contractViolations(ctx) }).WithContext(ctx).WithTimeout(20 * time.Second).Should(BeEmpty())
})

// contractViolations returns the violations of the status contract in the cluster.
func contractViolations(ctx context.Context) []string {
	GinkgoHelper()
	return cluster.Violations(ctx, metav1.NamespaceAll)
}

// computeKstatus returns the status that kstatus computes for an object.
func computeKstatus(o v1alpha1.Object) status.Status {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	Expect(err).NotTo(HaveOccurred())
	kind, err := apiutil.GVKForObject(o, k8sClient.Scheme())
	Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kind)
	result, err := status.Compute(u)
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}

// expectKstatus waits until a condition of the current generation has a status and a reason, and checks the
// result of kstatus.
func expectKstatus(ctx context.Context, o v1alpha1.Object, condition string, is metav1.ConditionStatus, reason string, want status.Status) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		c := meta.FindStatusCondition(o.GetConditions(), condition)
		g.Expect(c).NotTo(BeNil(), "%v", o.GetConditions())
		g.Expect(c.Status).To(Equal(is), c.Message)
		g.Expect(c.Reason).To(Equal(reason), c.Message)
		g.Expect(c.ObservedGeneration).To(Equal(o.GetGeneration()))
		g.Expect(computeKstatus(o)).To(Equal(want), "%v", o.GetConditions())
	}).WithContext(ctx).Should(Succeed())
}

// expectNewKstatus checks the result of kstatus for an object that has not been reconciled yet.
func expectNewKstatus(ctx context.Context, o v1alpha1.Object) {
	GinkgoHelper()
	o.SetResourceVersion("")
	o.SetUID("")
	o.SetGenerateName("new-")
	o.SetName("")
	o.SetConditions(nil)
	o.SetObservedGeneration(0)
	Expect(k8sClient.Create(ctx, o, client.DryRunAll)).To(Succeed())
	Expect(o.GetObservedGeneration()).To(BeEquivalentTo(-1))
	Expect(computeKstatus(o)).To(Equal(status.InProgressStatus))
}

// expectTerminatingKstatus checks the result of kstatus for an object that is being deleted.
func expectTerminatingKstatus(ctx context.Context, o v1alpha1.Object) {
	GinkgoHelper()
	const hold = "test.example/hold"
	change := func(how func(client.Object, string) bool) {
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		before := client.MergeFrom(o.DeepCopyObject().(client.Object))
		how(o, hold)
		Expect(k8sClient.Patch(ctx, o, before)).To(Succeed())
	}
	change(controllerutil.AddFinalizer)
	Expect(k8sClient.Delete(ctx, o)).To(Succeed())
	Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	Expect(computeKstatus(o)).To(Equal(status.TerminatingStatus))
	Eventually(func() error {
		err := k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err != nil {
			return err
		}
		controllerutil.RemoveFinalizer(o, hold)
		return client.IgnoreNotFound(k8sClient.Update(ctx, o))
	}).WithContext(ctx).Should(Succeed())
}

// patchSpec patches the spec of an object.
func patchSpec[T v1alpha1.Object](ctx context.Context, o T, change func(T)) {
	GinkgoHelper()
	Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	before := client.MergeFrom(o.DeepCopyObject().(client.Object))
	change(o)
	Expect(k8sClient.Patch(ctx, o, before)).To(Succeed())
}

// sleeperChart returns a chart whose Pod does not start while the value asleep is true.
func sleeperChart() []byte {
	GinkgoHelper()
	return packChart("sleeper", "1.0.0", chartFile{"values.yaml", "asleep: true\n"}, chartFile{"templates/deployment.yaml", `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    matchLabels: {app: sleeper}
  template:
    metadata:
      labels: {app: sleeper}
      {{- if .Values.asleep }}
      annotations: {localcluster/waiting: ImagePullBackOff}
      {{- end }}
    spec:
      containers:
        - name: sleeper
          image: ` + fixture.Image + `
`})
}

var _ = Describe("The status that kstatus computes", Ordered, func() {
	var repo *fixture.Repository
	var source *v1alpha1.MarketSource
	var info *v1alpha1.AppInfo
	var t *tenant
	yes, archive := true, []byte(nil)
	const ready, reconciling, stalled = v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled

	BeforeAll(func(ctx SpecContext) {
		repo, archive = fixture.NewRepository(), sleeperChart()
		repo.Handle("/index.yaml", fixture.Status(500))
		source = cluster.CreateSource(ctx, createNamespace(ctx, "market"), "samples", repo.URL, fixture.ShareWithAll)
		info = &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: "samples.sleeper"}}
		t = newTenant(ctx, source)
	})

	It("shows the progress of a source and its apps", func(ctx SpecContext) {
		expectNewKstatus(ctx, source.DeepCopy())
		expectKstatus(ctx, source, reconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressingWithRetry, status.InProgressStatus)

		By("serving the index, but not the chart")
		asked, give := make(chan struct{}, 100), make(chan struct{})
		repo.Handle("/sleeper.tgz", func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-give
			fixture.Content(archive)(w, r)
		})
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(fixture.NewOffer("sleeper", "1.0.0", "sleeper.tgz", archive))))
		Eventually(asked).WithContext(ctx).Should(Receive())
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(info), info)).To(Succeed())
		Expect(computeKstatus(info)).To(Equal(status.InProgressStatus))
		expectNewKstatus(ctx, info.DeepCopy())

		By("serving the chart")
		close(give)
		expectKstatus(ctx, info, ready, metav1.ConditionTrue, v1alpha1.ReasonReady, status.CurrentStatus)
		expectKstatus(ctx, source, ready, metav1.ConditionTrue, v1alpha1.ReasonReady, status.CurrentStatus)
	})

	It("shows that a source and an app are stalled", func(ctx SpecContext) {
		other := &v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: "forbidden"},
			Spec: v1alpha1.MarketSourceSpec{
				Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/forbidden"}},
		}
		Expect(k8sClient.Create(ctx, other)).To(Succeed())
		expectKstatus(ctx, other, stalled, metav1.ConditionTrue, v1alpha1.ReasonNotAllowed, status.FailedStatus)

		bad := badTemplateApp("bad", "{{ noSuchFunction }}")
		badRepo := fixture.NewRepository()
		badRepo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(bad.addTo(badRepo))))
		cluster.CreateSource(ctx, source.Namespace, "bad", badRepo.URL)
		app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: "bad.bad"}}
		Eventually(func() error { return k8sClient.Get(ctx, client.ObjectKeyFromObject(app), app) }).WithContext(ctx).Should(Succeed())
		expectKstatus(ctx, app, stalled, metav1.ConditionTrue, v1alpha1.ReasonRenderFailed, status.FailedStatus)
		expectTerminatingKstatus(ctx, other)
	})

	It("shows whether an instance becomes healthy", func(ctx SpecContext) {
		instance := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "sleeper-instance"},
			Spec: v1alpha1.AppInstanceSpec{
				AppRef:             v1alpha1.AppReference{Source: source.Name, Namespace: source.Namespace, Name: "sleeper"},
				ServiceAccountName: "tenant",
			},
		}
		expectNewKstatus(ctx, instance.DeepCopy())
		Expect(k8sClient.Create(ctx, instance)).To(Succeed())
		expectKstatus(ctx, instance, reconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForObjects, status.InProgressStatus)
		patchSpec(ctx, instance, func(i *v1alpha1.AppInstance) { i.Spec.Timeout = "2s" })
		expectKstatus(ctx, instance, stalled, metav1.ConditionTrue, v1alpha1.ReasonTimedOut, status.FailedStatus)
		patchSpec(ctx, instance, func(i *v1alpha1.AppInstance) {
			i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"asleep":false}`)}
			i.Spec.Timeout = "1m"
		})
		expectKstatus(ctx, instance, ready, metav1.ConditionTrue, v1alpha1.ReasonReady, status.CurrentStatus)

		patchSpec(ctx, instance, func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled })
		expectKstatus(ctx, instance, ready, metav1.ConditionTrue, v1alpha1.ReasonUninstalled, status.CurrentStatus)
		expectTerminatingKstatus(ctx, instance)
	})

	It("shows that a task waits, succeeds and fails", func(ctx SpecContext) {
		task := t.Task(ctx, v1alpha1.ActionInstall, "sleeper", func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().Values, s.Suspend = &runtime.RawExtension{Raw: []byte(`{"asleep":false}`)}, &yes
		})
		expectNewKstatus(ctx, task.DeepCopy())
		expectKstatus(ctx, task, reconciling, metav1.ConditionTrue, v1alpha1.ReasonSuspended, status.InProgressStatus)
		// Tasks that are created in the same second are ordered by name, which is random here.
		Eventually(func() int64 { return time.Now().Unix() }).Should(BeNumerically(">", task.CreationTimestamp.Unix()))
		second := t.Task(ctx, v1alpha1.ActionUninstall, "sleeper")
		expectKstatus(ctx, second, reconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForTurn, status.InProgressStatus)

		patchSpec(ctx, task, func(t *v1alpha1.AppInstallTask) { t.Spec.Suspend = nil })
		expectKstatus(ctx, task, v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, status.CurrentStatus)
		expectKstatus(ctx, second, v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, status.CurrentStatus)
		third := t.Task(ctx, v1alpha1.ActionUninstall, "sleeper")
		expectKstatus(ctx, third, v1alpha1.ConditionSucceeded, metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, status.FailedStatus)
		expectTerminatingKstatus(ctx, third)
	})

	It("shows that a source and an app are suspended and deleted", func(ctx SpecContext) {
		patchSpec(ctx, source, func(s *v1alpha1.MarketSource) { s.Spec.Suspend = &yes })
		patchSpec(ctx, info, func(i *v1alpha1.AppInfo) { i.Spec.Suspend = &yes })
		for _, o := range []v1alpha1.Object{source, info} {
			Eventually(func(g Gomega) {
				g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
				g.Expect(o.GetObservedGeneration()).To(Equal(o.GetGeneration()))
				g.Expect(meta.IsStatusConditionTrue(o.GetConditions(), ready)).To(BeTrue(), "published versions are still served")
				g.Expect(computeKstatus(o)).To(Equal(status.CurrentStatus))
			}).WithContext(ctx).Should(Succeed())
		}
		expectTerminatingKstatus(ctx, info)
		expectTerminatingKstatus(ctx, source)
	})
})
