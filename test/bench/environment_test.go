package bench_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/samplemarket"
	"github.com/appmarket/operator/test/testenv"
)

// environment is the state that the measurements share.
type environment struct {
	table   *resultTable
	root    string
	scratch string
	// catalog is a folder of real charts, and plain a folder of Helm repositories. Each is empty if
	// the environment does not specify it.
	catalog, plain string

	// Set by start.

	kubeconfig string
	audit      string
	cluster    client.WithWatch
	samples    *httptest.Server
	operator   *process

	// market is the source whose charts are published, or nil before the first one is created.
	market *v1alpha1.MarketSource
	// catalogServer serves the catalog over HTTP, or is nil before it is needed.
	catalogServer *countingServer
	// parent is the benchmark that runs all measurements. Everything is stopped when it ends.
	parent *testing.B
	// startAgain starts the operator again. probes is the address of its health probes.
	startAgain func() (*process, error)
	probes     string
}

func newEnvironment(b *testing.B) *environment {
	root, err := testenv.ModuleRoot()
	if err != nil {
		b.Fatal(err)
	}
	folder := func(variable string) string {
		path := os.Getenv(variable)
		if path != "" && !filepath.IsAbs(path) {
			path = filepath.Join(root, path) // the working directory of make
		}
		return path
	}
	return &environment{
		parent: b, table: newTable(), root: root, scratch: b.TempDir(), catalog: folder("MARKET_CATALOG"), plain: folder("MARKET_PLAIN"),
	}
}

// startEnvironment starts a cluster with simulated nodes, the sample market, and the operator as a release
// build.
func (m *benchmark) startEnvironment() {
	m.startCluster()
	market, err := samplemarket.New(filepath.Join(m.root, "config", "samples", "charts"))
	m.Expect(err).NotTo(HaveOccurred())
	m.samples = httptest.NewServer(market)
	m.parent.Cleanup(m.samples.Close)
	m.startOperator()
}

func (m *benchmark) startCluster() {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	program, err := filepath.EvalSymlinks(filepath.Join(assets, "kube-apiserver"))
	m.Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(m.scratch, "cluster")
	m.runProgram(program, "up", "--dir", dir)
	end := m.parent
	end.Cleanup(func() {
		if out, err := exec.Command(program, "down", "--dir", dir).CombinedOutput(); err != nil {
			end.Errorf("stop cluster: %v: %s", err, out)
		}
	})
	m.kubeconfig, m.audit = filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "audit.log")
	cfg, err := clientcmd.BuildConfigFromFlags("", m.kubeconfig)
	m.Expect(err).NotTo(HaveOccurred())
	cfg.QPS = -1
	scheme := runtime.NewScheme()
	m.Expect(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))).To(Succeed())
	m.cluster, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	m.Expect(err).NotTo(HaveOccurred())
	m.runProgram(filepath.Join(assets, "kubectl"), "--kubeconfig", m.kubeconfig, "apply", "--server-side", "-f", filepath.Join(m.root, "config", "crd", "bases"))
}

// startOperator builds the operator, starts it and waits until it is ready. It cannot reach image
// registries, whatever the network of the machine allows, because its proxy is an address without a
// listener.
func (m *benchmark) startOperator() {
	program, store := filepath.Join(m.scratch, "appmarket"), filepath.Join(m.scratch, "store")
	m.runProgram("go", "build", "-o", program, m.root)
	m.Expect(os.MkdirAll(store, 0o755)).To(Succeed())
	repository, probes, unusedAddress := m.freeAddress(), m.freeAddress(), m.freeAddress()
	args := []string{
		"--kubeconfig", m.kubeconfig, "--store-dir", store,
		"--repository-bind-address", repository, "--repository-url", "http://" + repository,
		"--metrics-bind-address", "0", "--health-probe-bind-address", probes, "--allow-loopback-addresses", "--market-namespaces", marketNamespace,
		"--registry-mirror", "samples.appmarket.io=" + m.samples.URL,
	}
	if m.catalog != "" {
		args = append(args, "--allowed-directories", m.catalog)
	}
	m.startAgain = func() (*process, error) {
		return startProcess(filepath.Join(m.scratch, "operator.log"), program, args, []string{"HTTPS_PROXY=http://" + unusedAddress})
	}
	m.probes = probes
	m.launchOperator()
	w, end := m.environment, m.parent
	end.Cleanup(func() {
		if err := w.operator.stopProcess(); err != nil {
			text, _ := os.ReadFile(w.operator.log) // possibly incomplete
			end.Errorf("stop operator: %v: %s", err, text[max(0, len(text)-4000):])
		}
	})
}

// launchOperator starts the operator, again if necessary, and waits until it is ready.
func (m *benchmark) launchOperator() {
	m.b.Helper()
	var err error
	m.operator, err = m.startAgain()
	m.Expect(err).NotTo(HaveOccurred())
	m.Eventually(func() error { return fetchURL("http://" + m.probes + "/readyz") }, timeout, 50*time.Millisecond).Should(Succeed())
}

// runProgram runs a program and fails the measurement if the program fails.
func (m *benchmark) runProgram(program string, args ...string) {
	m.b.Helper()
	out, err := exec.CommandContext(m.ctx, program, args...).CombinedOutput()
	m.Expect(err).NotTo(HaveOccurred(), "%s %v: %s", program, args, out)
}

// freeAddress returns a loopback address without a listener.
func (m *benchmark) freeAddress() string {
	m.b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	m.Expect(err).NotTo(HaveOccurred())
	defer func() { m.Expect(l.Close()).To(Succeed()) }()
	return l.Addr().String()
}

// fetchURL downloads a page and discards it.
func fetchURL(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, answer.Status)
	}
	return nil
}

// watchObjects opens a watch that starts with the existing objects.
func (m *benchmark) watchObjects(list client.ObjectList, opts ...client.ListOption) watch.Interface {
	m.b.Helper()
	w, err := m.cluster.Watch(m.ctx, list, opts...)
	m.Expect(err).NotTo(HaveOccurred())
	return w
}

// waitUntil reads a watch until done reports true for an object, or returns an error.
func (m *benchmark) waitUntil(w watch.Interface, done func(client.Object) (bool, error)) {
	m.b.Helper()
	defer w.Stop()
	for {
		select {
		case <-m.ctx.Done():
			m.b.Fatalf("wait: %v", context.Cause(m.ctx))
		case event, open := <-w.ResultChan():
			m.Expect(open).To(BeTrue(), "the API server keeps the watch open")
			object, ok := event.Object.(client.Object)
			m.Expect(ok).To(BeTrue(), "watch: %v", event.Object)
			end, err := done(object)
			m.Expect(err).NotTo(HaveOccurred())
			if end {
				return
			}
		}
	}
}

// isReady reports whether the summary condition of an object is True for its current spec. It
// returns an error if the object is Stalled.
func isReady(o v1alpha1.Object, summary string) (bool, error) {
	if c := meta.FindStatusCondition(o.GetConditions(), v1alpha1.ConditionStalled); c != nil {
		return false, fmt.Errorf("%s is stalled: %s: %s", o.GetName(), c.Reason, c.Message)
	}
	return o.GetObservedGeneration() == o.GetGeneration() && meta.IsStatusConditionTrue(o.GetConditions(), summary), nil
}

// residentMemory returns a memory figure of the operator, such as VmRSS, in bytes.
func (m *benchmark) residentMemory(line string) int64 {
	m.b.Helper()
	bytes, err := processMemory(m.operator.processID(), line)
	m.Expect(err).NotTo(HaveOccurred())
	return bytes
}

// hasCatalog reports whether there are real charts, and otherwise records the measurement as
// skipped.
func (m *benchmark) hasCatalog(what string) bool {
	if m.catalog == "" {
		m.table.addSkipped(what, "MARKET_CATALOG is not set")
	}
	return m.catalog != ""
}

// lastLine returns the last line of a program's output.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
