// Package story_test tells what users do with AppMarket: the operator runs as the
// program that people run, on a local cluster whose simulated nodes make pods
// ready, and every story looks only at what a user sees.
package story_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/samplemarket"
)

// patience bounds every wait. A story that needs it all has failed.
const patience = 90 * time.Second

// The world of the stories.
var (
	world   context.Context
	cfg     *rest.Config
	cluster client.Client
	samples *httptest.Server
	market  *operator
	scratch string
)

func TestStories(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KUBEBUILDER_ASSETS is not set")
		}
		t.Skip("left out: KUBEBUILDER_ASSETS is not set; use make test")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Stories")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	world = context.Background()
	scratch = GinkgoT().TempDir()
	startCluster(ctx)
	startSamples()
	market = newOperator(ctx)
	market.start()
})

// startCluster brings up a control plane with simulated nodes, in a folder that
// goes with the test.
func startCluster(ctx context.Context) {
	GinkgoHelper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	program, err := filepath.EvalSymlinks(filepath.Join(assets, "kube-apiserver"))
	Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(scratch, "cluster")
	run(ctx, program, "up", "--dir", dir)
	DeferCleanup(func(ctx SpecContext) { run(ctx, program, "down", "--dir", dir) })
	Expect(os.Setenv("KUBECONFIG", filepath.Join(dir, "kubeconfig"))).To(Succeed())
	cfg, err = clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	Expect(err).NotTo(HaveOccurred())
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	cfg.QPS = -1
	cluster, err = client.New(cfg, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	kubectl(ctx, "apply", "--server-side", "-f", root("config/crd/bases"))
}

// startSamples serves the sample market.
func startSamples() {
	GinkgoHelper()
	handler, err := samplemarket.New(root("config/samples/charts"))
	Expect(err).NotTo(HaveOccurred())
	samples = httptest.NewServer(handler)
	DeferCleanup(samples.Close)
}

// root is a path of the repository.
func root(path string) string {
	GinkgoHelper()
	abs, err := filepath.Abs(filepath.Join("..", "..", path))
	Expect(err).NotTo(HaveOccurred())
	return abs
}

// run runs a program to its end and returns what it printed.
func run(ctx context.Context, program string, args ...string) string {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s %v: %s", program, args, out)
	return string(out)
}

// kubectl runs the real one.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return run(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...)
}

// freeAddress is an address of the loopback interface that nobody listens on.
func freeAddress() string {
	GinkgoHelper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(l.Close()).To(Succeed()) }()
	return l.Addr().String()
}

// namespace makes a namespace that goes away with the spec, with a service account
// that may do in it what a tenant needs.
func namespace(ctx context.Context, prefix string) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}
	Expect(cluster.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(cluster.Delete(ctx, ns))).To(Succeed()) })
	return ns.Name
}

// get asks for a page of the repository.
func get(url string) *http.Response {
	GinkgoHelper()
	answer, err := http.Get(url)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(answer.Body.Close)
	return answer
}
