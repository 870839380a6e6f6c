package pages

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

// maxFeatured is the largest position of an app in lists.
const maxFeatured = 1000

// appChanges are the changes of an app by users who can patch it, in the order of their buttons.
var appChanges = []struct {
	name string
	// isPossible reports whether the state of the app allows the change.
	isPossible func(*v1alpha1.AppInfo) bool
	prepare    func(*request, *changeForm, *v1alpha1.AppInfo) error
}{
	{"hydrate", func(app *v1alpha1.AppInfo) bool { return !isSuspended(app) }, func(_ *request, v *changeForm, app *v1alpha1.AppInfo) error {
		before := app.DeepCopy()
		requestReconcile(app)
		return v.setMergePatch("appinfo", before)
	}},
	{"suspend", func(app *v1alpha1.AppInfo) bool { return !isSuspended(app) }, prepareSuspension(true)},
	{"resume", isSuspended, prepareSuspension(false)},
	{"feature", func(*v1alpha1.AppInfo) bool { return true }, prepareFeature},
	{"parameters", func(*v1alpha1.AppInfo) bool { return true }, prepareParameters},
}

func isSuspended(app *v1alpha1.AppInfo) bool { return app.Spec.Suspend != nil && *app.Spec.Suspend }

func prepareSuspension(suspend bool) func(*request, *changeForm, *v1alpha1.AppInfo) error {
	return func(_ *request, v *changeForm, app *v1alpha1.AppInfo) error {
		before := app.DeepCopy()
		app.Spec.Suspend = &suspend
		return v.setMergePatch("appinfo", before)
	}
}

// prepareFeature adds the fields for the position of the app in lists.
func prepareFeature(r *request, v *changeForm, app *v1alpha1.AppInfo) error {
	before := app.DeepCopy()
	v.addGeneration(r)
	present := int32(0)
	if app.Spec.Featured != nil {
		present = *app.Spec.Featured
	}
	v.Feature = &featureFields{Featured: strconv.Itoa(int(present)), Hidden: app.Spec.Hidden != nil && *app.Spec.Hidden}
	if r.Method != http.MethodPost {
		return v.setMergePatch("appinfo", before)
	}
	v.Feature.Featured, v.Feature.Hidden = strings.TrimSpace(r.PostFormValue("featured")), r.PostFormValue("hidden") != ""
	number, err := strconv.ParseInt(cmp.Or(v.Feature.Featured, "0"), 10, 32)
	if err != nil || number < 0 || number > maxFeatured {
		v.Problem = r.Text("changeForm.featuredProblem", "Maximum", maxFeatured)
		return v.setMergePatch("appinfo", before)
	}
	if featured := int32(number); featured != present {
		app.Spec.Featured = &featured
	}
	if hidden := v.Feature.Hidden; hidden != (app.Spec.Hidden != nil && *app.Spec.Hidden) {
		app.Spec.Hidden = &hidden
	}
	return v.setMergePatch("appinfo", before)
}

// prepareParameters adds the field for the values that are merged into the published charts.
func prepareParameters(r *request, v *changeForm, app *v1alpha1.AppInfo) error {
	v.addGeneration(r)
	present := ""
	if app.Spec.CustomParams != nil {
		text, err := yaml.JSONToYAML(app.Spec.CustomParams.Raw)
		if err != nil {
			return err
		}
		present = string(text)
	}
	entered := present
	if r.Method == http.MethodPost {
		entered = strings.ReplaceAll(r.PostFormValue("parameters"), "\r\n", "\n")
	}
	v.Parameters = &entered
	raw, problem := encodeValues(r.lang, entered)
	v.Problem = cmp.Or(problem, v.Problem)
	if problem != "" || entered == present || len(raw) == 0 && present == "" {
		v.Change = &objectChange{}
		return nil
	}
	return v.setParameters(raw)
}

func newAppChange(r *request) (*changeForm, error) {
	app, err := getApp(r)
	if err != nil {
		return nil, err
	}
	for _, change := range appChanges {
		if change.name != r.PathValue("change") {
			continue
		}
		v := &changeForm{
			lang: r.lang, section: "apps", object: app, Title: titleOfApp(app), URL: appURL(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App),
			formURL: appChangeURL(app, change.name), Verb: r.Text("changeForm." + change.name), Text: r.Text("changeForm." + change.name + "Text"),
		}
		if err := v.setRight(r, kube.Apps); err != nil {
			return nil, err
		}
		if !change.isPossible(app) {
			v.NotAllowed = cmp.Or(v.NotAllowed, r.Text("changeForm.notInThisState"))
			v.Problem = v.NotAllowed
		}
		return v, change.prepare(r, v, app)
	}
	return nil, notFound(r, "problem.noPage", "/apps", "problem.showApps")
}

// titleOfApp returns the title of an app.
func titleOfApp(app *v1alpha1.AppInfo) string {
	if app.Status.Summary != nil {
		return cmp.Or(app.Status.Summary.Title, app.Spec.App)
	}
	return app.Spec.App
}

func showAppChange(r *request) (*view, error) {
	v, err := newAppChange(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		v.Problem = ""
	}
	return v.view(), nil
}

func submitAppChange(r *request) (next string, again *view, err error) {
	v, err := newAppChange(r)
	if err != nil {
		return "", nil, err
	}
	return v.submit(r, kube.Apps)
}

// addChanges adds the buttons of the changes for a user who can patch the app.
func (v *appView) addChanges(r *request) error {
	allowed, err := r.Allows(r.Context(), "patch", kube.Apps, v.App.Namespace, v.App.Name)
	if err != nil || !allowed {
		return err
	}
	for _, change := range appChanges {
		if change.isPossible(v.App) {
			v.Changes = append(v.Changes, actionButton{Text: r.Text("changeForm." + change.name), URL: appChangeURL(v.App, change.name)})
		}
	}
	return nil
}
