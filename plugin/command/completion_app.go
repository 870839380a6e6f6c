package command

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// appCompletion returns a completion that reads the app of the first argument. find returns the app of a
// name: an app, or an instance.
func (f *Factory) appCompletion(
	find func(context.Context, client.Client, string, string) (*v1alpha1.AppInfo, error), propose func(app *v1alpha1.AppInfo, begin string) []string,
) completionFunc {
	return f.completeByFirst(func(ctx context.Context, k client.Client, namespace, name, begin string) ([]string, error) {
		app, err := find(ctx, k, namespace, name)
		if err != nil {
			return nil, err
		}
		return propose(app, begin), nil
	})
}

// getAppOfInstance reads the app of an instance.
func (f *Factory) getAppOfInstance(ctx context.Context, k client.Client, namespace, name string) (*v1alpha1.AppInfo, error) {
	from := cloneSourceFor(name, namespace)
	namespace = cmp.Or(from.Namespace, namespace)
	instance, err := getInstance(ctx, k, namespace, from.Name)
	if err != nil {
		return nil, err
	}
	return getAppOf(ctx, k, instance)
}

// completeConfiguration sets the completion of the flags for the version and the inputs of an app.
func (f *Factory) completeConfiguration(c *cobra.Command, find func(context.Context, client.Client, string, string) (*v1alpha1.AppInfo, error)) {
	if c.Flag("version") != nil {
		completeFlag(c, "version", f.appCompletion(find, proposeVersions))
	}
	completeFlag(c, "input", f.appCompletion(find, proposeInputs))
	completeFlag(c, "secret-input", f.appCompletion(find, proposeSecretInputs))
}

func proposeVersions(app *v1alpha1.AppInfo, _ string) []string {
	var versions []string
	for _, version := range app.Status.Versions {
		versions = append(versions, version.Version)
	}
	return versions
}

// proposeInputs returns the inputs of an app as NAME=, or the options of the input that was typed.
func proposeInputs(app *v1alpha1.AppInfo, begin string) []string {
	var proposed []string
	name, _, hasName := strings.Cut(begin, "=")
	for _, input := range inputsOf(app) {
		switch {
		case input.Secret:
		case !hasName:
			proposed = append(proposed, input.Name+"=")
		case input.Name == name:
			for _, option := range optionValues(input) {
				proposed = append(proposed, name+"="+option)
			}
		}
	}
	return proposed
}

func proposeSecretInputs(app *v1alpha1.AppInfo, _ string) []string {
	var names []string
	for _, input := range inputsOf(app) {
		if input.Secret {
			names = append(names, input.Name)
		}
	}
	return names
}

func inputsOf(app *v1alpha1.AppInfo) []v1alpha1.Input {
	if app.Status.Summary == nil {
		return nil
	}
	return app.Status.Summary.Inputs
}

// completeRevisions completes the revisions of an instance.
func (f *Factory) completeRevisions(c *cobra.Command, arguments []string, begin string) ([]string, cobra.ShellCompDirective) {
	return f.completeByFirst(func(ctx context.Context, k client.Client, namespace, name, _ string) ([]string, error) {
		instance, err := getInstance(ctx, k, namespace, name)
		if err != nil {
			return nil, err
		}
		var revisions []string
		for _, entry := range instance.Status.History {
			if entry.Revision != 0 && entry.Revision != instance.Status.Revision {
				revisions = append(revisions, fmt.Sprintf("%d\t%s %s", entry.Revision, entry.Operation.Type, entry.Operation.Version))
			}
		}
		return revisions, nil
	})(c, arguments, begin)
}
