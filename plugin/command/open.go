package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/appmarket/operator/api/v1alpha1"
)

// forwarded matches the line of kubectl port-forward with the local address.
var forwarded = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+)`)

func (f *Factory) newOpenCommand() *cobra.Command {
	var printOnly, noBrowser bool
	var port int
	c := &cobra.Command{
		Use: "open INSTANCE [ENTRANCE]", Short: "Open an entrance of an installed app in the browser",
		Long: "Forwards a local port to an entrance of an installed app with kubectl port-forward, and opens it in the browser. " +
			"Without the name of an entrance, the first entrance is opened that is not hidden. The command ends with Ctrl-C.",
		Example: f.example("# Open an app", "open wiki -n demo", "# Print the command that forwards the port", "open wiki admin -n demo --print"),
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) != 1 && len(arguments) != 2 {
				return cmdutil.UsageErrorf(c, "expected the names of an instance and of an entrance, got %d arguments", len(arguments))
			}
			return nil
		},
		ValidArgsFunction: f.completeInstances,
	}
	c.Flags().BoolVar(&printOnly, "print", false, "Print the command that forwards the port instead of running it.")
	c.Flags().BoolVar(&noBrowser, "no-browser", false, "Print the URL instead of opening it in the browser.")
	c.Flags().IntVar(&port, "port", 0, "Local port. Defaults to a free port.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		instance, err := getInstance(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		entrance, err := findEntrance(instance, append(arguments, "")[1])
		if err != nil {
			return err
		}
		command := f.forwardArguments(c.Root().PersistentFlags(), instance, entrance, port)
		if printOnly {
			f.printResult("kubectl %s", strings.Join(command, " "))
			return nil
		}
		open := openInBrowser
		if noBrowser {
			open = func(context.Context, string) error { return nil }
		}
		return f.forwardPort(c.Context(), command, open)
	}
	return c
}

// findEntrance returns an entrance of an instance by its name, or the first one that is not hidden.
func findEntrance(instance *v1alpha1.AppInstance, name string) (*v1alpha1.Entrance, error) {
	var names []string
	for i := range instance.Status.Entrances {
		entrance := &instance.Status.Entrances[i]
		isOpen := entrance.Host != "" && entrance.Port > 0
		if isOpen && (entrance.Name == name || name == "" && !entrance.Hidden) {
			return entrance, nil
		}
		if isOpen {
			names = append(names, entrance.Name)
		}
	}
	switch {
	case name != "" && len(names) > 0:
		return nil, fmt.Errorf("instance %q has no entrance %q; its entrances are %s", instance.Name, name, strings.Join(names, ", "))
	case name != "":
		return nil, fmt.Errorf("instance %q has no entrance %q", instance.Name, name)
	}
	return nil, fmt.Errorf("instance %q has no entrances", instance.Name)
}

// forwardArguments returns the arguments of kubectl that forward a local port, 0 for a free one, to an
// entrance, with the connection flags of the user.
func (f *Factory) forwardArguments(flags *pflag.FlagSet, instance *v1alpha1.AppInstance, entrance *v1alpha1.Entrance, port int) []string {
	local := ""
	if port != 0 {
		local = fmt.Sprint(port)
	}
	arguments := []string{"port-forward", "-n", instance.Namespace, "service/" + entrance.Host, fmt.Sprintf("%s:%d", local, entrance.Port)}
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "namespace" && flag.Name != "market" {
			arguments = append(arguments, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	return arguments
}

// forwardPort runs kubectl port-forward, and opens the local address as soon as it is known.
func (f *Factory) forwardPort(ctx context.Context, arguments []string, open func(context.Context, string) error) error {
	forward := exec.CommandContext(ctx, "kubectl", arguments...)
	forward.Stderr = f.Streams.ErrOut
	out, err := forward.StdoutPipe()
	if err != nil {
		return err
	}
	if err := forward.Start(); err != nil {
		return withHint(fmt.Errorf("run kubectl: %w", err), "kubectl "+strings.Join(arguments, " "))
	}
	if url := readForwardedURL(out); url != "" {
		f.printResult("%s", url)
		if err := open(ctx, url); err != nil {
			fmt.Fprintf(f.Streams.ErrOut, "the browser cannot be opened: %v\n", err)
		}
	}
	_, _ = io.Copy(io.Discard, out) // The result of kubectl follows.
	if err := forward.Wait(); err != nil && ctx.Err() == nil {
		return errors.New("kubectl port-forward failed")
	}
	return nil
}

// readForwardedURL returns the local URL that kubectl port-forward prints, "" if it ends before.
func readForwardedURL(out io.Reader) string {
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		if found := forwarded.FindStringSubmatch(scanner.Text()); found != nil {
			return "http://" + found[1]
		}
	}
	return ""
}

// openInBrowser opens a URL with the browser of the system.
func openInBrowser(ctx context.Context, url string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.CommandContext(ctx, "open", url).Run()
	case "windows":
		return exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", url).Run()
	}
	return exec.CommandContext(ctx, "xdg-open", url).Run()
}
