package appinfo_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/test/testenv"
)

// The environment of the specs.
var (
	server *testenv.Env
	// objects reads from the API server, except for lookups of instances by an index of the
	// operator.
	objects client.WithWatch
	// shops serves the shops through a proxy by host name, so that messages do not contain
	// ports.
	shops helmServers
)

func TestMain(m *testing.M) {
	proxy := httptest.NewServer(&shops)
	for name, value := range map[string]string{"HTTP_PROXY": proxy.URL, "NO_PROXY": "", "no_proxy": ""} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := testenv.Run(m)
	proxy.Close()
	os.Exit(code)
}

func TestAppInfo(t *testing.T) {
	server = testenv.Start(t)
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "AppInfo", suite, reporter)
}

var _ = BeforeSuite(func() {
	cached, err := cache.New(server.Config, cache.Options{Scheme: server.Scheme, Mapper: server.Mapper})
	Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(context.Background())
	Expect(catalog.AddIndexes(ctx, cached)).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- cached.Start(ctx) }()
	DeferCleanup(func() {
		stop()
		Expect(<-ended).To(Succeed())
	})
	Expect(cached.WaitForCacheSync(ctx)).To(BeTrue())
	objects, err = client.NewWithWatch(server.Config, client.Options{
		Scheme: server.Scheme, Mapper: server.Mapper, Cache: &client.CacheOptions{
			Reader: cached, DisableFor: []client.Object{&v1alpha1.AppInfo{}, &v1alpha1.MarketSource{}},
			EnableReadYourWritesConsistency: new(true),
		},
	})
	Expect(err).NotTo(HaveOccurred())
})
