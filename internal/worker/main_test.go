package worker_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/appmarket/operator/internal/worker"
)

// workerArgument makes the test executable run as a worker.
const workerArgument = "worker"

func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], workerArgument) {
		if err := worker.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
