package pages

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// maxInstanceName is the length of the name of an instance.
const maxInstanceName = 40

var (
	instanceNamePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	accountNamePattern  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
)

// installView is the form that installs an app, or adopts a Helm release of the app.
type installView struct {
	App   *v1alpha1.AppInfo
	Title string
	// Adopt reports that the form adopts a Helm release, and Action is the action.
	Adopt   bool
	Action  v1alpha1.Action
	Summary *v1alpha1.AppSummary
	Key     string
	// NotAllowed is the reason why the app cannot be installed, empty if it can.
	NotAllowed string
	// notShared says that the app is not shared with the namespace, empty if it is or if that is unknown.
	notShared string
	// nameProblem says why the instance cannot have its name, empty if it can or if that is unknown.
	nameProblem string
	// OnlyInstance is the instance of an app that allows no other one, nil if the user knows none.
	OnlyInstance *v1alpha1.AppInstance

	Namespace, Name, DisplayTitle, Account, Values string
	Namespaces                                     []string
	// Accounts are service accounts in the namespace, which the form proposes.
	Accounts []string
	Versions []option
	Inputs   *inputForm
	After    *afterPart
	Errors   []fieldError

	// Check is the result of the check of the entries, nil if there is none.
	Check *checkView

	formOutput
	lang    *locale.Language
	version string
}

// installForm is a form that creates an instance of an app: by an installation, or by the adoption of a
// Helm release.
type installForm struct{ action v1alpha1.Action }

// showForm shows the form.
func (f installForm) showForm(r *request) (*view, error) {
	from, err := fillForm(r, func(task *v1alpha1.AppInstallTask) bool { return task.Spec.Action == f.action })
	if err != nil {
		return nil, err
	}
	v, err := f.newView(r)
	if err != nil {
		return nil, err
	}
	v.Check = checkOf(r.lang, from)
	v.Accounts = listAccounts(r, v.Namespace)
	return v.view(), v.addManifest()
}

// showPreview returns the manifest of a form, without a change of the cluster.
func (f installForm) showPreview(r *request) (*view, error) {
	v, err := f.newView(r)
	if err != nil {
		return nil, err
	}
	v.Accounts = listAccounts(r, v.Namespace)
	return v.view(), v.addManifest()
}

// submitForm creates the Secret with the confidential inputs, if there are any, and the task.
func (f installForm) submitForm(r *request) (next string, again *view, err error) {
	v, err := f.newView(r)
	if err != nil {
		return "", nil, err
	}
	if !v.acceptFields(r.PostFormValue("anyway") != "") {
		v.Accounts = listAccounts(r, v.Namespace)
		return "", v.view(), v.addManifest()
	}
	task, confidential, err := v.newTask()
	if err != nil {
		return "", nil, err
	}
	undo, err := writeInputSecret(r, v.Namespace, v.Name, confidential)
	if err != nil {
		return "", nil, err
	}
	if next, err = createTask(r, task); err != nil {
		undo()
	}
	return next, nil, err
}

// checkForm returns the dry run that checks the form. The task decides about missing inputs, which the
// market may supply.
func (f installForm) checkForm(r *request) (*checkRequest, error) {
	v, err := f.newView(r)
	if err != nil {
		return nil, err
	}
	if !v.acceptFields(!isAutomaticCheck(r)) {
		return &checkRequest{again: v.view(), errors: v.Errors}, v.addManifest()
	}
	task, confidential, err := v.newTask()
	if err != nil {
		return nil, err
	}
	return newCheckRequest(task, confidential), nil
}

// acceptFields reports whether the app can be installed and the fields have no problem, and adds the
// problems otherwise. Inputs can be missing if mayMiss is set.
func (v *installView) acceptFields(mayMiss bool) bool {
	v.checkFields()
	onlyMissing := mayMiss && len(v.Errors) == 0 && v.Inputs.OnlyMissing
	if v.NotAllowed == "" && (onlyMissing || len(v.Errors)+len(v.Inputs.Errors) == 0) {
		return true
	}
	v.Errors = append(v.Errors, v.Inputs.Errors...)
	return false
}

func (f installForm) newView(r *request) (*installView, error) {
	app, err := getApp(r)
	if err != nil {
		return nil, err
	}
	v := &installView{lang: r.lang, App: app, Summary: app.Status.Summary, Key: formKeyOf(r), Adopt: f.action == v1alpha1.ActionAdopt, Action: f.action}
	if v.Summary == nil {
		v.Summary = &v1alpha1.AppSummary{}
	}
	v.Title = cmp.Or(kube.FindTranslation(v.Summary.Translations, r.lang.Tag).Title, v.Summary.Title, app.Spec.App)
	v.Namespace = cmp.Or(strings.TrimSpace(r.PostFormValue("to")), namespaceOf(r))
	v.Name = cmp.Or(strings.TrimSpace(r.PostFormValue("name")), app.Spec.App)
	v.DisplayTitle, v.Account = strings.TrimSpace(r.PostFormValue("title")), strings.TrimSpace(r.PostFormValue("account"))
	v.Values, v.After = strings.ReplaceAll(r.PostFormValue("values"), "\r\n", "\n"), newAfterPart(r, f.action, v.Summary)
	v.addVersions(r)
	list, note := findInputs(r, app, v.version)
	v.Inputs = newInputForm(r, v.Namespace, list)
	v.Inputs.Note, v.Inputs.keepsMissing = note, v.Adopt
	v.NotAllowed = installProblem(r.lang, app)
	scope, err := r.ListNamespaces(r.Context())
	if err != nil {
		return nil, err
	}
	if !scope.Cut {
		v.Namespaces = scope.Namespaces
	}
	return v, v.addPlace(r)
}

// installProblem returns why an app cannot be installed, empty if it can.
func installProblem(l *locale.Language, app *v1alpha1.AppInfo) string {
	switch {
	case app.Spec.Withdrawn:
		return l.Text("install.withdrawn")
	case len(app.Status.Versions) == 0:
		return l.Text("install.notPublished")
	}
	return listingProblem(l, app)
}

func (v *installView) addVersions(r *request) {
	v.version = cmp.Or(r.PostFormValue("version"), r.URL.Query().Get("version"))
	if v.Adopt {
		v.Versions = append(v.Versions, option{"", r.Text("install.versionOfRelease"), v.version == ""})
	} else {
		v.version = cmp.Or(v.version, v.App.Status.SelectedVersion)
	}
	v.Versions = append(v.Versions, publishedVersions(r.lang, v.App, v.version)...)
}

// checkFields adds the problems of all fields.
func (v *installView) checkFields() {
	v.Errors = append(v.Errors, placeProblems(v.lang, v.Namespace, v.Name, v.Account)...)
	add := func(id, label, text string) { v.Errors = append(v.Errors, fieldError{id, v.lang.Text(label), text}) }
	if problem := cmp.Or(v.notShared, v.OnlyInstanceText()); problem != "" {
		add("to", "form.namespace", problem)
	}
	if v.nameProblem != "" {
		add("name", "form.name", v.nameProblem)
	}
	if len([]rune(v.DisplayTitle)) > 200 {
		add("title", "form.title", v.lang.Text("fieldProblem.maxLength", "Value", 200))
	}
	if !slices.ContainsFunc(v.Versions, func(o option) bool { return o.Chosen }) && v.NotAllowed == "" {
		add("version", "form.version", v.lang.Text("fieldProblem.version"))
	}
	if _, problem := encodeValues(v.lang, v.Values); problem != "" {
		add("values", "form.values", problem)
	}
	v.Errors = append(v.Errors, v.After.check(v.lang)...)
	v.Inputs.check()
}

// appRef returns the reference to the app.
func (v *installView) appRef() v1alpha1.AppReference {
	return v1alpha1.AppReference{Namespace: v.App.Namespace, Source: v.App.Spec.SourceRef.Name, Name: v.App.Spec.App}
}

// newTask returns the task of the form, and the confidential inputs by their keys in the Secret.
func (v *installView) newTask() (*v1alpha1.AppInstallTask, map[string]string, error) {
	request := taskbuilder.Request{
		Action: v.Action, Namespace: v.Namespace, Instance: v.Name, Suffix: v.Key, Version: v.version,
		App:           v.appRef(),
		Configuration: v1alpha1.AppConfiguration{Title: v.DisplayTitle},
		Options:       taskbuilder.Options{ServiceAccountName: v.Account},
	}
	if v.App.Namespace == v.Namespace {
		request.App.Namespace = ""
	}
	v.After.addTo(&request)
	if raw, problem := encodeValues(v.lang, v.Values); problem == "" && raw != nil {
		request.Configuration.Values = &runtime.RawExtension{Raw: raw}
	}
	var confidential map[string]string
	request.Configuration.Inputs, confidential = v.Inputs.values(taskbuilder.InputsSecretName(v.Name))
	task, err := taskbuilder.NewTask(request)
	return task, confidential, err
}

// addManifest adds the objects that the form creates, without confidential values.
func (v *installView) addManifest() error {
	task, confidential, err := v.newTask()
	if err != nil {
		return err
	}
	v.formOutput, err = newFormOutput(task, confidential, nil)
	return err
}

// URL returns the URL of the form.
func (v *installView) URL() string {
	if v.Adopt {
		return adoptURL(v.App)
	}
	return installURL(v.App)
}

// Heading returns the title of the page.
func (v *installView) Heading() string {
	if v.Adopt {
		return v.lang.Text("install.adoptHeading", "Title", v.Title)
	}
	return v.lang.Text("install.heading", "Title", v.Title)
}

func (v *installView) view() *view {
	return &view{name: "install", titles: []string{v.Heading(), v.lang.Text("app.title")}, section: "apps", data: v}
}

// installProblemFor returns why the user cannot install an app in the selected namespace, empty if the user
// can or has selected none.
func installProblemFor(r *request, app *v1alpha1.AppInfo) (string, error) {
	if problem := installProblem(r.lang, app); problem != "" {
		if isReviewer, err := mayInstallDraft(r, app); err != nil || !isReviewer {
			return problem, err
		}
	}
	namespace := namespaceOf(r)
	if namespace == "" {
		return "", nil
	}
	if problem, err := sharingProblem(r, app, namespace); err != nil || problem != "" {
		return problem, err
	}
	allowed, err := r.Allows(r.Context(), "create", kube.Tasks, namespace, "")
	if err != nil || allowed {
		return "", err
	}
	return r.Text("problem.cannotCreateTasksShort", "Namespace", namespace), nil
}
