// Package bench_test measures what AppMarket promises to be fast and small at, and
// prints each figure beside its budget and beside a peer that does the same work
// in the same run on the same machine: the helm command, Helm's own loader and
// engine, nginx.
//
// The operator runs as the program that people run, on a local cluster with
// simulated nodes; everything listens on loopback and is stopped by its process
// id. Work whose memory counts is done in a child, which is this same test binary.
//
// Nothing here fails for being slow: a figure on a busy machine says little, a
// ratio within one run says more, and who reads the table judges. A measure does
// fail when the work itself does.
//
//	make bench MARKET_CATALOG=dir
//
// The table goes to the standard output at the end; docs/bench.md explains it.
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

// patience bounds every measure. One that needs it all has failed.
const patience = 10 * time.Minute

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

// measure is one of the measures while it runs.
type measure struct {
	*WithT
	*world
	ctx context.Context
	b   *testing.B
}

// BenchmarkMeasures takes every measure, in an order in which each finds what it
// needs: the later ones use what the earlier ones have published. What go test
// prints of each is how long it took to measure.
func BenchmarkMeasures(b *testing.B) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		b.Skip("left out: KUBEBUILDER_ASSETS is not set; use make bench")
	}
	// An interrupt ends what is being measured, and everything is stopped as usual.
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := newWorld(b)
	defer func() { w.table.print(os.Stdout) }()
	for _, one := range []struct {
		name string
		take func(*measure)
	}{
		{"index", (*measure).takeInIndexes},
		{"start", (*measure).start},
		{"plain", (*measure).hydratePlain},
		{"catalog", (*measure).hydrateCatalog},
		{"quiet", (*measure).syncUnchanged},
		{"changed", (*measure).hydrateChanged},
		{"repository", (*measure).serveRepository},
		{"task", (*measure).carryOutOne},
		{"tasks", (*measure).carryOutMany},
		{"cancel", (*measure).cancelWhileBusy},
		{"kill", (*measure).convergeAfterKill},
		{"thousand", (*measure).rememberThousand},
	} {
		b.Run(one.name, func(b *testing.B) {
			if needsCluster := one.name != "index" && one.name != "start"; needsCluster && w.operator == nil {
				b.Skip("left out: there is no operator; name start too, as in -bench 'Measures/(start|task)$'")
			}
			bounded, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			one.take(&measure{WithT: NewWithT(b), world: w, ctx: bounded, b: b})
		})
	}
}
