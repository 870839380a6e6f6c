package ui

import (
	"context"
	"fmt"
	"io"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
)

// LocalOptions configure pages for the user of this machine.
type LocalOptions struct {
	// Port is the port at 127.0.0.1. If it is 0, a free port is used.
	Port int
	// RepositoryURL is the URL of the Helm repository, empty if it cannot be reached from this machine.
	RepositoryURL string
	// Terminal lets the user open a terminal in the containers of an instance.
	Terminal bool
	// Version is the version of the program.
	Version string
	Log     logr.Logger
	// OnLink is called with the one-time link after it was printed. It may be nil.
	OnLink func(link string)
}

// ServeLocal serves the pages at a loopback address, as the user of a configuration, until the context is
// done. It prints the one-time link by which the user signs in.
func ServeLocal(ctx context.Context, account *rest.Config, o LocalOptions, out io.Writer) error {
	flags, err := parseFlags([]string{
		"--auth=" + authLocal, fmt.Sprintf("--bind-address=127.0.0.1:%d", o.Port), "--repository-url=" + o.RepositoryURL,
		fmt.Sprintf("--terminal=%t", o.Terminal),
	})
	if err != nil {
		return err
	}
	flags.onLink = o.OnLink
	account = rest.CopyConfig(account)
	account.UserAgent = "appmarket-ui/" + o.Version
	return serveCluster(ctx, flags, account, o.Version, o.Log, out)
}
