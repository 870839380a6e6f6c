package helm_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/appmarket/operator/internal/helm"
)

// workerArgument makes the test's own executable a render worker.
const workerArgument = "render-worker"

func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], workerArgument) {
		if err := helm.RunRenderWorker(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 5 && os.Args[1] == operatorArgument {
		if err := playOperator(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	stopAPIServer()
	os.Exit(code)
}
