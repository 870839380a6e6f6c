package appinstance_test

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/test/testenv"
)

// The environment of the specs.
var (
	server  *testenv.Env
	clients *helmrelease.Clients
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestAppInstance(t *testing.T) {
	server = testenv.Start(t)
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "AppInstance", suite, reporter)
}

var _ = BeforeSuite(func() {
	var err error
	clients, err = helmrelease.NewClients(server.Config, server.Mapper)
	Expect(err).NotTo(HaveOccurred())
	server.Create(GinkgoTB(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name: "default", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner: "storage.example.com",
	})
})
