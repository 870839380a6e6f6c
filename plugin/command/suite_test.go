package command_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/plugin/command"
	"github.com/appmarket/operator/plugin/hydration"
	"github.com/appmarket/operator/test/testenv"
)

// TestMain runs the tests, or serves as the render worker that the command hydrate of a test starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == hydration.WorkerCommand {
		if err := hydration.ServeWorker(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(testenv.Run(m))
}

var update = flag.Bool("update", false, "write the golden files")

// suffix is the end of the names of all tasks of a plugin under test.
const suffix = "x7k2p"

// plugin runs commands against the API server of the package.
type plugin struct {
	t          *testing.T
	env        *testenv.Env
	kubeconfig string
	// terminal answers questions. Without it, the input is not a terminal.
	terminal command.Terminal
	stdin    string
	// screen is the screen of the terminal. Without it, the output is not a terminal.
	screen command.Screen
	// now is the time of the plugin.
	now time.Time
	ctx context.Context
}

// result is the result of a command.
type result struct {
	arguments   []string
	out, errOut string
	code        int
}

// newPlugin returns a plugin that is connected as the administrator.
func newPlugin(t *testing.T) *plugin {
	env := testenv.Start(t)
	return &plugin{
		t: t, env: env, kubeconfig: writeKubeconfig(t, env.Config, ""), ctx: t.Context(),
		// Ages are constant, although objects are created within some seconds.
		now: time.Now().Add(12*24*time.Hour + 12*time.Hour),
	}
}

// writeKubeconfig writes a kubeconfig for the API server, as a user with a token or the administrator.
func writeKubeconfig(t *testing.T, config *rest.Config, user string) string {
	t.Helper()
	auth := clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Impersonate: user}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	NewWithT(t).Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"local": {Server: "https://" + strings.TrimPrefix(config.Host, "https://"), CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"user": &auth},
		Contexts:       map[string]*clientcmdapi.Context{"local": {Cluster: "local", AuthInfo: "user", Namespace: "demo"}},
		CurrentContext: "local",
	}, file)).To(Succeed())
	return file
}

// run runs a command, written as in a shell without quotes.
func (p *plugin) run(line string) result {
	return p.runArguments(strings.Fields(line)...)
}

func (p *plugin) runArguments(arguments ...string) result {
	p.t.Helper()
	var out, errOut bytes.Buffer
	f := command.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(p.stdin), Out: &out, ErrOut: &errOut}, "kubectl market", "1.2.3")
	f.Terminal, f.Screen = p.terminal, p.screen
	f.Suffix = func() string { return suffix }
	f.Now = func() time.Time { return p.now }
	f.CompletionTimeout = time.Minute
	p.t.Setenv("KUBECONFIG", p.kubeconfig)
	code := f.Run(p.ctx, arguments)
	return result{arguments, out.String(), errOut.String(), code}
}

// changing matches what differs between runs.
var changing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`uid: [0-9a-f-]{36}`), "uid: UID"},
	{regexp.MustCompile(`resourceVersion: "\d+"`), `resourceVersion: "1"`},
	{regexp.MustCompile(`([a-z]+Timestamp|[a-z]+Time|[a-z]+edAt): "20[^"]+"`), `${1}: "2026-01-01T00:00:00Z"`},
	{regexp.MustCompile(` +\d+ ms `), "  1 ms "},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:6443"},
}

// String returns the command, its output and its exit code.
func (r result) String() string {
	text := fmt.Sprintf("$ kubectl market %s\n%s", strings.Join(r.arguments, " "), r.out)
	if r.errOut != "" {
		text += "--- standard error\n" + r.errOut
	}
	text += fmt.Sprintf("--- exit code %d\n\n", r.code)
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.with)
	}
	return text
}

// expectGolden compares the results of commands with a golden file.
func expectGolden(t *testing.T, name string, results ...result) {
	t.Helper()
	g := NewWithT(t)
	var text strings.Builder
	for _, r := range results {
		text.WriteString(r.String())
	}
	file := filepath.Join("testdata", name+".txt")
	if *update {
		g.Expect(os.MkdirAll(filepath.Dir(file), 0o755)).To(Succeed())
		g.Expect(os.WriteFile(file, []byte(text.String()), 0o644)).To(Succeed())
		return
	}
	want, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred(), "run the tests with -update to write the file")
	g.Expect(text.String()).To(Equal(string(want)))
}

var created sync.Map

// namespace creates a namespace with a name of its own, once.
func (p *plugin) namespace(name string) string {
	p.t.Helper()
	if _, exists := created.LoadOrStore(name, true); !exists {
		p.env.Create(p.t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return name
}

// createWithStatus creates an object with its status.
func (p *plugin) createWithStatus(o client.Object) {
	p.t.Helper()
	g := NewWithT(p.t)
	withStatus := o.DeepCopyObject().(client.Object)
	p.env.Create(p.t, o)
	withStatus.SetResourceVersion(o.GetResourceVersion())
	withStatus.SetUID(o.GetUID())
	g.Expect(p.env.Client.Status().Update(p.t.Context(), withStatus)).To(Succeed())
}

// answers is a terminal that types prepared answers, by the begin of the question.
type answers map[string]string

func (a answers) ReadLine(question string) (string, error) {
	for begin, answer := range a {
		if strings.HasPrefix(question, begin) {
			return answer, nil
		}
	}
	return "", fmt.Errorf("unexpected question %q", question)
}

func (a answers) ReadPassword(question string) (string, error) { return a.ReadLine(question) }
