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
	corev1 "k8s.io/api/core/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/addresses"
)

// forwarded matches the line of kubectl port-forward with the local address.
var forwarded = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+)`)

// openFlags are the flags of the command open.
type openFlags struct {
	printOnly, noBrowser, forward bool
	port                          int
}

func (f *Factory) newOpenCommand() *cobra.Command {
	flags := &openFlags{}
	c := &cobra.Command{
		Use: "open INSTANCE [ENTRANCE]", Short: "Open an entrance of an installed app in the browser",
		Long: "Opens the URL of an entrance of an installed app in the browser. If it has none, a local port is forwarded to the entrance with " +
			"kubectl port-forward, and the command ends with Ctrl-C. " +
			"Without the name of an entrance, the first entrance is opened that is not hidden.",
		Example: f.example("# Open an app", "open wiki -n demo", "# Print the URL, or the command that forwards a port", "open wiki admin -n demo --print"),
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) != 1 && len(arguments) != 2 {
				return cmdutil.UsageErrorf(c, "expected the names of an instance and of an entrance, got %d arguments", len(arguments))
			}
			return nil
		},
		ValidArgsFunction: f.completeInstances,
	}
	c.Flags().BoolVar(&flags.printOnly, "print", false, "Print the URL, or the command that forwards a port, instead of opening it.")
	c.Flags().BoolVar(&flags.noBrowser, "no-browser", false, "Print the URL instead of opening it in the browser.")
	c.Flags().BoolVar(&flags.forward, "port-forward", false, "Forward a port even if the entrance has a URL, for example because it cannot be reached from this machine.")
	c.Flags().IntVar(&flags.port, "port", 0, "Local port. Defaults to a free port. Implies --port-forward.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.openEntrance(c, flags, arguments[0], append(arguments, "")[1])
	}
	return c
}

// openEntrance opens an entrance of an instance, the first one if the name of the entrance is empty.
func (f *Factory) openEntrance(c *cobra.Command, flags *openFlags, name, entranceName string) error {
	k, namespace, err := f.connect()
	if err != nil {
		return err
	}
	instance, err := getInstance(c.Context(), k, namespace, name)
	if err != nil {
		return err
	}
	forward := flags.forward || flags.port != 0
	entrance, err := findEntrance(instance, entranceName, forward)
	if err != nil {
		return err
	}
	open := openInBrowser
	if flags.noBrowser || flags.printOnly {
		open = func(context.Context, string) error { return nil }
	}
	if entrance.URL != "" && !forward {
		f.showURL(c.Context(), printable(entrance.URL), open)
		return nil
	}
	command := f.forwardArguments(c.Root().PersistentFlags(), instance, entrance, flags.port)
	if flags.printOnly {
		f.printResult("kubectl %s", strings.Join(command, " "))
		return nil
	}
	scheme, err := schemeOf(c.Context(), k, instance, entrance)
	if err != nil {
		return err
	}
	return f.forwardPort(c.Context(), command, scheme, open)
}

// schemeOf returns the scheme of the URL of the port of an entrance: http or https. If the user may not read
// the Service, or it does not exist, the number of the port decides.
func schemeOf(ctx context.Context, k client.Client, instance *v1alpha1.AppInstance, entrance *v1alpha1.Entrance) (string, error) {
	port := addresses.ServicePort{Number: entrance.Port}
	var service corev1.Service
	err := k.Get(ctx, client.ObjectKey{Namespace: instance.Namespace, Name: entrance.Host}, &service)
	if err != nil && !isNotVisible(err) {
		return "", err
	}
	for _, p := range service.Spec.Ports {
		if p.Port == entrance.Port {
			port.Name, port.Protocol = p.Name, ptr.Deref(p.AppProtocol, "")
		}
	}
	return string(port.Scheme()), nil
}

// showURL prints a URL and opens it.
func (f *Factory) showURL(ctx context.Context, url string, open func(context.Context, string) error) {
	f.printResult("%s", url)
	if err := open(ctx, url); err != nil {
		fmt.Fprintf(f.Streams.ErrOut, "the browser cannot be opened: %v\n", err)
	}
}

// findEntrance returns an entrance of an instance by its name, or the first one that is not hidden. If
// forward is set, it must have a port.
func findEntrance(instance *v1alpha1.AppInstance, name string, forward bool) (*v1alpha1.Entrance, error) {
	var names []string
	for i := range instance.Status.Entrances {
		entrance := &instance.Status.Entrances[i]
		isOpen := entrance.Host != "" && entrance.Port > 0 || entrance.URL != "" && !forward
		if isOpen && (entrance.Name == name || name == "" && !entrance.Hidden) {
			return entrance, nil
		}
		if isOpen {
			names = append(names, printable(entrance.Name))
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

// ownFlags are the flags of all commands that kubectl does not have, or that forwardArguments sets.
var ownFlags = map[string]bool{"namespace": true, "market": true, "color": true}

// forwardArguments returns the arguments of kubectl that forward a local port, 0 for a free one, to an
// entrance, with the connection flags of the user.
func (f *Factory) forwardArguments(flags *pflag.FlagSet, instance *v1alpha1.AppInstance, entrance *v1alpha1.Entrance, port int) []string {
	local := ""
	if port != 0 {
		local = fmt.Sprint(port)
	}
	arguments := []string{"port-forward", "-n", instance.Namespace, "service/" + entrance.Host, fmt.Sprintf("%s:%d", local, entrance.Port)}
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && !ownFlags[flag.Name] {
			arguments = append(arguments, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	return arguments
}

// forwardPort runs kubectl port-forward, and opens the local address with a scheme as soon as it is known.
func (f *Factory) forwardPort(ctx context.Context, arguments []string, scheme string, open func(context.Context, string) error) error {
	forward := exec.CommandContext(ctx, "kubectl", arguments...)
	forward.Stderr = f.Streams.ErrOut
	out, err := forward.StdoutPipe()
	if err != nil {
		return err
	}
	if err := forward.Start(); err != nil {
		return withHint(fmt.Errorf("run kubectl: %w", err), "kubectl "+strings.Join(arguments, " "))
	}
	if address := readForwardedAddress(out); address != "" {
		f.showURL(ctx, scheme+"://"+address, open)
	}
	_, _ = io.Copy(io.Discard, out) // The result of kubectl follows.
	if err := forward.Wait(); err != nil && ctx.Err() == nil {
		return errors.New("kubectl port-forward failed")
	}
	return nil
}

// readForwardedAddress returns the local address that kubectl port-forward prints, "" if it ends before.
func readForwardedAddress(out io.Reader) string {
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		if found := forwarded.FindStringSubmatch(scanner.Text()); found != nil {
			return found[1]
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
