// Command appmarket is the operator: it runs the controllers of AppMarket and serves the
// repository of the published charts.
//
// It does two other things by its first argument: as a render worker it renders charts for
// another process of the same program, and as check it requests URLs. Package
// internal/app has the flags and the wiring.
package main

import (
	"fmt"
	"os"

	"github.com/appmarket/operator/internal/app"
)

func main() {
	if err := app.Run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "appmarket:", err)
		os.Exit(1)
	}
}
