package appinstalltask_test

import (
	"context"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinstalltask"
	"github.com/appmarket/operator/test/testenv"
)

// The environment of the specs.
var (
	server *testenv.Env
	// objects reads from the API server, except for lookups of tasks by an index of the
	// operator.
	objects client.WithWatch
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestAppInstallTask(t *testing.T) {
	server = testenv.Start(t)
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "AppInstallTask", suite, reporter)
}

var _ = BeforeSuite(func() {
	cached, err := cache.New(server.Config, cache.Options{Scheme: server.Scheme, Mapper: server.Mapper})
	Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(context.Background())
	Expect(appinstalltask.AddIndexes(ctx, cached)).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- cached.Start(ctx) }()
	DeferCleanup(func() {
		stop()
		Expect(<-ended).To(Succeed())
	})
	Expect(cached.WaitForCacheSync(ctx)).To(BeTrue())
	objects, err = client.NewWithWatch(server.Config, client.Options{
		Scheme: server.Scheme, Mapper: server.Mapper, Cache: &client.CacheOptions{
			Reader: cached, DisableFor: []client.Object{&v1alpha1.AppInstance{}, &v1alpha1.AppInfo{}, &v1alpha1.MarketSource{}},
			EnableReadYourWritesConsistency: new(true),
		},
	})
	Expect(err).NotTo(HaveOccurred())
})
