package helm_test

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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/outcome"
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
	_, err := apiServer.admin.BatchV1().Jobs(namespace).Get(context.Background(), name, metav1.GetOptions{})
	return err
}

// endJob sets the status of a Job like the Job controller, and returns the UID of the Job.
func endJob(t testing.TB, namespace, name string, how ...batchv1.JobConditionType) types.UID {
	t.Helper()
	g := NewWithT(t)
	jobs := apiServer.admin.BatchV1().Jobs(namespace)
	var job *batchv1.Job
	g.Eventually(func() (err error) {
		job, err = jobs.Get(context.Background(), name, metav1.GetOptions{})
		return err
	}, "10s").Should(Succeed())
	now := metav1.Now()
	job.Status.StartTime = &now
	for _, one := range how {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: one, Status: corev1.ConditionTrue, Reason: "Played", Message: "by the test",
		})
		if one == batchv1.JobComplete {
			job.Status.CompletionTime, job.Status.Succeeded = &now, 1
		}
	}
	_, err := jobs.UpdateStatus(context.Background(), job, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	return job.UID
}

var (
	completed = []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}
	failed    = []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}
)

// runInBackground runs an operation in the background.
func runInBackground(what func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- what() }()
	return done
}

func TestHooksAreWaitedFor(t *testing.T) {
	c, namespace := newClient(t)
	g := NewWithT(t)
	s := newSpec(map[string]string{"hook.yaml": hookJob("init", "pre-install"), "cm.yaml": configMap})

	done := runInBackground(func() error { _, err := c.Install(t.Context(), s); return err })
	endJob(t, namespace, "init", failed...)
	var err error
	g.Eventually(done, "10s").Should(Receive(&err))
	g.Expect(err).To(MatchError(Equal("pre-install Job/init failed: Played: by the test")))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInstallFailed))

	done = runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
	g.Eventually(func() bool {
		job, err := apiServer.admin.BatchV1().Jobs(namespace).Get(t.Context(), "init", metav1.GetOptions{})
		return err == nil && len(job.Status.Conditions) == 0
	}, "10s").Should(BeTrue(), "another attempt is another run: a hook of the installation runs again")
	endJob(t, namespace, "init", completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))

	s.Name, s.Timeout = "late", 300*time.Millisecond
	s.Files = newChartFiles(map[string]string{"templates/hook.yaml": hookJob("late", "post-install")})
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
		"cm.yaml": configMap,
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
			c, namespace := newClient(t)
			g := NewWithT(t)
			s := newSpec(charts)
			operator := startOperator(t, namespace, charts)
			uids := map[string]types.UID{}
			for _, name := range one.before {
				uids[name] = endJob(t, namespace, name, completed...)
			}
			g.Eventually(func() error { return jobExists(t, namespace, one.at) }, "10s").Should(Succeed())
			job, err := apiServer.admin.BatchV1().Jobs(namespace).Get(t.Context(), one.at, metav1.GetOptions{})
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
					uids[name] = endJob(t, namespace, name, completed...)
				} else if name == one.at {
					g.Expect(endJob(t, namespace, name, completed...)).To(Equal(uids[name]))
				}
			}
			g.Eventually(done, "10s").Should(Receive(BeNil()))
			r, err = c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Status, r.Deployed}).To(Equal([]any{helm.StatusDeployed, true}))
			for name, uid := range uids {
				job, err := apiServer.admin.BatchV1().Jobs(namespace).Get(t.Context(), name, metav1.GetOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(job.UID).To(Equal(uid), "hook "+name+" ran once")
			}

			done = runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
			g.Eventually(func() types.UID {
				job, err := apiServer.admin.BatchV1().Jobs(namespace).Get(t.Context(), "first", metav1.GetOptions{})
				if err != nil {
					return uids["first"]
				}
				return job.UID
			}, "10s").ShouldNot(Equal(uids["first"]), "the next upgrade is another run")
			endJob(t, namespace, "first", completed...)
			g.Eventually(func() types.UID {
				job, err := apiServer.admin.BatchV1().Jobs(namespace).Get(t.Context(), "second", metav1.GetOptions{})
				if err != nil {
					return uids["second"]
				}
				return job.UID
			}, "10s").ShouldNot(Equal(uids["second"]))
			endJob(t, namespace, "second", completed...)
			g.Eventually(done, "10s").Should(Receive(BeNil()))
		})
	}
}

func TestKilledUninstallIsTakenUp(t *testing.T) {
	c, namespace := newClient(t)
	g := NewWithT(t)
	charts := map[string]string{
		"a.yaml": hookJob("save", "pre-delete"), "b.yaml": hookJob("bye", "post-delete"), "cm.yaml": configMap,
	}
	_, err := c.Install(t.Context(), newSpec(charts))
	g.Expect(err).NotTo(HaveOccurred())
	operator := startOperator(t, namespace, nil)
	saved := endJob(t, namespace, "save", completed...)
	g.Eventually(func() error { return jobExists(t, namespace, "bye") }, "10s").Should(Succeed())
	g.Expect(operator.Process.Kill()).To(Succeed())
	g.Expect(operator.Wait()).NotTo(Succeed())
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Status, r.Pending}).To(Equal([]any{helm.StatusUninstalling, true}))

	g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
	done := runInBackground(func() error { return c.Uninstall(t.Context(), helm.Removal{Name: "blog", Timeout: time.Minute}) })
	job, err := apiServer.admin.BatchV1().Jobs(namespace).Get(t.Context(), "save", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	endJob(t, namespace, "bye", completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))
	g.Expect(job.UID).To(Equal(saved), "the hook ran once")
	g.Expect(jobExists(t, namespace, "save")).NotTo(Succeed(), "nothing is left")
	g.Expect(jobExists(t, namespace, "bye")).NotTo(Succeed(), "nothing is left")
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
}

func TestFailedUninstallIsTriedAnew(t *testing.T) {
	c, namespace := newClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), newSpec(map[string]string{"a.yaml": hookJob("save", "pre-delete"), "cm.yaml": configMap}))
	g.Expect(err).NotTo(HaveOccurred())
	done := runInBackground(func() error { return c.Uninstall(t.Context(), helm.Removal{Name: "blog", Timeout: time.Minute}) })
	first := endJob(t, namespace, "save", failed...)
	g.Eventually(done, "10s").Should(Receive(&err))
	g.Expect(err).To(MatchError(HavePrefix("pre-delete Job/save failed: Played: by the test; correct the cause and remove the app again, or ")))
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Status, r.Interrupted}).To(Equal([]any{helm.StatusFailed, false}))
	g.Expect(r.Description).To(HavePrefix(`Removal "blog" failed: `))

	g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
	done = runInBackground(func() error { return c.Uninstall(t.Context(), helm.Removal{Name: "blog", Timeout: time.Minute}) })
	waitForNewJob(t, namespace, "save", first)
	endJob(t, namespace, "save", completed...)
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
	admin, err := apiServer.env.AddUser(
		envtest.User{Name: "operator", Groups: []string{"system:masters"}}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	text, err := admin.KubeConfig()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(config, text, 0o600)).To(Succeed())
	if charts != nil {
		for _, file := range newSpec(charts).Files {
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
	clients, err := helm.NewClients(cfg, mapper)
	if err != nil {
		return err
	}
	c := newClientFor(clients, helm.Tenant{Namespace: namespace, ServiceAccount: "installer"})
	chart, err := folderFiles(folder)
	if err != nil {
		return err
	}
	if len(chart) == 0 {
		return c.Uninstall(context.Background(), helm.Removal{Name: "blog", Timeout: time.Minute})
	}
	s := newSpec(nil)
	s.Files = chart
	_, err = c.Install(context.Background(), s)
	return err
}
