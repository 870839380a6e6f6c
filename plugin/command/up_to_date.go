package command

import (
	"errors"
	"slices"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// errUpToDate means that an upgrade would change nothing, so that no task is created.
var errUpToDate = errors.New("the instance is up to date")

// upgradeFlags are the flags with which an upgrade or its plan does not ask for anything but the latest version.
var upgradeFlags = map[string]bool{
	"wait": true, "timeout": true, "output": true, "template": true, "show-managed-fields": true, "allow-missing-template-keys": true, exitCodeFlag: true,
}

// settledStates are the states in which the installed version has been applied.
var settledStates = []transitions.State{transitions.Running, transitions.Unhealthy, transitions.Stopped}

// isUpToDate reports whether the command asks for the latest version only, and the instance has it. It is false
// if that is not certain: the task decides then, and reports why it cannot upgrade the instance.
func isUpToDate(c *cobra.Command, k client.Client, instance *v1alpha1.AppInstance) bool {
	asksForMore := false
	c.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) { asksForMore = asksForMore || flag.Changed && !upgradeFlags[flag.Name] })
	status := &instance.Status
	if asksForMore || status.AvailableUpdate != "" || status.ObservedGeneration != instance.Generation ||
		!slices.Contains(settledStates, transitions.StateOf(instance)) {
		return false
	}
	app, err := getAppOf(c.Context(), k, instance)
	if err != nil {
		return false // A user who may upgrade an instance need not be able to read its app.
	}
	return !isNewer(app.Status.SelectedVersion, status.Version) && !isChartReplaced(app, instance)
}

// isNewer reports whether a version is newer than the installed one, or cannot be compared with it.
func isNewer(version, installed string) bool {
	selected, err := semver.NewVersion(version)
	present, other := semver.NewVersion(installed)
	return errors.Join(err, other) != nil || selected.GreaterThan(present)
}

// isChartReplaced reports whether the installed version is published with another chart than the installed one.
func isChartReplaced(app *v1alpha1.AppInfo, instance *v1alpha1.AppInstance) bool {
	for i := range app.Status.Versions {
		if version := &app.Status.Versions[i]; version.Version == instance.Status.Version {
			return version.Digest != instance.Status.ChartDigest
		}
	}
	return false
}
