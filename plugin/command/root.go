// Package command contains the commands of the kubectl plugin.
//
// The plugin reads and writes objects of the API server as the user, and nothing else: everything
// that it does can be done with kubectl. A command that writes can print the YAML of its objects
// first (--dry-run=client -o yaml), and waits (--wait) by watching conditions. Results are printed to
// the standard output, and progress, hints and errors to the standard error. docs/kubectl-market.md
// is the reference.
package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/text"
)

// Groups of commands in the usage text.
const (
	groupCatalog  = "catalog"
	groupInstall  = "install"
	groupInspect  = "inspect"
	groupTasks    = "tasks"
	groupSettings = "settings"
)

// Run runs the command of the arguments and returns the exit code. The end of the context counts as
// Ctrl-C.
func (f *Factory) Run(ctx context.Context, arguments []string) int {
	// The clients log to the logger of controller-runtime, which prints a warning if it has none.
	log.SetLogger(logr.Discard())
	root := f.NewRootCommand()
	root.SetArgs(arguments)
	if err := root.ExecuteContext(ctx); err != nil {
		return printError(f.Streams.ErrOut, err)
	}
	return ExitDone
}

// NewRootCommand returns the command of the program with all its commands.
func (f *Factory) NewRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   strings.ReplaceAll(f.Name, " ", "-"),
		Short: "Find, install and manage apps of an app market",
		Long: "Finds the apps of a market, installs them, and manages the installed apps.\n\n" +
			"An app is written as SOURCE/APP, as NAMESPACE/SOURCE/APP, or as APP if only one source offers it.",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: f.Name},
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetIn(f.Streams.In)
	root.SetOut(f.Streams.Out)
	root.SetErr(f.Streams.ErrOut)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return cmdutil.UsageErrorf(c, "%v%s", err, suggestFlags(c, err))
	})
	f.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().StringVar(&f.market, "market", "", "Namespace of the market whose apps are used. Defaults to all namespaces whose apps you may list.")
	f.addColorFlag(root)
	root.AddGroup(
		&cobra.Group{ID: groupCatalog, Title: "Find apps:"},
		&cobra.Group{ID: groupInstall, Title: "Install and change apps:"},
		&cobra.Group{ID: groupInspect, Title: "See what is installed:"},
		&cobra.Group{ID: groupTasks, Title: "Follow and change tasks:"},
		&cobra.Group{ID: groupSettings, Title: "Other commands:"},
	)
	root.SetHelpCommandGroupID(groupSettings)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	f.addToGroup(root, groupCatalog, f.newSearchCommand(), f.newShowCommand(), f.newImagesCommand(), f.newAirgapCommand(),
		f.newSourcesCommand(), f.newSourceCommand(), f.newPushCommand(), f.newReviewCommand(), f.newHydrateCommand())
	f.addToGroup(root, groupInstall, append(f.newTaskCommands(), f.newPlanCommand())...)
	f.addToGroup(root, groupInspect, f.newInstancesCommand(), f.newStatusCommand(), f.newEventsCommand(), f.newLogsCommand(), f.newOpenCommand())
	f.addToGroup(root, groupTasks, f.newTasksCommand(), f.newInputsCommand(), f.newWaitCommand(), f.newWatchCommand(), f.newCancelCommand(), f.newRetryCommand())
	f.addToGroup(root, groupSettings, f.newUICommand(), f.newDoctorCommand(), f.newVersionCommand(), f.newCompletionCommand(),
		f.newOptionsCommand(), f.newWorkerCommand())
	f.completePersistentFlags(root)
	return root
}

// maxFlagDistance is the maximum number of changed letters up to which a flag is suggested for an unknown one. It is a
// third of the letters for short flags.
const maxFlagDistance = 2

// suggestFlags returns a question about the flags that are similar to the unknown flag of an error, "" for other
// errors.
func suggestFlags(c *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) <= maxFlagDistance {
		return ""
	}
	// cobra compares names of commands only.
	names := &cobra.Command{SuggestionsMinimumDistance: min(maxFlagDistance, len(unknown.GetSpecifiedName())/3)}
	c.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names.AddCommand(&cobra.Command{Use: flag.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	similar := names.SuggestionsFor(unknown.GetSpecifiedName())
	if len(similar) == 0 {
		return ""
	}
	return "; did you mean --" + text.List(similar, " or --", maxListed) + "?"
}

func (f *Factory) addToGroup(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// exactArgs returns a check for the number of arguments, with an error in the words of kubectl. what
// describes the arguments.
func exactArgs(count int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, arguments []string) error {
		if len(arguments) != count {
			return cmdutil.UsageErrorf(c, "%s", usageMessage(count, what, len(arguments)))
		}
		return nil
	}
}

func usageMessage(count int, what string, given int) string {
	if count == 0 {
		return fmt.Sprintf("no arguments expected, got %d", given)
	}
	return fmt.Sprintf("expected %s, got %d arguments", what, given)
}

// usageTemplate returns the template of usage texts without the flags of all commands, as kubectl
// prints them.
func usageTemplate(standard string) string {
	begin, end := strings.Index(standard, "{{if .HasAvailableInheritedFlags}}"), strings.Index(standard, "{{if .HasHelpSubCommands}}")
	if begin < 0 || end < begin {
		return standard
	}
	text := standard[:begin] + "\n\nUse \"{{.Root.CommandPath}} options\" for the flags of all commands." + standard[end:]
	return strings.Replace(text, "{{if .HasAvailableLocalFlags}}", "{{if and .HasParent .HasAvailableLocalFlags}}", 1)
}

// newOptionsCommand returns the command that prints the flags of all commands.
func (f *Factory) newOptionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "options", Short: "Print the flags of all commands", Args: exactArgs(0, ""),
		Run: func(c *cobra.Command, _ []string) {
			f.printResult("The following flags can be given to any command:\n\n%s", c.Root().PersistentFlags().FlagUsages())
		},
	}
}
