package release_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

func hookJob(name, events string) string {
	return fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata:
  name: %s
  annotations:
    helm.sh/hook: %s
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: a, image: b}]
`, name, events)
}

func jobExists(t testing.TB, namespace, name string) error {
	t.Helper()
	_, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(context.Background(), name, metav1.GetOptions{})
	return err
}

var (
	failed = []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}
)

// runInBackground runs an operation in the background.
func runInBackground(what func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- what() }()
	return done
}

func TestHooksAreWaitedFor(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	s := helmtest.NewSpec(map[string]string{"hook.yaml": hookJob("init", "pre-install"), "cm.yaml": helmtest.ConfigMap})

	done := runInBackground(func() error { _, err := c.Install(t.Context(), s); return err })
	helmtest.EndJob(t, namespace, "init", failed...)
	var err error
	g.Eventually(done, "10s").Should(Receive(&err))
	g.Expect(err).To(MatchError(Equal("pre-install Job/init failed: Played: by the test")))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInstallFailed))

	done = runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
	g.Eventually(func() bool {
		job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "init", metav1.GetOptions{})
		return err == nil && len(job.Status.Conditions) == 0
	}, "10s").Should(BeTrue(), "another attempt is another run: a hook of the installation runs again")
	helmtest.EndJob(t, namespace, "init", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))

	s.Name, s.Timeout = "late", 300*time.Millisecond
	s.Files = helmtest.NewChartFiles(map[string]string{"templates/hook.yaml": hookJob("late", "post-install")})
	_, err = c.Install(t.Context(), s)
	g.Expect(err).To(MatchError("waiting for post-install Job/late to end: no pod was created yet"))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonTimedOut))
}

// TestKilledOperationIsTakenUp kills a process that installs a release at different moments, and
// continues in another process.
func TestKilledOperationIsTakenUp(t *testing.T) {
	charts := map[string]string{
		"a.yaml":  hookJob("first", "pre-install,pre-upgrade"),
		"b.yaml":  hookJob("second", "post-install,post-upgrade"),
		"cm.yaml": helmtest.ConfigMap,
	}
	cases := []struct {
		why    string
		before []string // hooks that end before the kill
		at     string   // hook that is running when the process is killed
	}{
		{why: "during the first hook", at: "first"},
		{why: "during the second hook", before: []string{"first"}, at: "second"},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			s := helmtest.NewSpec(charts)
			operator := startOperator(t, namespace, charts)
			uids := map[string]types.UID{}
			for _, name := range one.before {
				uids[name] = helmtest.EndJob(t, namespace, name, helmtest.Completed...)
			}
			g.Eventually(func() error { return jobExists(t, namespace, one.at) }, "10s").Should(Succeed())
			job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), one.at, metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			uids[one.at] = job.UID
			g.Expect(operator.Process.Kill()).To(Succeed())
			g.Expect(operator.Wait()).NotTo(Succeed())

			r, err := c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.Pending).To(BeTrue())
			g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
			done := runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
			for _, name := range []string{"first", "second"} {
				if uids[name] == "" {
					uids[name] = helmtest.EndJob(t, namespace, name, helmtest.Completed...)
				} else if name == one.at {
					g.Expect(helmtest.EndJob(t, namespace, name, helmtest.Completed...)).To(Equal(uids[name]))
				}
			}
			g.Eventually(done, "10s").Should(Receive(BeNil()))
			r, err = c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Status, r.Deployed}).To(Equal([]any{"deployed", true}))
			for name, uid := range uids {
				job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), name, metav1.GetOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(job.UID).To(Equal(uid), "hook "+name+" ran once")
			}

			done = runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
			g.Eventually(func() types.UID {
				job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "first", metav1.GetOptions{})
				if err != nil {
					return uids["first"]
				}
				return job.UID
			}, "10s").ShouldNot(Equal(uids["first"]), "the next upgrade is another run")
			helmtest.EndJob(t, namespace, "first", helmtest.Completed...)
			g.Eventually(func() types.UID {
				job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "second", metav1.GetOptions{})
				if err != nil {
					return uids["second"]
				}
				return job.UID
			}, "10s").ShouldNot(Equal(uids["second"]))
			helmtest.EndJob(t, namespace, "second", helmtest.Completed...)
			g.Eventually(done, "10s").Should(Receive(BeNil()))
		})
	}
}

func TestKilledUninstallIsTakenUp(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	charts := map[string]string{
		"a.yaml": hookJob("save", "pre-delete"), "b.yaml": hookJob("bye", "post-delete"), "cm.yaml": helmtest.ConfigMap,
	}
	_, err := c.Install(t.Context(), helmtest.NewSpec(charts))
	g.Expect(err).NotTo(HaveOccurred())
	operator := startOperator(t, namespace, nil)
	saved := helmtest.EndJob(t, namespace, "save", helmtest.Completed...)
	g.Eventually(func() error { return jobExists(t, namespace, "bye") }, "10s").Should(Succeed())
	g.Expect(operator.Process.Kill()).To(Succeed())
	g.Expect(operator.Wait()).NotTo(Succeed())
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Status, r.Pending}).To(Equal([]any{"uninstalling", true}))

	g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
	done := runInBackground(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute}) })
	job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "save", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.EndJob(t, namespace, "bye", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))
	g.Expect(job.UID).To(Equal(saved), "the hook ran once")
	g.Expect(jobExists(t, namespace, "save")).NotTo(Succeed(), "nothing is left")
	g.Expect(jobExists(t, namespace, "bye")).NotTo(Succeed(), "nothing is left")
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
}

func TestFailedUninstallIsTriedAnew(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": hookJob("save", "pre-delete"), "cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	done := runInBackground(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute}) })
	first := helmtest.EndJob(t, namespace, "save", failed...)
	g.Eventually(done, "10s").Should(Receive(&err))
	g.Expect(err).To(MatchError(HavePrefix("pre-delete Job/save failed: Played: by the test; correct the cause and remove the app again, or ")))
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Status, r.Interrupted}).To(Equal([]any{"failed", false}))
	g.Expect(r.Description).To(HavePrefix(`Removal "blog" failed: `))

	g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
	done = runInBackground(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute}) })
	waitForNewJob(t, namespace, "save", first)
	helmtest.EndJob(t, namespace, "save", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
}

// operatorArgument makes the test binary install the chart in a folder, or uninstall the release if
// the folder is empty.
const operatorArgument = "play-operator"

func startOperator(t testing.TB, namespace string, charts map[string]string) *exec.Cmd {
	t.Helper()
	g := NewWithT(t)
	folder := t.TempDir()
	config := filepath.Join(t.TempDir(), "kubeconfig")
	admin, err := helmtest.Server.Env.AddUser(
		envtest.User{Name: "operator", Groups: []string{"system:masters"}}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	text, err := admin.KubeConfig()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(config, text, 0o600)).To(Succeed())
	if charts != nil {
		for _, file := range helmtest.NewSpec(charts).Files {
			name := filepath.Join(folder, file.Name)
			g.Expect(os.MkdirAll(filepath.Dir(name), 0o700)).To(Succeed())
			g.Expect(os.WriteFile(name, file.Data, 0o600)).To(Succeed())
		}
	}
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	command := exec.Command(self, operatorArgument, config, namespace, folder)
	command.Stderr = os.Stderr
	g.Expect(command.Start()).To(Succeed())
	t.Cleanup(func() { _ = command.Process.Kill() })
	return command
}

// runOperator is the main function of a process that startOperator has started.
func runOperator(config, namespace, folder string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", config)
	if err != nil {
		return err
	}
	mapper, err := kinds.New(cfg)
	if err != nil {
		return err
	}
	clients, err := helmrelease.NewClients(cfg, mapper)
	if err != nil {
		return err
	}
	c := helmtest.NewClientFor(clients, plain.Tenant{Namespace: namespace, ServiceAccount: "installer"})
	chart, err := helmtest.FolderFiles(folder)
	if err != nil {
		return err
	}
	if len(chart) == 0 {
		return c.Uninstall(context.Background(), plain.Removal{Name: "blog", Timeout: time.Minute})
	}
	s := helmtest.NewSpec(nil)
	s.Files = chart
	_, err = c.Install(context.Background(), s)
	return err
}
