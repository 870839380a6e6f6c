package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// plainActions are the actions without parameters, with the description of their command and the
// result of a task. An action that needs only the name of an instance is a row.
var plainActions = []struct {
	action               v1alpha1.Action
	command, short, done string
}{
	{v1alpha1.ActionStop, "stop", "Stop an app: its workloads have no Pods", "stopped"},
	{v1alpha1.ActionResume, "resume", "Resume an app that is stopped", "resumed"},
	{v1alpha1.ActionRestart, "restart", "Restart an app: its Pods are replaced", "restarted"},
}

// newTaskCommands returns the commands that create a task.
func (f *Factory) newTaskCommands() []*cobra.Command {
	commands := []*cobra.Command{
		f.newInstallCommand(), f.newUpgradeCommand(), f.newConfigureCommand(), f.newRollbackCommand(), f.newCloneCommand(), f.newAdoptCommand(),
	}
	for _, row := range plainActions {
		commands = append(commands, f.newPlainCommand(row.action, row.command, row.short))
	}
	return append(commands, f.newUninstallCommand())
}

// successText returns the sentence about a task that has succeeded.
func successText(task *v1alpha1.AppInstallTask) string {
	name := task.Namespace + "/" + task.Instance()
	switch task.Spec.Action {
	case v1alpha1.ActionInstall:
		return fmt.Sprintf("installed %s %s", name, task.Status.Version)
	case v1alpha1.ActionUpgrade:
		return fmt.Sprintf("upgraded %s to %s", name, task.Status.Version)
	case v1alpha1.ActionConfigure:
		return "configured " + name
	case v1alpha1.ActionRollback:
		return fmt.Sprintf("rolled back %s to %s, revision %d", name, task.Status.Version, task.Status.Revision)
	case v1alpha1.ActionClone:
		return fmt.Sprintf("cloned %s to %s %s", task.Spec.CloneFrom().Name, name, task.Status.Version)
	case v1alpha1.ActionAdopt:
		return fmt.Sprintf("adopted %s %s", name, task.Status.Version)
	case v1alpha1.ActionUninstall:
		return "uninstalled " + name
	}
	for _, row := range plainActions {
		if row.action == task.Spec.Action {
			return row.done + " " + name
		}
	}
	return "succeeded: " + name
}

// newPlainCommand returns the command for an action that needs only the name of an instance.
func (f *Factory) newPlainCommand(action v1alpha1.Action, name, short string) *cobra.Command {
	c := f.newInstanceCommand(name, short, f.example("# "+short, name+" wiki -n demo --wait"))
	flags := f.newTaskFlags(c)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(*v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			return taskbuilder.Request{Action: action}, nil, nil
		})
	}
	return c
}

// newInstanceCommand returns a command with the name of an instance as argument.
func (f *Factory) newInstanceCommand(name, short, example string) *cobra.Command {
	return &cobra.Command{
		Use: name + " INSTANCE", Short: short, Example: example,
		Args: exactArgs(1, "the name of an instance"), ValidArgsFunction: f.completeInstances,
	}
}

// runOnInstance creates the task of a request for an existing instance. build returns the request
// without the instance and its app, and the names of the inputs that the user has to type.
func (f *Factory) runOnInstance(
	c *cobra.Command, flags *taskFlags, name string, build func(*v1alpha1.AppInstance) (taskbuilder.Request, []string, error),
) error {
	k, namespace, err := f.connect()
	if err != nil {
		return err
	}
	instance, err := getInstance(c.Context(), k, namespace, name)
	if err != nil {
		return err
	}
	r, asked, err := build(instance)
	if err != nil {
		return err
	}
	r.Namespace, r.Instance, r.App = namespace, name, instance.Spec.AppRef
	return f.createTask(c.Context(), c, k, flags, r, asked)
}

func (f *Factory) newInstallCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "install APP", Short: "Install an app",
		Long: "Installs an app. The command creates an AppInstallTask with action Install, and first the Secret INSTANCE-inputs if an input has to be typed.",
		Example: f.example(
			"# Install the latest version, and wait for it", "install samples/hello -n demo --wait",
			"# Install a version range with values and inputs", "install samples/wiki -n demo --version '^2.0' --set replicas=2 --input WIKI_LANGUAGE=en --secret-input WIKI_ADMIN_PASSWORD",
			"# Print the objects instead of creating them", "install samples/hello -n demo --dry-run=client -o yaml"),
		Args: exactArgs(1, "the name of an app"), ValidArgsFunction: f.completeApps,
	}
	flags, configuration := f.newTaskFlags(c), &configurationFlags{}
	c.Flags().StringVar(&name, "name", "", "Name of the instance. Defaults to the name of the app.")
	configuration.addVersion(c, "the latest stable version")
	configuration.addFlags(c, false)
	addDependencies(c, flags)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRemove)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		app, err := f.resolveApp(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		app = appOfInstance(c.Context(), k, namespace, name, app)
		r := taskbuilder.Request{Action: v1alpha1.ActionInstall, Namespace: namespace, App: app, Instance: name, Version: configuration.version}
		return f.createConfigured(c.Context(), c, k, flags, configuration, r)
	}
	return c
}

// createConfigured creates the task of a request for a new instance with a configuration.
func (f *Factory) createConfigured(ctx context.Context, c *cobra.Command, k client.WithWatch, flags *taskFlags, g *configurationFlags, r taskbuilder.Request) error {
	var asked []string
	var err error
	if r.Configuration, asked, err = g.configuration(nil, f.Streams.In); err != nil {
		return err
	}
	flags.options.OnMissingInput = g.onMissing
	return f.createTask(ctx, c, k, flags, r, asked)
}

// addDependencies adds the flag for apps that the app requires.
func addDependencies(c *cobra.Command, flags *taskFlags) {
	install := c.Flags().Bool("with-dependencies", false, "Install the apps that the app requires first.")
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, arguments []string) error {
		if *install {
			flags.options.Dependencies = v1alpha1.DependenciesInstall
		}
		if before != nil {
			return before(c, arguments)
		}
		return nil
	}
}

func (f *Factory) newUpgradeCommand() *cobra.Command {
	c := f.newInstanceCommand("upgrade", "Upgrade an app to a newer version", f.example(
		"# Upgrade to the latest stable version", "upgrade wiki -n demo --wait",
		"# Upgrade to a version, and change a value; other values are kept", "upgrade wiki -n demo --version 2.4.0 --set replicas=3"))
	flags, configuration := f.newTaskFlags(c), &configurationFlags{}
	configuration.addVersion(c, "the latest stable version")
	configuration.addFlags(c, true)
	downgrade := c.Flags().Bool("allow-downgrade", false, "Allow a version that is older than the installed version. Requires --version.")
	addDependencies(c, flags)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRollback)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(instance *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			flags.options.OnMissingInput = configuration.onMissing
			given, asked, err := configuration.configuration(instance.Spec.Values, f.Streams.In)
			return taskbuilder.Request{
				Action: v1alpha1.ActionUpgrade, Version: configuration.version, Configuration: given, AllowDowngrade: *downgrade,
			}, asked, err
		})
	}
	return c
}

func (f *Factory) newConfigureCommand() *cobra.Command {
	c := f.newInstanceCommand("configure", "Change the values, the inputs or the titles of an app", f.example(
		"# Change a value; other values are kept", "configure wiki -n demo --set replicas=3 --wait",
		"# Replace all values", "configure wiki -n demo --reset-values -f values.yaml"))
	flags, configuration := f.newTaskFlags(c), &configurationFlags{}
	configuration.addFlags(c, true)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRollback)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(instance *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			flags.options.OnMissingInput = configuration.onMissing
			given, asked, err := configuration.configuration(instance.Spec.Values, f.Streams.In)
			return taskbuilder.Request{Action: v1alpha1.ActionConfigure, Configuration: given}, asked, err
		})
	}
	return c
}

func (f *Factory) newRollbackCommand() *cobra.Command {
	c := f.newInstanceCommand("rollback", "Roll an app back to an earlier revision", f.example(
		"# Roll back to the previous revision", "rollback wiki -n demo --wait",
		"# Roll back to a revision that the command status lists", "rollback wiki -n demo --to-revision 3"))
	flags := f.newTaskFlags(c)
	revision := c.Flags().Int32("to-revision", 0, "Revision to roll back to. Defaults to the previous revision.")
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRollback)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(*v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			return taskbuilder.Request{Action: v1alpha1.ActionRollback, Revision: *revision}, nil, nil
		})
	}
	return c
}

func (f *Factory) newAdoptCommand() *cobra.Command {
	var app string
	c := &cobra.Command{
		Use: "adopt RELEASE --app APP", Short: "Adopt a Helm release that exists",
		Example: f.example("# Manage the Helm release wiki as an instance", "adopt wiki --app samples/wiki -n demo --wait"),
		Args:    exactArgs(1, "the name of a Helm release"), ValidArgsFunction: noCompletion,
	}
	flags, configuration := f.newTaskFlags(c), &configurationFlags{}
	c.Flags().StringVar(&app, "app", "", "App of the release. Required.")
	completeFlag(c, "app", func(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
		return f.completeApps(c, nil, begin)
	})
	configuration.addVersion(c, "the version of the release")
	configuration.addFlags(c, false)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if app == "" {
			return fmt.Errorf("--app is required: name the app of the release %s", arguments[0])
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		ref, err := f.resolveApp(c.Context(), k, namespace, app)
		if err != nil {
			return err
		}
		ref = appOfInstance(c.Context(), k, namespace, arguments[0], ref)
		r := taskbuilder.Request{Action: v1alpha1.ActionAdopt, Namespace: namespace, App: ref, Instance: arguments[0], Version: configuration.version}
		return f.createConfigured(c.Context(), c, k, flags, configuration, r)
	}
	return c
}

func (f *Factory) newCloneCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "clone [NAMESPACE/]INSTANCE --name NAME", Short: "Create an instance with the configuration of another one",
		Long:    "Creates an instance with the version and the configuration of another instance. Data is not copied.",
		Example: f.example("# Clone an instance in the same namespace", "clone wiki --name wiki2 -n demo --title 'Second wiki' --entrance wiki='Second wiki'"),
		Args:    exactArgs(1, "the name of an instance"), ValidArgsFunction: f.completeInstances,
	}
	flags, configuration := f.newTaskFlags(c), &configurationFlags{}
	c.Flags().StringVar(&name, "name", "", "Name of the new instance. Required.")
	completeFlag(c, "name", noCompletion)
	configuration.addVersion(c, "the version of the cloned instance")
	configuration.addFlags(c, true)
	addDependencies(c, flags)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRemove)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if name == "" {
			return errors.New("--name is required: name the new instance")
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		from := cloneSourceFor(arguments[0], namespace)
		origin, err := getInstance(c.Context(), k, cmp.Or(from.Namespace, namespace), from.Name)
		if err != nil {
			return err
		}
		given, asked, err := configuration.configuration(origin.Spec.Values, f.Streams.In)
		if err != nil {
			return err
		}
		app := origin.Spec.AppRef
		if from.Namespace != "" {
			app.Namespace = cmp.Or(app.Namespace, origin.Namespace)
		}
		flags.options.OnMissingInput = configuration.onMissing
		return f.createTask(c.Context(), c, k, flags, taskbuilder.Request{
			Action: v1alpha1.ActionClone, Namespace: namespace, App: app, Instance: name,
			CloneFrom: from, Version: configuration.version, Configuration: given,
		}, asked)
	}
	return c
}
