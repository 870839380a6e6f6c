// Package story_test checks what users do with AppMarket. The operator runs as the released program
// on a local cluster whose simulated nodes make Pods ready, and the specs check only what a user
// can observe.
package story_test

import (
	"context"
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

// timeout limits every wait. A spec that waits that long has failed.
const timeout = 90 * time.Second

// The environment of the specs. Each parallel process has its own, so that specs do not disturb
// each other's operator.
var (
	suiteContext    context.Context
	cluster         *fixture.Cluster
	restConfig      *rest.Config
	k8sClient       client.Client
	sampleServer    *httptest.Server
	defaultOperator *operator
	scratchDir      string
)

func TestUseCases(t *testing.T) { fixture.RunSuite(t, "Use cases", timeout, 50*time.Millisecond) }

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	return []byte(fixture.BuildOperator(ctx, GinkgoT().TempDir()))
}, func(ctx SpecContext, program []byte) {
	suiteContext = context.Background()
	scratchDir = GinkgoT().TempDir()
	cluster = fixture.StartCluster(ctx, filepath.Join(scratchDir, "cluster"))
	restConfig, k8sClient = cluster.Config, cluster.Client
	Expect(os.Setenv("KUBECONFIG", cluster.Kubeconfig())).To(Succeed())
	_, sampleServer = fixture.StartSampleMarket()
	allowed := []string{scratchDir}
	if catalog := os.Getenv("MARKET_CATALOG"); catalog != "" {
		allowed = append(allowed, catalog)
	}
	defaultOperator = &operator{fixture.NewOperator(string(program), cluster, scratchDir,
		"--allowed-directories", strings.Join(allowed, ","),
		"--registry-mirror", samplemarket.Registry+"="+sampleServer.URL)}
	defaultOperator.Start()
})

// runKubectl runs kubectl and returns its output.
func runKubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return cluster.Kubectl(ctx, args...)
}

// createNamespace creates a namespace that is deleted after the spec. With the prefix "market" it is a
// market namespace.
func createNamespace(ctx context.Context, prefix string) string {
	GinkgoHelper()
	if prefix == "market" {
		return cluster.MarketNamespace(ctx)
	}
	return cluster.Namespace(ctx, prefix)
}
