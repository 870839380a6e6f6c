// Command appmarket is the operator: it runs the controllers of AppMarket and serves the
// repository of the published charts.
//
// It does other things by its first argument: as ui it serves the web pages (package ui), as a
// render worker it renders charts for another process of the same program, and as check it
// requests URLs. Package internal/app has the flags and the wiring.
package main

import (
	"fmt"
	"os"

	"github.com/appmarket/operator/internal/app"
	"github.com/appmarket/operator/ui"
)

// servePages is the argument that makes the program serve the web pages.
const servePages = "ui"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "appmarket:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == servePages {
		return ui.Run(args[1:], app.ProgramVersion())
	}
	return app.Run(args)
}
