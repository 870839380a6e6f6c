//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// slowChart is an app whose pre-install hook and whose start take several seconds.
var slowChart = fixture.Chart{Name: "slow", Files: fixture.Files{
	"templates/hook.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: slow-hook
  annotations: {helm.sh/hook: pre-install}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: hook, image: samples.appmarket.io/slow:1.0, args: [wait, 4s]}]
`,
	"templates/app.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: slow}
spec:
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec:
      containers:
      - name: app
        image: samples.appmarket.io/slow:1.0
        args: ["{{ .Chart.Version }}"]
        env: [{name: START_DELAY, value: 4s}]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: slow}
spec: {selector: {app: slow}, ports: [{port: 80, targetPort: 8080}]}
`,
}}

func interruptionSteps() {
	var t *fixture.Tenant
	var repository *fixture.Repository

	BeforeAll(func(ctx SpecContext) {
		pushApp("slow:1.0")
		t, repository = newTenant(ctx, slowChart.With("1.0.0", nil))
	})

	It("completes an installation after the operator was killed during a hook", func(ctx SpecContext) {
		task := t.Task(ctx, v1alpha1.ActionInstall, "slow")
		job := &batchv1.Job{}
		Eventually(func() error {
			return cluster.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "slow-hook"}, job)
		}).WithContext(ctx).Should(Succeed())
		killOperator(ctx)
		end := t.WaitEnd(ctx, task)
		Expect(end.Status).To(Equal(metav1.ConditionTrue), end.Message)
		expectPage(ctx, t.Namespace, "slow", "app=slow", `args=["1.0.0"]`)
		again := &batchv1.Job{}
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(job), again); err == nil {
			Expect(again.UID).To(Equal(job.UID), "the hook runs once")
		}
	})

	It("completes an upgrade after the operator was evicted while Pods are replaced", func(ctx SpecContext) {
		repository.Add(slowChart.With("1.1.0", nil))
		t.Sync(ctx)
		Eventually(func() string { return t.App(ctx, "slow").Status.SelectedVersion }).WithContext(ctx).Should(Equal("1.1.0"))
		task := t.Task(ctx, v1alpha1.ActionUpgrade, "slow")
		Eventually(func() string {
			return cluster.Kubectl(ctx, "get", "deployment", "slow", "--namespace", t.Namespace, "--output",
				"jsonpath={.spec.template.spec.containers[0].args[0]}")
		}).WithContext(ctx).Should(Equal("1.1.0"))
		pod := operatorPod(ctx)
		Expect(cluster.Client.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{})).To(Succeed())
		end := t.WaitEnd(ctx, task)
		Expect(end.Status).To(Equal(metav1.ConditionTrue), end.Message)
		expectPage(ctx, t.Namespace, "slow", `args=["1.1.0"]`)
		Eventually(func() string { return operatorPod(ctx).Name }).WithContext(ctx).ShouldNot(Equal(pod.Name))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "slow")
	})
}

// newTenant returns a tenant with a source that offers charts at an address that the operator's Pod
// can reach.
func newTenant(ctx context.Context, charts ...fixture.Chart) (*fixture.Tenant, *fixture.Repository) {
	GinkgoHelper()
	// The last step deletes the namespace after it has removed the tenant's apps.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("appmarket-tenant-%d", len(tenants))}}
	Expect(cluster.Client.Create(ctx, namespace)).To(Succeed())
	tenants = append(tenants, namespace.Name)
	t := fixture.TenantIn(ctx, cluster, namespace.Name)
	repository := fixture.NewRepositoryAt(host + ":0")
	repository.Add(charts...)
	t.AddSource(ctx, repository)
	t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
	return t, repository
}

// operatorPod returns the Pod of the operator that is not being deleted.
func operatorPod(ctx context.Context) *corev1.Pod {
	GinkgoHelper()
	var found *corev1.Pod
	Eventually(func(g Gomega) {
		pods := &corev1.PodList{}
		g.Expect(cluster.Client.List(ctx, pods, client.InNamespace(system), client.MatchingLabels{"app.kubernetes.io/name": "appmarket"})).To(Succeed())
		found = nil
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp == nil {
				found = &pods.Items[i]
			}
		}
		g.Expect(found).NotTo(BeNil())
	}).WithContext(ctx).Should(Succeed())
	return found
}

// killOperator kills the operator process in its container, as the OOM killer does.
func killOperator(ctx context.Context) {
	GinkgoHelper()
	uid := string(operatorPod(ctx).UID)
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	Expect(err).NotTo(HaveOccurred())
	var killed []int
	for _, path := range groups {
		text, _ := os.ReadFile(path) // The process may have ended.
		program, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if !strings.Contains(string(text), uid) || !strings.Contains(string(program), "--leader-elect") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		Expect(err).NotTo(HaveOccurred())
		Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Succeed())
		killed = append(killed, pid)
	}
	Expect(killed).To(HaveLen(1), "processes of the operator with --leader-elect")
}
