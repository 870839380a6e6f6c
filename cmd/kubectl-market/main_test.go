package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/testenv"
)

// asPlugin is the variable that makes the program of the tests run as the plugin.
const asPlugin = "KUBECTL_MARKET_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
	}
	os.Exit(testenv.Run(m))
}

// programs are the names of the plugin: in a release, and as Krew links it.
var programs = []string{"kubectl-market", "kubectl-appmarket"}

// world is an API server, and the environment of a shell that runs the plugin with it.
type world struct {
	env     *testenv.Env
	folder  string
	environ []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	g := NewWithT(t)
	w := &world{env: testenv.Start(t), folder: t.TempDir()}
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range programs {
		g.Expect(os.Symlink(self, filepath.Join(w.folder, name))).To(Succeed())
	}
	config := w.env.Config
	kubeconfig := filepath.Join(w.folder, "kubeconfig")
	g.Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"local": {Server: "https://" + strings.TrimPrefix(config.Host, "https://"), CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"user": {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"local": {Cluster: "local", AuthInfo: "user", Namespace: "default"}},
		CurrentContext: "local",
	}, kubeconfig)).To(Succeed())
	w.environ = append(os.Environ(), asPlugin+"=1", "KUBECONFIG="+kubeconfig, "PATH="+w.folder+":/usr/bin:/bin", "TERM=xterm")
	return w
}

// command returns a command of the plugin.
func (w *world) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(w.folder, program), arguments...)
	c.Env = w.environ
	return c
}

// newTask creates a task that waits for the inputs of an app.
func (w *world) newTask(t *testing.T, name string) *v1alpha1.AppInstallTask {
	t.Helper()
	g := NewWithT(t)
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: v1alpha1.ActionInstall, AppRef: v1alpha1.AppReference{Namespace: "market", Source: "samples", Name: "wiki"}, InstanceName: "wiki",
		},
	}
	w.env.Create(t, task)
	now := metav1.Now()
	task.Status.StartTime = &now
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionAdmitted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAdmitted, Message: "all checks passed"},
		{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProgressing, Message: "in progress"},
	} {
		c.ObservedGeneration = task.Generation
		meta.SetStatusCondition(&task.Status.Conditions, c)
	}
	g.Expect(w.env.Client.Status().Update(t.Context(), task)).To(Succeed())
	return task
}

// output can be read while a program writes to it.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

func TestPluginRunsUnderBothNames(t *testing.T) {
	w := newWorld(t)
	for _, program := range programs {
		g := NewWithT(t)
		name := "kubectl " + strings.TrimPrefix(program, "kubectl-")
		out, err := w.command(t.Context(), program, "version").Output()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(out)).To(Equal(name + " devel\n"))
		help, err := w.command(t.Context(), program, "install", "--help").Output()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(help)).To(ContainSubstring("Usage:\n  " + name + " install APP"))
	}
}

func TestSignalsEndCommands(t *testing.T) {
	w := newWorld(t)
	task := w.newTask(t, "install-wiki-aaaaa")
	for _, c := range []struct {
		arguments            []string
		starts, ends, prints string
	}{
		{[]string{"wait", task.Name}, "Admitted", "interrupted; task install-wiki-aaaaa continues", ""},
		{[]string{"watch"}, "", "", "task default/install-wiki-aaaaa  Progressing  Admitted  all checks passed\n"},
	} {
		g := NewWithT(t)
		var out, errOut output
		program := w.command(t.Context(), "kubectl-market", c.arguments...)
		program.Stdout, program.Stderr = &out, &errOut
		g.Expect(program.Start()).To(Succeed())
		g.Eventually(func() string { return out.String() + errOut.String() }).WithTimeout(30 * time.Second).Should(ContainSubstring(c.starts + c.prints))
		g.Expect(program.Process.Signal(os.Interrupt)).To(Succeed())
		var exit *exec.ExitError
		g.Expect(errors.As(program.Wait(), &exit)).To(BeTrue())
		g.Expect(exit.ExitCode()).To(Equal(130), errOut.String())
		g.Expect(errOut.String()).To(ContainSubstring(c.ends))
		g.Expect(out.String()).To(Equal(c.prints))
	}
	g := NewWithT(t)
	g.Expect(w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(task), task)).To(Succeed())
	g.Expect(task.Spec.Cancel).To(BeNil())
}

func TestInputsOnATerminal(t *testing.T) {
	const password = "correct horse battery"
	g := NewWithT(t)
	w := newWorld(t)
	task := w.newTask(t, "install-wiki-bbbbb")
	task.Status.RequiredInputs = []v1alpha1.Input{
		{Name: "WIKI_ADMIN_EMAIL", Type: "email", Required: true, Problem: "required"}, {Name: "WIKI_ADMIN_PASSWORD", Type: "password", Secret: true, Required: true, Problem: "required"},
	}
	g.Expect(w.env.Client.Status().Update(t.Context(), task)).To(Succeed())
	controller, terminal := openTerminal(t)
	program := w.command(t.Context(), "kubectl-market", "inputs", task.Name)
	program.Stdin, program.Stdout, program.Stderr = terminal, terminal, terminal
	g.Expect(program.Start()).To(Succeed())
	g.Expect(terminal.Close()).To(Succeed())
	var shown output
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(&shown, controller) // A terminal ends with an error.
	}()
	answer := func(question, text string) {
		t.Helper()
		g.Eventually(shown.String).WithTimeout(30 * time.Second).Should(ContainSubstring(question))
		_, err := controller.WriteString(text + "\n")
		g.Expect(err).NotTo(HaveOccurred())
	}
	answer("WIKI_ADMIN_EMAIL", "no address")
	g.Eventually(func() int { return strings.Count(shown.String(), "WIKI_ADMIN_EMAIL") }).WithTimeout(30*time.Second).Should(BeNumerically(">", 1), "a wrong answer is asked for again")
	answer("no address", "admin@wiki.example")
	g.Eventually(isEchoing).WithArguments(controller).WithTimeout(30*time.Second).Should(BeFalse(), "the password is asked for")
	answer("WIKI_ADMIN_PASSWORD", password)
	g.Expect(program.Wait()).To(Succeed(), shown.String())
	<-copied
	g.Expect(shown.String()).To(ContainSubstring("admin@wiki.example"), "the terminal shows what the user types")
	g.Expect(shown.String()).NotTo(ContainSubstring(password), "except a password")
	secret := &corev1.Secret{}
	g.Expect(w.env.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "wiki-inputs"}, secret)).To(Succeed())
	g.Expect(secret.Data).To(HaveKeyWithValue("WIKI_ADMIN_PASSWORD", []byte(password)))

	t.Log("without a terminal, the inputs are listed")
	out, err := w.command(t.Context(), "kubectl-market", "inputs", task.Name).CombinedOutput()
	var exit *exec.ExitError
	g.Expect(errors.As(err, &exit)).To(BeTrue())
	g.Expect(exit.ExitCode()).To(Equal(1))
	g.Expect(string(out)).To(And(ContainSubstring("not a terminal"), ContainSubstring("WIKI_ADMIN_EMAIL")))
}

func TestCompletionThroughKubectl(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t)
	w.newTask(t, "install-wiki-ccccc")
	script, err := w.command(t.Context(), "kubectl-market", "completion", "kubectl").Output()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(filepath.Join(w.folder, "kubectl_complete-market"), script, 0o755)).To(Succeed())
	// A completion that takes longer than its time limit, as on a busy machine, has no candidates.
	g.Eventually(func() (string, error) {
		kubectl := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "__complete", "market", "wait", "install-wiki-c")
		kubectl.Env = w.environ
		out, err := kubectl.Output()
		return string(out), err
	}).WithTimeout(2 * time.Minute).Should(ContainSubstring("install-wiki-ccccc\n"))
}
