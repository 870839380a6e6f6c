package command

import (
	"context"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

func (f *Factory) newUpgradeCommand() *cobra.Command {
	c := f.newInstanceCommand("upgrade", "Upgrade an app to a newer version", f.example(
		"# Upgrade to the latest stable version", "upgrade wiki -n demo --wait",
		"# Upgrade to a version, and change a value; other values are kept", "upgrade wiki -n demo --version 2.4.0 --set replicas=3"))
	flags, configuration := f.newTaskFlags(c), &configurationFlags{}
	configuration.addVersion(c, "the latest stable version")
	configuration.addFlags(c, true)
	f.completeConfiguration(c, f.getAppOfInstance)
	downgrade := c.Flags().Bool("allow-downgrade", false, "Allow a version that is older than the installed version. Requires --version.")
	addDependencies(c, flags)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRollback)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(k client.Client, instance *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			if isUpToDate(c, k, instance) {
				return taskbuilder.Request{}, nil, errUpToDate
			}
			return f.buildChange(c.Context(), k, flags, configuration, instance, taskbuilder.Request{
				Action: v1alpha1.ActionUpgrade, Version: configuration.version, AllowDowngrade: *downgrade,
			})
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
	f.completeConfiguration(c, f.getAppOfInstance)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRollback)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(k client.Client, instance *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			return f.buildChange(c.Context(), k, flags, configuration, instance, taskbuilder.Request{Action: v1alpha1.ActionConfigure})
		})
	}
	return c
}

// buildChange completes a request with the configuration of the flags, and prints what it changes. It also
// returns the names of the inputs that the user has to type.
func (f *Factory) buildChange(
	ctx context.Context, k client.Client, flags *taskFlags, g *configurationFlags, instance *v1alpha1.AppInstance, r taskbuilder.Request,
) (taskbuilder.Request, []string, error) {
	flags.options.OnMissingInput = g.onMissing
	var asked []string
	var err error
	if r.Configuration, asked, err = g.configuration(instance.Spec.Values, f.Streams.In); err != nil {
		return r, nil, err
	}
	app, err := getAppOf(ctx, k, instance)
	if err != nil {
		// The app may be removed from its source, and a user who may change an instance need not be able to read its app.
		app = nil
	}
	return r, asked, printChange(f.Streams.ErrOut, instance, app, r, asked)
}

func (f *Factory) newRollbackCommand() *cobra.Command {
	c := f.newInstanceCommand("rollback", "Roll an app back to an earlier revision", f.example(
		"# Roll back to the previous revision", "rollback wiki -n demo --wait",
		"# Roll back to a revision that the command status lists", "rollback wiki -n demo --to-revision 3"))
	flags := f.newTaskFlags(c)
	revision := c.Flags().Int32("to-revision", 0, "Revision to roll back to. Defaults to the previous revision.")
	completeFlag(c, "to-revision", f.completeRevisions)
	flags.addFailurePolicy(c, v1alpha1.FailureKeep, v1alpha1.FailureRollback)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(client.Client, *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			return taskbuilder.Request{Action: v1alpha1.ActionRollback, Revision: *revision}, nil, nil
		})
	}
	return c
}
