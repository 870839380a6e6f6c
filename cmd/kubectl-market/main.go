// Command kubectl-market is a kubectl plugin that finds, installs and manages the apps of an app
// market. With the program in a folder of PATH, it is run as
//
//	kubectl market COMMAND
//
// docs/kubectl-market.md describes the commands and the exit codes.
package main

import (
	"context"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // Credential plugins, as in kubectl.

	"github.com/appmarket/operator/plugin/command"
	"github.com/appmarket/operator/plugin/terminal"
)

// buildVersion is the version that the Makefile sets.
var buildVersion = "devel"

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	f := command.NewFactory(streams, command.ProgramName(os.Args[0]), buildVersion)
	if terminal.IsTerminal(os.Stdin) {
		f.Terminal = terminal.New(os.Stdin, os.Stderr)
	}
	if screen := terminal.NewScreen(os.Stdout); screen != nil {
		f.Screen = screen
	}
	os.Exit(f.Run(context.Background(), os.Args[1:]))
}
