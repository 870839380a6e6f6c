package pages

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/permissions"
	"github.com/appmarket/operator/ui/live"
)

// Templates never join the parts of an address: these functions escape them.

func pathOf(parts ...string) string {
	var path strings.Builder
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

func appURL(namespace, source, app string) string { return pathOf("apps", namespace, source, app) }

func appTabURL(namespace, source, app, tab string) string {
	return pathOf("apps", namespace, source, app, tab)
}

func versionURL(namespace, source, app, version string) string {
	return appURL(namespace, source, app) + queryOf(url.Values{"version": {version}})
}

// compareURL returns the URL of the comparison of two versions.
func compareURL(app *v1alpha1.AppInfo, from, to string) string {
	return appTabURL(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "versions") + queryOf(url.Values{"from": {from}, "to": {to}})
}

func reportURL(namespace, source, app, version, report string) string {
	return pathOf("apps", namespace, source, app, "files", report) + queryOf(url.Values{"version": {version}})
}

func imageListURL(namespace, source, app, version string) string {
	return pathOf("apps", namespace, source, app, "images.txt") + queryOf(url.Values{"version": {version}})
}

func permissionsURL(namespace, source, app, version string) string {
	return pathOf("apps", namespace, source, app, permissions.FileName) + queryOf(url.Values{"version": {version}})
}

func instanceURL(namespace, name string) string { return pathOf("instances", namespace, name) }

func instanceTabURL(namespace, name, tab string) string {
	return pathOf("instances", namespace, name, tab)
}

func taskURL(namespace, name string) string { return pathOf("tasks", namespace, name) }

func actionURL(namespace, name, action string) string {
	return pathOf("instances", namespace, name, "actions", action)
}

// instanceChangeURL returns the URL of the form of a change of an instance that is not an operation.
func instanceChangeURL(namespace, name, change string) string {
	return pathOf("instances", namespace, name, "changes", change)
}

func recordURL(namespace, name string) string { return pathOf("instances", namespace, name, "delete") }

func installURL(app *v1alpha1.AppInfo) string {
	return pathOf("apps", app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "install")
}

func adoptURL(app *v1alpha1.AppInfo) string {
	return pathOf("apps", app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "adopt")
}

// checkURL returns the URL to which a form is sent to be checked.
func checkURL(form string) string { return form + "/check" }

// fieldsURL returns the URL to which a form is sent while its fields are changed.
func fieldsURL(form string) string { return form + "/fields" }

// inputsURL returns the URL to which a form is sent to show the inputs of another version.
func inputsURL(form string) string { return form + "/inputs" }

// defaultsURL returns the URL of the default values for a form, and copyURL the URL that copies one of them.
func defaultsURL(form string) string { return form + "/defaults" }

func copyURL(form string) string { return form + "/copy" }

// filledURL returns the URL of a form that begins with the entries of a task.
func filledURL(form string, task *v1alpha1.AppInstallTask) string {
	return form + queryOf(url.Values{"from": {task.Name}, "namespace": {task.Namespace}})
}

// checkPartURL returns the URL of the result of a dry run.
func checkPartURL(namespace, name string) string { return "/parts" + pathOf("checks", namespace, name) }

// previewURL returns the URL of the preview of a form.
func previewURL(form string) string { return form + "/preview" }

// manifestURL returns the URL of the file with the manifest of a form.
func manifestURL(form string) string { return form + "/manifest" }

func taskActionURL(namespace, name, action string) string {
	return pathOf("tasks", namespace, name, action)
}

// retryURL returns the URL of the form with the entries of a task, empty if the action has no form with
// entries.
func retryURL(task *v1alpha1.AppInstallTask) string {
	action, namespace, name := strings.ToLower(string(task.Spec.Action)), task.Namespace, task.Instance()
	switch task.Spec.Action {
	case v1alpha1.ActionInstall, v1alpha1.ActionAdopt: // The form for a new instance contains all fields.
		ref := task.Spec.AppRef
		return filledURL(pathOf("apps", cmp.Or(ref.Namespace, namespace), ref.Source, ref.Name, action), task)
	case v1alpha1.ActionClone:
		from := task.Spec.CloneFrom()
		namespace, name = cmp.Or(from.Namespace, namespace), from.Name
	}
	if instanceActions[action].prepare == nil {
		return ""
	}
	return filledURL(actionURL(namespace, name, action), task)
}

func sourceURL(namespace, name string) string { return pathOf("sources", namespace, name) }

func sourceEditURL(namespace, name string) string { return pathOf("sources", namespace, name, "edit") }

func sourceActionURL(namespace, name, action string) string {
	return pathOf("sources", namespace, name, "actions", action)
}

// appChangeURL returns the URL of the form of a change of an app.
func appChangeURL(app *v1alpha1.AppInfo, change string) string {
	return pathOf("apps", app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "changes", change)
}

// listingURL returns the URL of the form that changes the listing of an app.
func listingURL(app *v1alpha1.AppInfo, action string) string {
	return pathOf("apps", app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "listing", action)
}

// sourceUploadURL returns the URL of the page that uploads charts to a source. The account is empty for a user with
// a token.
func sourceUploadURL(namespace, name, account string) string {
	return pathOf("sources", namespace, name, "upload") + queryOf(url.Values{"account": {account}})
}

// refURL returns the address of the app of a reference in an object of a namespace.
func refURL(ref v1alpha1.AppReference, namespace string) string {
	if ref.Namespace != "" {
		namespace = ref.Namespace
	}
	return appURL(namespace, ref.Source, ref.Name)
}

// liveURL returns the address of the stream of a page whose data was read at a time. The time is zero if the
// page reads its data after the connection.
func liveURL(topics []live.Topic, since time.Time) string {
	if len(topics) == 0 {
		return ""
	}
	query := url.Values{}
	for _, topic := range topics {
		query.Add("t", topic.String())
	}
	if !since.IsZero() {
		query.Set("since", strconv.FormatInt(since.UnixMilli(), 10))
	}
	return "/live?" + query.Encode()
}
