package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/locale"
)

// cloneView is the part of a form that specifies where a clone is created.
type cloneView struct {
	Namespace, Name, Account string
	Namespaces               []string
	// OnlyOtherNamespace reports that two instances conflict in one namespace.
	OnlyOtherNamespace bool

	// nameProblem says why the clone cannot have its name, empty if it can or if that is unknown.
	nameProblem string
}

// findApp returns the app of an instance, nil if the user cannot read it.
func findApp(r *request, instance *v1alpha1.AppInstance) (*v1alpha1.AppInfo, error) {
	ref := instance.Spec.AppRef
	app := &v1alpha1.AppInfo{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: cmp.Or(ref.Namespace, instance.Namespace), Name: ref.AppInfoName()}, app)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	return app, err
}

// prepareConfigure offers the configuration of the instance.
func prepareConfigure(r *request, v *actionView) (string, error) {
	app, err := findApp(r, v.Instance)
	if err != nil {
		return "", err
	}
	v.addAccount(r)
	return "", v.addConfiguration(r, app, v.Instance.Status.Version)
}

// addConfiguration adds the fields of the configuration for a version to the form, and what is entered there
// to the request.
func (v *actionView) addConfiguration(r *request, app *v1alpha1.AppInfo, version string) (err error) {
	if v.Configuration, err = newConfigurationForm(r, v.Instance, app, version); err != nil {
		return err
	}
	if v.Configuration.IsClone = v.Action == v1alpha1.ActionClone; v.Configuration.IsClone && !hasEntries(r) {
		v.Configuration.DisplayTitle = v.Title + " 2" // Titles must be unique.
	}
	if r.Method == http.MethodPost {
		v.Errors = append(v.Errors, v.Configuration.checkFields()...)
	}
	v.app = app
	if app != nil {
		v.Configuration.URL = v.URL()
	}
	v.request.Configuration, v.confidential = v.Configuration.changedConfiguration(taskbuilder.InputsSecretName(v.request.Instance))
	v.addAfter(r)
	return nil
}

// addAfter adds the part about failures, data and the time limit to the form, and what is entered there to the
// request.
func (v *actionView) addAfter(r *request) {
	var summary *v1alpha1.AppSummary
	if v.app != nil {
		summary = v.app.Status.Summary
	}
	v.After = newAfterPart(r, v.Action, summary)
	if r.Method == http.MethodPost {
		v.Errors = append(v.Errors, v.After.check(r.lang)...)
	}
	v.After.addTo(&v.request)
}

// prepareClone offers the place, the titles and the configuration of a clone.
func prepareClone(r *request, v *actionView) (string, error) {
	app, err := findApp(r, v.Instance)
	if err != nil {
		return "", err
	}
	clone := &cloneView{
		Namespace: strings.TrimSpace(enteredOr(r, "to", v.Instance.Namespace)), Name: strings.TrimSpace(r.PostFormValue("name")),
		Account: strings.TrimSpace(r.PostFormValue("account")),
	}
	if err := clone.addName(r, v); err != nil {
		return "", err
	}
	v.Clone = clone
	v.NotAllowed = cmp.Or(cloneProblem(r.lang, v.Instance, app), v.NotAllowed)
	if app != nil && app.Status.Summary != nil && app.Status.Summary.Clone != nil {
		clone.OnlyOtherNamespace = app.Status.Summary.Clone.Verdict == v1alpha1.CloneNamespacedOnly
	}
	scope, err := r.ListNamespaces(r.Context())
	if err != nil {
		return "", err
	}
	if !scope.Cut {
		clone.Namespaces = scope.Namespaces
	}
	if clone.OnlyOtherNamespace {
		clone.Namespaces = slices.DeleteFunc(slices.Clone(clone.Namespaces), func(each string) bool { return each == v.Instance.Namespace })
		if !hasEntries(r) {
			clone.Namespace = ""
		}
	}
	v.request.Namespace, v.request.Instance, v.request.ServiceAccountName = clone.Namespace, clone.Name, clone.Account
	v.request.CloneFrom.Name = v.Instance.Name
	if clone.Namespace != v.Instance.Namespace {
		v.request.CloneFrom.Namespace = v.Instance.Namespace
		v.request.App.Namespace = cmp.Or(v.request.App.Namespace, v.Instance.Namespace)
	}
	v.Accounts = listAccounts(r, clone.Namespace)
	v.addVersionOfClone(r, app)
	if r.Method == http.MethodPost {
		v.Errors = clone.checkPlace(r.lang, v.Instance)
	}
	return "", v.addConfiguration(r, app, cmp.Or(v.request.Version, v.Instance.Status.Version))
}

// addName suggests a name that no instance in the namespace has, and adds what is wrong with an entered name.
func (c *cloneView) addName(r *request, v *actionView) error {
	if hasEntries(r) {
		app := v.Instance.Spec.AppRef
		app.Namespace = cmp.Or(app.Namespace, v.Instance.Namespace)
		problem, err := nameProblem(r, v1alpha1.ActionClone, app, c.Namespace, c.Name, v.Key)
		c.nameProblem = problem
		return err
	}
	all, err := listInstances(r, c.Namespace)
	c.Name = unusedInstanceName(v.Instance.Name, all, 2)
	return err
}

// addVersionOfClone offers the version of the cloned instance, and the published versions.
func (v *actionView) addVersionOfClone(r *request, app *v1alpha1.AppInfo) {
	if app == nil {
		return
	}
	chosen := r.PostFormValue("choice")
	v.ChoiceLabel = r.Text("form.version")
	v.Choices = []option{{"", r.Text("clone.versionOfOrigin"), chosen == ""}}
	for _, published := range publishedVersions(r.lang, app, chosen) {
		v.Choices = append(v.Choices, published)
		if published.Chosen {
			v.request.Version = chosen
		}
	}
}

// cloneProblem returns why an instance cannot be cloned, empty if it can. The task decides again.
func cloneProblem(l *locale.Language, instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo) string {
	switch {
	case !transitions.Cloneable(transitions.StateOf(instance)):
		return l.Text("clone.state", "State", instanceBadge(l, instance).Text)
	case instance.Spec.PinnedRevision != 0:
		return l.Text("clone.pinned", "Revision", instance.Spec.PinnedRevision)
	case app == nil || app.Status.Summary == nil || app.Status.Summary.Clone == nil:
		return ""
	case app.Status.Summary.Clone.Verdict == v1alpha1.CloneUnsafe:
		return l.Text("clone.unsafe")
	}
	return ""
}

// checkPlace returns the problems with the place of a clone.
func (c *cloneView) checkPlace(l *locale.Language, origin *v1alpha1.AppInstance) []fieldError {
	problems := placeProblems(l, c.Namespace, c.Name, c.Account)
	switch {
	case len(problems) > 0:
	case c.OnlyOtherNamespace && c.Namespace == origin.Namespace:
		problems = append(problems, fieldError{"to", l.Text("form.namespace"), l.Text("fieldProblem.otherNamespace")})
	case c.Namespace == origin.Namespace && c.Name == origin.Name:
		problems = append(problems, fieldError{"name", l.Text("form.name"), l.Text("fieldProblem.sameName")})
	case c.nameProblem != "":
		problems = append(problems, fieldError{"name", l.Text("form.name"), c.nameProblem})
	}
	return problems
}

// placeProblems returns the problems with the namespace, the name and the service account of a new
// instance.
func placeProblems(l *locale.Language, namespace, name, account string) []fieldError {
	var problems []fieldError
	add := func(id, label, text string) { problems = append(problems, fieldError{id, l.Text(label), text}) }
	switch {
	case namespace == "":
		add("to", "form.namespace", l.Text("fieldProblem.selectNamespace"))
	case !namespaceForm.MatchString(namespace):
		add("to", "form.namespace", l.Text("fieldProblem.namespace"))
	}
	if len(name) > maxInstanceName || !instanceNamePattern.MatchString(name) {
		add("name", "form.name", l.Text("fieldProblem.name", "Value", maxInstanceName))
	}
	if account != "" && !accountNamePattern.MatchString(account) {
		add("account", "form.account", l.Text("fieldProblem.account"))
	}
	return problems
}

// publishedVersions returns the published versions of an app as options, pre-releases last.
func publishedVersions(l *locale.Language, app *v1alpha1.AppInfo, chosen string) []option {
	var versions, prereleases []option
	for i := range app.Status.Versions {
		version := &app.Status.Versions[i]
		text := version.Version
		if version.Deprecated {
			text += " " + l.Text("app.deprecatedMark")
		}
		if isPrerelease(version.Version) {
			prereleases = append(prereleases, option{version.Version, text + " " + l.Text("app.prereleaseMark"), version.Version == chosen})
			continue
		}
		versions = append(versions, option{version.Version, text, version.Version == chosen})
	}
	return append(versions, prereleases...)
}

// isPrerelease reports whether a version is a pre-release. A version that is not a semantic version is none.
func isPrerelease(version string) bool {
	parsed, err := semver.NewVersion(version)
	return err == nil && parsed.Prerelease() != ""
}
