// Package testenv provides the tests of a package with a real API server that serves the kinds
// of AppMarket.
//
// The first test that calls Start starts the API server. The tests of the package share it, and
// Run stops it at the end:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }
//
//	func TestWriter(t *testing.T) { server := testenv.Start(t) … }
//
// KUBEBUILDER_ASSETS is the folder with the programs of the control plane. If it is not set,
// tests are skipped with a message, or fail if CI=true. Each test uses its own namespace, because
// an API server without controllers never completes the deletion of a namespace.
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

// timeout bounds the start and the stop of the control plane, also on a busy machine.
const timeout = 90 * time.Second

// Env is a running API server, accessed as its administrator.
type Env struct {
	Config *rest.Config
	Scheme *runtime.Scheme
	Mapper *kinds.Kinds
	// Client reads from the API server without a cache.
	Client client.WithWatch

	server *envtest.Environment
}

// shared is the API server that the tests of a package share.
var shared struct {
	once    sync.Once
	running bool // Run was called and will stop the server.
	env     *Env
	err     error
}

// Run runs the tests of a package and stops the API server if it was started. It returns the
// exit code.
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

// Start returns the API server that the tests of the package share, and starts it if necessary.
func Start(t testing.TB) *Env {
	t.Helper()
	requireAssets(t)
	if !shared.running {
		t.Fatal("start API server: TestMain must call testenv.Run, which stops it")
	}
	shared.once.Do(func() { shared.env, shared.err = startServer(nil) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.env
}

// StartWith starts an API server of its own with more flags, by their names without dashes, and stops it at
// the end of the test.
func StartWith(t testing.TB, flags map[string]string) *Env {
	t.Helper()
	requireAssets(t)
	e, err := startServer(flags)
	t.Cleanup(func() {
		if e == nil || e.server == nil {
			return
		}
		if err := e.server.Stop(); err != nil {
			t.Error("stop API server:", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// requireAssets skips the test if the programs of the control plane are not there.
func requireAssets(t testing.TB) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") != "" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("KUBEBUILDER_ASSETS is not set")
	}
	t.Skip("skipped: KUBEBUILDER_ASSETS is not set")
}

func startServer(flags map[string]string) (*Env, error) {
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
	arguments := e.server.ControlPlane.GetAPIServer().Configure()
	for name, value := range flags {
		arguments.Set(name, value)
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

// ModuleRoot returns the root folder of the module that contains the test.
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
			return "", errors.New("find the module: no go.mod in a parent folder of the test")
		}
		dir = above
	}
}
