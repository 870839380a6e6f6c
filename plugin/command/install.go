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
	"github.com/appmarket/operator/internal/transitions"
)

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
	f.completeConfiguration(c, f.getApp)
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
		app, earlier, err := appOfInstance(c.Context(), k, namespace, name, app)
		if err != nil {
			return err
		}
		r := taskbuilder.Request{Action: v1alpha1.ActionInstall, Namespace: namespace, App: app, Instance: name, Version: configuration.version}
		return f.createConfigured(c.Context(), c, k, flags, configuration, r, earlier)
	}
	return c
}

// createConfigured creates the task of a request for a new instance with a configuration. earlier is the record of
// an earlier installation of the instance, or nil.
func (f *Factory) createConfigured(
	ctx context.Context, c *cobra.Command, k client.WithWatch, flags *taskFlags, g *configurationFlags, r taskbuilder.Request,
	earlier *v1alpha1.AppInstance,
) error {
	var asked []string
	var err error
	if r.Configuration, asked, err = g.configuration(nil, f.Streams.In); err != nil {
		return err
	}
	flags.options.OnMissingInput = g.onMissing
	if transitions.StateOf(earlier) == transitions.Uninstalled && flags.options.ServiceAccountName == "" && earlier.Spec.ServiceAccountName != "" {
		flags.options.ServiceAccountName = earlier.Spec.ServiceAccountName
		printLine(f.Streams.ErrOut, "Account", fmt.Sprintf("%s of the uninstalled instance %q", earlier.Spec.ServiceAccountName, earlier.Name))
	}
	if err := printReinstallation(f.Streams.ErrOut, earlier, r, asked); err != nil {
		return err
	}
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
	f.completeConfiguration(c, func(ctx context.Context, k client.Client, namespace, _ string) (*v1alpha1.AppInfo, error) {
		return f.getApp(ctx, k, namespace, app)
	})
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
		ref, _, err = appOfInstance(c.Context(), k, namespace, arguments[0], ref)
		if err != nil {
			return err
		}
		r := taskbuilder.Request{Action: v1alpha1.ActionAdopt, Namespace: namespace, App: ref, Instance: arguments[0], Version: configuration.version}
		return f.createConfigured(c.Context(), c, k, flags, configuration, r, nil)
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
	f.completeConfiguration(c, f.getAppOfInstance)
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
