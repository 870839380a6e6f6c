package pages

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
)

const (
	// maxValuesBytes is the size of the values that a form accepts.
	maxValuesBytes = 64 << 10
	// maxInstanceName is the length of the name of an instance.
	maxInstanceName = 40
)

var (
	instanceNamePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	accountNamePattern  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
)

// installView is the form that installs an app.
type installView struct {
	App     *v1alpha1.AppInfo
	Title   string
	Summary *v1alpha1.AppSummary
	Key     string
	// NotAllowed is the reason why the app cannot be installed, empty if it can.
	NotAllowed string

	Namespace, Name, DisplayTitle, Account, Values string
	Namespaces                                     []string
	Versions                                       []option
	// Dependencies reports that required apps are installed too.
	Dependencies bool
	Inputs       *inputForm
	Errors       []fieldError

	formTask
	version string
}

func showInstall(r *request) (*view, error) {
	v, err := newInstallView(r)
	if err != nil {
		return nil, err
	}
	if name := r.URL.Query().Get("from"); name != "" {
		if err := v.fillFrom(r, name); err != nil {
			return nil, err
		}
	}
	if err := v.addManifest(); err != nil {
		return nil, err
	}
	return v.view(), nil
}

// showInstallPreview returns the manifest and the errors of a form, without a change of the cluster.
func showInstallPreview(r *request) (*view, error) {
	v, err := newInstallView(r)
	if err != nil {
		return nil, err
	}
	return v.view(), v.addManifest()
}

// submitInstall creates the Secret with the confidential inputs, if there are any, and the task.
func submitInstall(r *request) (next string, again *view, err error) {
	v, err := newInstallView(r)
	if err != nil {
		return "", nil, err
	}
	v.checkFields()
	onlyMissing := len(v.Errors) == 0 && v.Inputs.OnlyMissing && r.PostFormValue("anyway") != ""
	if v.NotAllowed != "" || len(v.Errors)+len(v.Inputs.Errors) > 0 && !onlyMissing {
		v.Errors = append(v.Errors, v.Inputs.Errors...)
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

func newInstallView(r *request) (*installView, error) {
	app, err := getApp(r)
	if err != nil {
		return nil, err
	}
	v := &installView{App: app, Summary: app.Status.Summary, Key: formKeyOf(r)}
	if v.Summary == nil {
		v.Summary = &v1alpha1.AppSummary{}
	}
	v.Title = cmp.Or(v.Summary.Title, app.Spec.App)
	v.Namespace = cmp.Or(strings.TrimSpace(r.PostFormValue("to")), namespaceOf(r))
	v.Name = cmp.Or(strings.TrimSpace(r.PostFormValue("name")), app.Spec.App)
	v.DisplayTitle, v.Account = strings.TrimSpace(r.PostFormValue("title")), strings.TrimSpace(r.PostFormValue("account"))
	v.Values, v.Dependencies = strings.ReplaceAll(r.PostFormValue("values"), "\r\n", "\n"), r.PostFormValue("dependencies") != ""
	v.Inputs = newInputForm(r, v.Summary.Inputs)
	v.addVersions(r)
	v.NotAllowed = installProblem(app)
	scope, err := r.ListNamespaces(r.Context())
	if err != nil {
		return nil, err
	}
	if !scope.Cut {
		v.Namespaces = scope.Namespaces
	}
	if r.Method != http.MethodGet {
		return v, nil
	}
	if v.Namespace == "" && len(v.Namespaces) == 1 {
		v.Namespace = v.Namespaces[0]
	}
	return v, v.suggestAccount(r)
}

// suggestAccount suggests the service account of the newest instance in the namespace.
func (v *installView) suggestAccount(r *request) error {
	if v.Namespace == "" || !namespaceForm.MatchString(v.Namespace) {
		return nil
	}
	allowed, err := r.Allows(r.Context(), "list", kube.Instances, v.Namespace, "")
	if err != nil || !allowed {
		return err
	}
	all, err := r.server.Cluster.ListInstances(r.Context(), kube.Scope{Namespaces: []string{v.Namespace}})
	if err != nil {
		return err
	}
	newest := -1
	for i := range all {
		if newest < 0 || all[newest].CreationTimestamp.Before(&all[i].CreationTimestamp) {
			newest = i
		}
	}
	if newest >= 0 {
		v.Account = all[newest].Spec.ServiceAccountName
	}
	return nil
}

// installProblem returns why an app cannot be installed, empty if it can.
func installProblem(app *v1alpha1.AppInfo) string {
	switch {
	case app.Spec.Withdrawn:
		return "The source has withdrawn this app."
	case len(app.Status.Versions) == 0:
		return "No version of this app is published."
	}
	return ""
}

func (v *installView) addVersions(r *request) {
	v.version = cmp.Or(r.PostFormValue("version"), r.URL.Query().Get("version"), v.App.Status.SelectedVersion)
	for i := range v.App.Status.Versions {
		version := &v.App.Status.Versions[i]
		text := version.Version
		if version.Deprecated {
			text += " (deprecated)"
		}
		v.Versions = append(v.Versions, option{version.Version, text, version.Version == v.version})
	}
}

// fillFrom fills the form with the parameters of an earlier task. Confidential values are not
// repeated.
func (v *installView) fillFrom(r *request, name string) error {
	task := &v1alpha1.AppInstallTask{}
	namespace := cmp.Or(r.URL.Query().Get("namespace"), v.Namespace)
	if err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: name}, task); err != nil {
		return asProblem(r, err, "get", kube.Tasks, namespace)
	}
	if task.Spec.Install == nil && task.Spec.Action != v1alpha1.ActionInstall {
		return nil
	}
	p := task.Spec.Parameters()
	v.Namespace, v.Name, v.DisplayTitle, v.Account = task.Namespace, task.Instance(), p.Title, task.Spec.ServiceAccountName
	v.Dependencies = task.Spec.Dependencies == v1alpha1.DependenciesInstall
	if p.Values != nil {
		text, err := yaml.JSONToYAML(p.Values.Raw)
		if err != nil {
			return fmt.Errorf("read values of task %s: %w", name, err)
		}
		v.Values = string(text)
	}
	for _, field := range v.Inputs.all() {
		i := slices.IndexFunc(p.Inputs, func(value v1alpha1.InputValue) bool { return value.Name == field.Name })
		if i < 0 {
			continue
		}
		switch given := p.Inputs[i]; {
		case given.ValueFrom != nil && given.ValueFrom.SecretKeyRef != nil:
			field.SecretName, field.SecretKey = given.ValueFrom.SecretKeyRef.Name, given.ValueFrom.SecretKeyRef.Key
		case given.Value != nil && !field.Secret:
			field.Value = *given.Value
			v.Inputs.given[field.Name] = *given.Value
		}
	}
	return nil
}

// checkFields adds the problems of all fields.
func (v *installView) checkFields() {
	add := func(id, label, text string) { v.Errors = append(v.Errors, fieldError{id, label, text}) }
	switch {
	case v.Namespace == "":
		add("to", "Namespace", "select a namespace")
	case !namespaceForm.MatchString(v.Namespace):
		add("to", "Namespace", "must be the name of a namespace")
	}
	if len(v.Name) > maxInstanceName || !instanceNamePattern.MatchString(v.Name) {
		add("name", "Name", fmt.Sprintf("must consist of at most %d lower-case letters, digits and hyphens, and start and end with a letter or digit", maxInstanceName))
	}
	if v.Account != "" && !accountNamePattern.MatchString(v.Account) {
		add("account", "Service account", "must be the name of a service account")
	}
	if len([]rune(v.DisplayTitle)) > 200 {
		add("title", "Title", "must have at most 200 characters")
	}
	if !slices.ContainsFunc(v.Versions, func(o option) bool { return o.Chosen }) && v.NotAllowed == "" {
		add("version", "Version", "select a published version")
	}
	if _, problem := v.valuesJSON(); problem != "" {
		add("values", "Values", problem)
	}
	v.Inputs.check()
}

// valuesJSON returns the entered values as JSON, nil if there are none, or the problem with them.
func (v *installView) valuesJSON() (raw []byte, problem string) {
	if strings.TrimSpace(v.Values) == "" {
		return nil, ""
	}
	if len(v.Values) > maxValuesBytes {
		return nil, fmt.Sprintf("must have at most %d bytes; use valuesFrom for larger values", maxValuesBytes)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(v.Values), &values); err != nil {
		return nil, strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	}
	if len(values) == 0 {
		return nil, ""
	}
	raw, err := json.Marshal(values)
	if err != nil || len(raw) > 4*maxValuesBytes {
		return nil, "the values are too large"
	}
	return raw, ""
}

// newTask returns the task of the form, and the confidential inputs by their keys in the Secret.
func (v *installView) newTask() (*v1alpha1.AppInstallTask, map[string]string, error) {
	request := taskbuilder.Request{
		Action: v1alpha1.ActionInstall, Namespace: v.Namespace, Instance: v.Name, Suffix: v.Key, Version: v.version,
		App:           v1alpha1.AppReference{Namespace: v.App.Namespace, Source: v.App.Spec.SourceRef.Name, Name: v.App.Spec.App},
		Configuration: v1alpha1.AppConfiguration{Title: v.DisplayTitle},
		Options:       taskbuilder.Options{ServiceAccountName: v.Account},
	}
	if v.App.Namespace == v.Namespace {
		request.App.Namespace = ""
	}
	if v.Dependencies {
		request.Dependencies = v1alpha1.DependenciesInstall
	}
	if raw, problem := v.valuesJSON(); problem == "" && raw != nil {
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
	var before []runtime.Object
	if len(confidential) > 0 {
		for key := range confidential {
			confidential[key] = "<from the form>"
		}
		before = append(before, taskbuilder.NewInputsSecret(v.Namespace, v.Name, kube.FieldOwner, confidential))
	}
	v.formTask, err = newFormTask(task, before...)
	return err
}

func (v *installView) view() *view {
	return &view{name: "install", titles: []string{"Install " + v.Title, "Apps"}, section: "apps", data: v}
}

// installProblemFor returns why the user cannot install an app in the selected namespace, empty if the user
// can or has selected none.
func installProblemFor(r *request, app *v1alpha1.AppInfo) (string, error) {
	if problem := installProblem(app); problem != "" {
		return problem, nil
	}
	namespace := namespaceOf(r)
	if namespace == "" {
		return "", nil
	}
	allowed, err := r.Allows(r.Context(), "create", kube.Tasks, namespace, "")
	if err != nil || allowed {
		return "", err
	}
	return "You cannot create tasks in namespace " + namespace + ".", nil
}

// servePreview serves the preview of a form.
func (s *Server) servePreview(load pageFunc) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		if err := r.ParseForm(); err != nil || len(r.PostForm) > maxFormFields {
			http.Error(w, "the form is invalid", http.StatusBadRequest)
			return
		}
		v, err := load(r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		part, err := s.templates.render(v.name+"-preview", v.data)
		if err != nil {
			s.failRendering(w, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		writeBody(w, r.Request, http.StatusOK, string(part))
	}
}
