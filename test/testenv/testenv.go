// Package testenv gives the tests of a package a real API server with the kinds of
// AppMarket.
//
// It is started by the first test that asks for it, shared by the others of the
// same package and stopped at the end:
//
//	func TestMain(m *testing.M) { os.Exit(env.Run(m)) }
//
//	func TestKeeper(t *testing.T) { server := env.Start(t) … }
//
// The programs come from the folder that KUBEBUILDER_ASSETS names. Where that is
// not set, a test is left out and says so in one line; under CI=true it fails.
// Each test works in a namespace of its own, since nothing is cleaned up between
// tests: an API server alone never finishes the removal of a namespace.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/kinds"
)

// patience is how long the control plane may take to start or to stop; a busy
// machine needs some.
const timeout = 90 * time.Second

// Env is a running API server, seen as its administrator.
type Env struct {
	Config *rest.Config
	Scheme *runtime.Scheme
	Mapper *kinds.Kinds
	// Client asks the API server each time, without a cache.
	Client client.WithWatch

	server *envtest.Environment
}

// shared is the one server of a package's tests.
var shared struct {
	once    sync.Once
	running bool // Run is under way, and will stop the server.
	env     *Env
	err     error
}

// Run runs the tests of a package and stops the API server if one of them has
// started it. It returns the code to exit with.
func Run(m *testing.M) int {
	shared.running = true
	code := m.Run()
	if shared.env == nil || shared.env.server == nil {
		return code
	}
	if err := shared.env.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop API server:", err)
		return max(code, 1)
	}
	return code
}

// Start returns the API server that the tests of the package share.
func Start(t testing.TB) *Env {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KUBEBUILDER_ASSETS is not set")
		}
		t.Skip("left out: KUBEBUILDER_ASSETS is not set")
	}
	if !shared.running {
		t.Fatal("start API server: TestMain must call env.Run, or nobody stops it")
	}
	shared.once.Do(func() { shared.env, shared.err = startServer() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.env
}

func startServer() (*Env, error) {
	root, err := ModuleRoot()
	if err != nil {
		return nil, err
	}
	e := &Env{Scheme: runtime.NewScheme(), server: &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: timeout,
		ControlPlaneStopTimeout:  timeout,
	}}
	if err := errors.Join(clientgoscheme.AddToScheme(e.Scheme), v1alpha1.AddToScheme(e.Scheme)); err != nil {
		return nil, err
	}
	if e.Config, err = e.server.Start(); err != nil {
		return e, fmt.Errorf("start API server: %w", err)
	}
	e.Config.QPS = -1
	web, err := rest.HTTPClientFor(e.Config)
	if err != nil {
		return e, err
	}
	if e.Mapper, err = kinds.New(e.Config); err != nil {
		return e, err
	}
	e.Client, err = client.NewWithWatch(e.Config, client.Options{HTTPClient: web, Scheme: e.Scheme, Mapper: e.Mapper})
	return e, err
}

// Root is the folder of the module that the test belongs to.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("find module: no go.mod above the test")
		}
		dir = above
	}
}
