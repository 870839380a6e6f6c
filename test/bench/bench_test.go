// Package bench_test measures the speed and the size of AppMarket, and prints each
// figure with its budget and with the figure of a reference for the same work in the
// same run on the same machine: the helm command, Helm's own loader and engine, nginx.
//
// The operator runs as the released program, on a local cluster with simulated nodes.
// Everything listens on loopback and is stopped by its process ID. Work whose memory
// is measured runs in a child process of this test binary.
//
// No benchmark fails because it is slow. A figure from a busy machine has little
// significance, and a ratio within one run has more, so a person must interpret the
// table. A benchmark fails if the work itself fails.
//
//	make bench MARKET_CATALOG=dir
//
// The table is printed to the standard output at the end; docs/bench.md explains it.
package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// timeout limits every measurement. A measurement that takes that long has failed.
const timeout = 10 * time.Minute

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := runChild(name); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// benchmark is a running measurement.
type benchmark struct {
	*WithT
	*environment
	ctx context.Context
	b   *testing.B
}

// BenchmarkMeasures runs all measurements in a fixed order, because the later ones use what the
// earlier ones published. The times that go test prints are the durations of the measurements.
func BenchmarkMeasures(b *testing.B) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		b.Skip("skipped: KUBEBUILDER_ASSETS is not set; use make bench")
	}
	// After an interrupt, the measurement ends and everything is stopped as usual.
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := newEnvironment(b)
	defer func() { w.table.printTable(os.Stdout) }()
	for _, one := range []struct {
		name string
		take func(*benchmark)
	}{
		{"index", (*benchmark).readIndexes},
		{"start", (*benchmark).startEnvironment},
		{"plain", (*benchmark).hydratePlain},
		{"catalog", (*benchmark).hydrateCatalog},
		{"quiet", (*benchmark).syncUnchanged},
		{"changed", (*benchmark).hydrateChanged},
		{"repository", (*benchmark).serveRepository},
		{"task", (*benchmark).runOneTask},
		{"tasks", (*benchmark).runManyTasks},
		{"cancel", (*benchmark).cancelDuringTasks},
		{"kill", (*benchmark).convergeAfterKill},
		{"thousand", (*benchmark).retainThousandTasks},
		{"streams", (*benchmark).followChanges},
		{"pages", (*benchmark).servePages},
	} {
		b.Run(one.name, func(b *testing.B) {
			if needsCluster := one.name != "index" && one.name != "start"; needsCluster && w.operator == nil {
				b.Skip("skipped: the operator is not running; run start too, as in -bench 'Measures/(start|task)$'")
			}
			bounded, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			one.take(&benchmark{WithT: NewWithT(b), environment: w, ctx: bounded, b: b})
		})
	}
}
