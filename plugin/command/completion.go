package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// fromCache returns an option that makes the API server answer a list from its cache. The list has no limit, so that no
// name is missing: only the metadata is read, and the time of a completion is limited.
func fromCache() client.ListOption {
	// Each list needs its own options, because the client changes them.
	return &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}
}

type completionFunc = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// noCompletion completes nothing, not even files.
func noCompletion(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func fixedCompletion(options ...string) completionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return options, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag sets the completion of a flag, which must exist.
func completeFlag(c *cobra.Command, flag string, complete completionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(fmt.Sprintf("command %s: %v", c.Name(), err))
	}
}

// completeByFirst returns a completion of what read returns for the first argument. A completion has no errors: it
// completes nothing then.
func (f *Factory) completeByFirst(
	read func(ctx context.Context, k client.Client, namespace, first, begin string) ([]string, error),
) completionFunc {
	return func(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
		if len(arguments) == 0 {
			return noCompletion(c, arguments, begin)
		}
		ctx, stop := context.WithTimeout(c.Context(), f.CompletionTimeout)
		defer stop()
		k, namespace, err := f.connect()
		if err != nil {
			return noCompletion(c, arguments, begin)
		}
		proposed, err := read(ctx, k, namespace, arguments[0], begin)
		if err != nil {
			return noCompletion(c, arguments, begin)
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if len(proposed) > 0 && strings.HasSuffix(proposed[0], "=") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return proposed, directive
	}
}

// completeObjects returns a completion of the names of objects, of which only the metadata is read.
// all specifies whether they are searched in all namespaces.
func (f *Factory) completeObjects(kind string, all bool, nameOf func(metav1.PartialObjectMetadata) string) completionFunc {
	return func(c *cobra.Command, arguments []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(arguments) > 0 {
			return noCompletion(c, arguments, "")
		}
		ctx, stop := context.WithTimeout(c.Context(), f.CompletionTimeout)
		defer stop()
		var names []string
		for _, object := range f.listMetadata(ctx, kind, all) {
			names = append(names, nameOf(object))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// listMetadata lists the metadata of objects. all specifies whether they are searched in all namespaces, otherwise in
// the namespace of the user or of an option. It returns nothing if that fails.
func (f *Factory) listMetadata(ctx context.Context, kind string, all bool, options ...client.ListOption) []metav1.PartialObjectMetadata {
	k, namespace, err := f.connect()
	if err != nil {
		return nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	options = append([]client.ListOption{client.InNamespace(namespace), fromCache()}, options...)
	if all {
		_, err = f.listFromMarket(ctx, k, namespace, list, func() int { return len(list.Items) }, options...)
	} else {
		err = k.List(ctx, list, options...)
	}
	if err != nil {
		return nil
	}
	return list.Items
}

func (f *Factory) completeInstances(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	return f.completeObjects("AppInstance", false, objectName)(c, arguments, begin)
}

func (f *Factory) completeTasks(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	return f.completeObjects("AppInstallTask", false, objectName)(c, arguments, begin)
}

func (f *Factory) completeSources(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	return f.completeObjects("MarketSource", true, objectName)(c, arguments, begin)
}

// completeApps completes the names of apps, as SOURCE/APP, or with the namespace once it was typed. If there are several
// sources, their names are completed first, so that only the apps of one source or namespace are read.
func (f *Factory) completeApps(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	if len(arguments) > 0 {
		return noCompletion(c, arguments, begin)
	}
	ctx, stop := context.WithTimeout(c.Context(), f.CompletionTimeout)
	defer stop()
	parts := strings.Split(begin, "/")
	var apps []metav1.PartialObjectMetadata
	prefix := ""
	switch len(parts) {
	case 1:
		if sources := f.sourcePrefixes(ctx); len(sources) > 1 {
			return sources, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		apps = f.listMetadata(ctx, "AppInfo", true)
	case 2:
		apps = f.listMetadata(ctx, "AppInfo", true, client.MatchingLabels{v1alpha1.SourceLabel: parts[0]})
		if len(apps) == 0 {
			prefix = parts[0] + "/"
			apps = f.listMetadata(ctx, "AppInfo", false, client.InNamespace(parts[0]))
		}
	default:
		prefix = parts[0] + "/"
		apps = f.listMetadata(ctx, "AppInfo", false, client.InNamespace(parts[0]), client.MatchingLabels{v1alpha1.SourceLabel: parts[1]})
	}
	var names []string
	for _, app := range apps {
		if name := prefix + app.Labels[v1alpha1.SourceLabel] + "/" + app.Labels[v1alpha1.AppLabel]; strings.HasPrefix(name, begin) || len(parts) == 1 {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// sourcePrefixes returns the names of the sources that the user may list, each with a slash.
func (f *Factory) sourcePrefixes(ctx context.Context) []string {
	names := sets.New[string]()
	for _, source := range f.listMetadata(ctx, "MarketSource", true) {
		names.Insert(source.Name + "/")
	}
	return sets.List(names)
}

func objectName(object metav1.PartialObjectMetadata) string { return object.Name }

// completePersistentFlags sets the completion of the flags of all commands.
func (f *Factory) completePersistentFlags(root *cobra.Command) {
	completeFlag(root, "namespace", f.completeNamespaces)
	completeFlag(root, "market", f.completeNamespaces)
	completeFlag(root, "color", fixedCompletion(colorOptions...))
	completeFlag(root, "context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		config, err := f.flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for name := range config.Contexts {
			names = append(names, name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *Factory) completeNamespaces(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, stop := context.WithTimeout(c.Context(), f.CompletionTimeout)
	defer stop()
	k, err := f.newClient()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind("NamespaceList"))
	list.APIVersion = "v1"
	if err := k.List(ctx, list, fromCache()); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, namespace := range list.Items {
		names = append(names, namespace.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// kubectlScript is the program that kubectl runs to complete the arguments of a plugin.
const kubectlScript = `#!/usr/bin/env sh
# Completes "%[1]s". kubectl 1.26 and newer runs this file if it is in PATH as %[2]s.
exec %[3]s __complete "$@"
`

func (f *Factory) newCompletionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell", "kubectl"}
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Print a completion script",
		Long: "Prints a completion script for a shell, or with kubectl the program by which kubectl 1.26 and newer completes the plugin.\n\n" +
			"For kubectl, write the program to a folder of PATH, with the name that its comment contains, and make it executable.",
		Example: f.example("# Complete the plugin in kubectl",
			"completion kubectl > ~/bin/kubectl_complete-market && chmod +x ~/bin/kubectl_complete-market"),
		Args: func(c *cobra.Command, arguments []string) error {
			if err := exactArgs(1, "the name of a shell")(c, arguments); err != nil {
				return err
			}
			if !slices.Contains(shells, arguments[0]) {
				return cmdutil.UsageErrorf(c, "shell %q must be one of %s", arguments[0], strings.Join(shells, ", "))
			}
			return nil
		},
		ValidArgs: shells,
		RunE: func(c *cobra.Command, arguments []string) error {
			out := f.Streams.Out
			switch arguments[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return c.Root().GenZshCompletion(out)
			case "fish":
				return c.Root().GenFishCompletion(out, true)
			case "powershell":
				return c.Root().GenPowerShellCompletionWithDesc(out)
			}
			_, err := fmt.Fprintf(out, kubectlScript, f.Name, "kubectl_complete-"+lastWord(f.Name), c.Root().Name())
			return err
		},
	}
}

func lastWord(name string) string { return name[strings.LastIndex(name, " ")+1:] }

func (f *Factory) newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of the plugin", Args: exactArgs(0, ""),
		RunE: func(*cobra.Command, []string) error {
			f.printResult("%s %s", f.Name, f.Version)
			return nil
		},
	}
}

// example returns examples, given as alternating comments and arguments.
func (f *Factory) example(lines ...string) string {
	var out strings.Builder
	for i := 0; i+1 < len(lines); i += 2 {
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "  %s\n  %s %s\n", lines[i], f.Name, lines[i+1])
	}
	return strings.TrimSuffix(out.String(), "\n")
}
