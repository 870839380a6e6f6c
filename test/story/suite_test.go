// Package story_test checks what users do with AppMarket. The operator runs as the released program
// on a local cluster whose simulated nodes make Pods ready, and the specs check only what a user
// can observe.
package story_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/samplemarket"
)

// patience limits every wait. A spec that waits that long has failed.
const patience = 90 * time.Second

// The environment of the specs. Each parallel process has its own, so that specs do not disturb
// each other's operator.
var (
	world   context.Context
	local   *fixture.Cluster
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

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	return []byte(fixture.BuildOperator(ctx, GinkgoT().TempDir()))
}, func(ctx SpecContext, program []byte) {
	world = context.Background()
	scratch = GinkgoT().TempDir()
	local = fixture.StartCluster(ctx, filepath.Join(scratch, "cluster"))
	cfg, cluster = local.Config, local.Client
	Expect(os.Setenv("KUBECONFIG", local.Kubeconfig())).To(Succeed())
	startSamples()
	allowed := []string{scratch}
	if catalog := os.Getenv("MARKET_CATALOG"); catalog != "" {
		allowed = append(allowed, catalog)
	}
	market = &operator{fixture.NewOperator(string(program), local, scratch,
		"--allowed-directories", strings.Join(allowed, ","),
		"--registry-mirror", samplemarket.Registry+"="+samples.URL)}
	market.Start()
})

// startSamples serves the sample market.
func startSamples() {
	GinkgoHelper()
	handler, err := samplemarket.New(fixture.Path("config/samples/charts"))
	Expect(err).NotTo(HaveOccurred())
	samples = httptest.NewServer(handler)
	DeferCleanup(samples.Close)
}

// kubectl runs kubectl and returns its output.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return local.Kubectl(ctx, args...)
}

// namespace creates a namespace that is deleted after the spec. With the prefix "market" it is a
// market namespace.
func namespace(ctx context.Context, prefix string) string {
	GinkgoHelper()
	if prefix == "market" {
		return local.MarketNamespace(ctx)
	}
	return local.Namespace(ctx, prefix)
}

// get requests a URL of the repository.
func get(url string) *http.Response {
	GinkgoHelper()
	answer, err := http.Get(url)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(answer.Body.Close)
	return answer
}
