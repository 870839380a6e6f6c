package marketsource_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/testenv"
)

// The environment of the specs.
var (
	server *testenv.Env
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

func TestMarketSource(t *testing.T) {
	server = testenv.Start(t)
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "MarketSource", suite, reporter)
}
