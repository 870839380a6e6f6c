package pages

import (
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/locale"
)

// The limits and the default of the time limit of an operation.
const (
	minTimeout, maxTimeout = time.Second, 24 * time.Hour
	defaultTimeout         = 10 * time.Minute
)

// afterPart is the part of a form about the apps that the app requires, and about what happens if the operation
// fails, takes long, or is undone by an uninstallation. Without entries, the task has the defaults of the API.
type afterPart struct {
	// RequiredApps are the apps that the selected version of the market requires, with their versions, and Dependencies
	// reports that they are installed too. RequiredApps is empty for an action that installs no other apps.
	RequiredApps []string
	Dependencies bool
	// Failures are the failure policies of the action, and DataPolicies the policies for volumes. DataPolicies is
	// empty for an action without a configuration.
	Failures, DataPolicies []option
	// Timeout is the entered time limit, and Problem its error.
	Timeout, Problem string
}

// newAfterPart returns the part with the entries of a request. summary describes the app, nil if it is unknown.
func newAfterPart(r *request, action v1alpha1.Action, summary *v1alpha1.AppSummary) *afterPart {
	a := &afterPart{Dependencies: r.PostFormValue("dependencies") != "", Timeout: strings.TrimSpace(r.PostFormValue("timeout"))}
	switch action {
	case v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionUpgrade:
		a.RequiredApps = requiredAppsOf(summary)
	}
	chosen := r.PostFormValue("on-failure")
	a.Failures = optionsOf(chosen, "", r.Text("after.keep"))
	switch action {
	case v1alpha1.ActionInstall, v1alpha1.ActionClone:
		a.Failures = append(a.Failures, optionsOf(chosen, string(v1alpha1.FailureRemove), r.Text("after.remove"))...)
	case v1alpha1.ActionUpgrade, v1alpha1.ActionConfigure, v1alpha1.ActionRollback:
		a.Failures = append(a.Failures, optionsOf(chosen, string(v1alpha1.FailureRollback), r.Text("after.rollback"))...)
	}
	if action == v1alpha1.ActionRollback {
		return a
	}
	a.DataPolicies = optionsOf(r.PostFormValue("data-policy"), "", dataPolicyDefault(r.lang, action),
		string(v1alpha1.DataRetain), r.Text("after.retainData"), string(v1alpha1.DataDelete), r.Text("after.deleteData"))
	return a
}

// requiredAppsOf returns the apps that an app requires, with their versions.
func requiredAppsOf(summary *v1alpha1.AppSummary) []string {
	if summary == nil {
		return nil
	}
	var apps []string
	for _, dependency := range summary.Dependencies {
		if dependency.Required {
			apps = append(apps, strings.TrimSpace(dependency.Name+" "+dependency.Version))
		}
	}
	return apps
}

// dataPolicyDefault describes the data policy of an instance without an entry.
func dataPolicyDefault(l *locale.Language, action v1alpha1.Action) string {
	if action == v1alpha1.ActionInstall || action == v1alpha1.ActionAdopt {
		return l.Text("after.dataDefault")
	}
	return l.Text("after.dataUnchanged")
}

// IsOpen reports whether the part has entries, or asks about required apps, without which the task waits.
func (a *afterPart) IsOpen() bool {
	return len(a.RequiredApps) > 0 || a.Timeout != "" || chosenOf(a.Failures) != "" || chosenOf(a.DataPolicies) != ""
}

// HasFailures reports whether the action has more than one failure policy.
func (a *afterPart) HasFailures() bool { return len(a.Failures) > 1 }

// chosenOf returns the value of the chosen option, empty if none is chosen.
func chosenOf(options []option) string {
	if i := slices.IndexFunc(options, func(o option) bool { return o.Chosen }); i >= 0 {
		return options[i].Value
	}
	return ""
}

// addTo adds the entries to the request for a task.
func (a *afterPart) addTo(request *taskbuilder.Request) {
	request.OnFailure = v1alpha1.FailurePolicy(chosenOf(a.Failures))
	request.Configuration.DataPolicy = v1alpha1.DataPolicy(chosenOf(a.DataPolicies))
	if len(a.RequiredApps) > 0 && a.Dependencies {
		request.Dependencies = v1alpha1.DependenciesInstall
	}
	if timeout, isValid := a.parseTimeout(); isValid {
		request.Timeout = timeout
	}
}

// parseTimeout returns the entered time limit, 0 if there is none.
func (a *afterPart) parseTimeout() (timeout time.Duration, isValid bool) {
	if a.Timeout == "" {
		return 0, true
	}
	timeout, err := time.ParseDuration(a.Timeout)
	return timeout, err == nil && timeout >= minTimeout && timeout <= maxTimeout
}

// check returns the problems of the entries.
func (a *afterPart) check(l *locale.Language) []fieldError {
	if _, isValid := a.parseTimeout(); isValid {
		return nil
	}
	a.Problem = l.Text("after.timeoutProblem")
	return []fieldError{{"timeout", l.Text("after.timeout"), a.Problem}}
}

// addAfterEntries adds the entries of the part for a task. The API server has added defaults to the task, which are
// no entries.
func addAfterEntries(set func(field, value string), spec *v1alpha1.AppInstallTaskSpec) {
	if spec.Dependencies == v1alpha1.DependenciesInstall {
		set("dependencies", "yes")
	}
	if spec.OnFailure != v1alpha1.FailureKeep {
		set("on-failure", string(spec.OnFailure))
	}
	set("data-policy", string(spec.Parameters().DataPolicy))
	if spec.Timeout.Or(defaultTimeout) != defaultTimeout {
		set("timeout", string(spec.Timeout))
	}
}
