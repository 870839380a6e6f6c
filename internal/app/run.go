// Package app runs the operator. It contains the flags, and connects the adapters, the
// controllers and the servers. Decisions belong to the controllers and adapters.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/internal/worker"
)

// renderWorker is the argument that makes the program a worker that renders charts within
// limits, for another process of the same program.
const renderWorker = "render-worker"

// Run runs the program with its command line arguments until it ends.
func Run(args []string) error {
	if len(args) == 1 && args[0] == renderWorker {
		return worker.Serve(os.Stdin, os.Stdout)
	}
	if len(args) > 0 && args[0] == checkCommand {
		ctx, cancel := context.WithTimeout(ctrl.SetupSignalHandler(), time.Minute)
		defer cancel()
		return checkURLs(ctx, args[1:], os.Stdout)
	}
	o, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.version {
		fmt.Println("appmarket", ProgramVersion())
		return nil
	}
	setLogger(&o.log)
	return runOperator(ctrl.SetupSignalHandler(), o)
}
