package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// plainAction is an action without parameters, with the description of its command and the result of a
// task.
type plainAction struct {
	action               v1alpha1.Action
	command, short, done string
}

// plainActions are the actions that need only the name of an instance.
var plainActions = []plainAction{
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
		return f.runOnInstance(c, flags, arguments[0], func(client.Client, *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
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
	c *cobra.Command, flags *taskFlags, name string, build func(client.Client, *v1alpha1.AppInstance) (taskbuilder.Request, []string, error),
) error {
	k, namespace, err := f.connect()
	if err != nil {
		return err
	}
	instance, err := getInstance(c.Context(), k, namespace, name)
	if err != nil {
		return err
	}
	r, asked, err := build(k, instance)
	if errors.Is(err, errUpToDate) {
		out := f.Streams.Out
		if flags.write.hasFormat() {
			out = f.Streams.ErrOut // There is no object to print.
		}
		fmt.Fprintf(out, "%s/%s is up to date (%s)\n", namespace, name, printable(instance.Status.Version))
		return nil
	}
	if err != nil {
		return err
	}
	r.Namespace, r.Instance, r.App = namespace, name, instance.Spec.AppRef
	return f.createTask(c.Context(), c, k, flags, r, asked)
}
