package command

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/text"
)

// maxKinds is the number of kinds that the summary of an uninstallation names.
const maxKinds = 8

// cloneSourceFor parses the name of the instance to clone. A reference to the user's namespace has no
// namespace.
func cloneSourceFor(name, namespace string) v1alpha1.CloneSource {
	if other, instance, found := strings.Cut(name, "/"); found {
		if other == namespace {
			other = ""
		}
		return v1alpha1.CloneSource{Namespace: other, Name: instance}
	}
	return v1alpha1.CloneSource{Name: name}
}

func (f *Factory) newUninstallCommand() *cobra.Command {
	var data v1alpha1.DataPolicy
	c := f.newInstanceCommand("uninstall", "Uninstall an app", f.example(
		"# Uninstall an app; its volumes are retained", "uninstall wiki -n demo --wait",
		"# Also delete its volumes, without a question", "uninstall wiki -n demo --data delete --yes"))
	c.Long = "Uninstalls an app. The command lists what is deleted and what is retained, and asks for confirmation. The AppInstance is kept as a record."
	flags := f.newTaskFlags(c)
	addDataPolicy(c, &data)
	dependents := c.Flags().Bool("with-dependents", false, "Uninstall the instances that depend on the instance first.")
	shared := c.Flags().Bool("with-shared-charts", false, "Uninstall the shared charts of the app if no other instance uses them.")
	yes := c.Flags().BoolP("yes", "y", false, "Do not ask for confirmation.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		return f.runOnInstance(c, flags, arguments[0], func(_ client.Client, instance *v1alpha1.AppInstance) (taskbuilder.Request, []string, error) {
			r := taskbuilder.Request{Action: v1alpha1.ActionUninstall, Uninstall: v1alpha1.UninstallParameters{DataPolicy: data}}
			if *dependents {
				r.Uninstall.Dependents = v1alpha1.DependentsUninstall
			}
			if *shared {
				r.Uninstall.SharedCharts = v1alpha1.SharedChartsRemoveIfUnused
			}
			if isPlan(c) {
				return r, nil, nil
			}
			if err := flags.write.readDryRun(c); err != nil {
				return r, nil, err
			}
			printUninstallation(f.Streams.ErrOut, instance, cmp.Or(data, instance.Spec.DataPolicy))
			printLine(f.Streams.ErrOut, "Before", sentenceIf(*dependents, "instances that depend on "+instance.Name+" are uninstalled"))
			if flags.write.dryRun != cmdutil.DryRunNone {
				return r, nil, nil
			}
			return r, nil, f.confirm(*yes, fmt.Sprintf("Uninstall %s/%s?", instance.Namespace, instance.Name))
		})
	}
	return c
}

// printUninstallation prints what an uninstallation deletes and what it retains.
func printUninstallation(out io.Writer, instance *v1alpha1.AppInstance, data v1alpha1.DataPolicy) {
	deleted, total := map[string]int{}, 0
	if inventory := instance.Status.Inventory; inventory != nil {
		total = int(inventory.Total)
		for _, object := range inventory.Objects {
			if object.Kind == "PersistentVolumeClaim" {
				total-- // It is among the claims.
				continue
			}
			deleted[object.Kind]++
		}
	}
	var claims []string
	for _, claim := range instance.Status.Claims {
		claims = append(claims, strings.TrimSpace("PersistentVolumeClaim "+claim.Name+" "+parenthesized(claim.Storage)))
	}
	var kinds, releases []string
	for _, kind := range slices.Sorted(maps.Keys(deleted)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, deleted[kind]))
	}
	for _, release := range instance.Status.Releases {
		releases = append(releases, release.Name)
	}
	var stays []string
	for _, secret := range preview.RetainedSecrets(instance) {
		stays = append(stays, "Secret "+secret)
	}
	if data != v1alpha1.DataDelete {
		stays = append(claims, stays...)
	}
	what := text.Count(total, "object", "objects")
	if len(kinds) > 0 {
		what += " (" + text.List(kinds, ", ", maxKinds) + ")"
	}
	if len(releases) > 0 {
		what += ", " + pluralOf(len(releases), "Helm release", "Helm releases") + " " + strings.Join(releases, ", ")
	}
	if len(claims) > 0 && data == v1alpha1.DataDelete {
		what += ", " + text.List(claims, ", ", maxKinds)
	}
	printLine(out, "Deleted", what)
	printLine(out, "Retained", cmp.Or(strings.Join(stays, ", "), "nothing"))
}

func pluralOf(count int, singular, plural string) string {
	if count == 1 {
		return singular
	}
	return plural
}
