package pages

import (
	"cmp"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// instanceAction is an action on an instance that has a page.
type instanceAction struct {
	action v1alpha1.Action
	// verb is the text of the button, and text says what the action does. Both are messages.
	verb, text string
	// prepare adds the fields of the form, and the parameters of the task that is submitted. It
	// returns the problem with a field, which is shown in the form.
	prepare func(*request, *actionView) (problem string, err error)
}

// instanceActions are the actions by the last part of their URLs.
var instanceActions = map[string]instanceAction{
	"upgrade":   {v1alpha1.ActionUpgrade, "verb.upgrade", "actionText.upgrade", prepareUpgrade},
	"configure": {v1alpha1.ActionConfigure, "verb.configure", "actionText.configure", prepareConfigure},
	"clone":     {v1alpha1.ActionClone, "verb.clone", "actionText.clone", prepareClone},
	"rollback":  {v1alpha1.ActionRollback, "verb.rollback", "actionText.rollback", prepareRollback},
	"stop":      {v1alpha1.ActionStop, "verb.stop", "actionText.stop", nil},
	"resume":    {v1alpha1.ActionResume, "verb.resume", "actionText.resume", nil},
	"restart":   {v1alpha1.ActionRestart, "verb.restart", "actionText.restart", nil},
	"install":   {v1alpha1.ActionInstall, "verb.install", "actionText.install", prepareInstall},
	"uninstall": {v1alpha1.ActionUninstall, "verb.uninstall", "actionText.uninstall", prepareUninstall},
}

// actionView is the page of an action.
type actionView struct {
	Instance *v1alpha1.AppInstance
	Title    string
	Action   v1alpha1.Action
	Verb     string
	Text     string
	Key      string
	// NotAllowed is the reason why the action cannot be requested, empty if it can.
	NotAllowed string
	// Problem is what is wrong with a field of the form.
	Problem string
	formOutput
	// ManagedBy is the GitOps tool that may revert the action.
	ManagedBy string
	// Choices are the versions of an upgrade or the revisions of a rollback.
	ChoiceLabel string
	Choices     []option
	// UpToDate reports that only pre-releases are newer than the installed version. None is selected.
	UpToDate bool
	// AsksAccount reports that the form has a field for the service account, which contains Account. Accounts are
	// the service accounts that the form proposes.
	AsksAccount bool
	Account     string
	Accounts    []string
	// Uninstall is what an uninstallation deletes and keeps. It is nil for other actions.
	Uninstall *uninstallView
	// Clone is where a clone is created. It is nil for other actions.
	Clone *cloneView
	// Configuration contains the title, the inputs and the values. It is nil for actions without them.
	Configuration *configurationForm
	// After is about failures, data and the time limit. It is nil for actions whose form does not ask for them.
	After  *afterPart
	Errors []fieldError
	// Changes are the lines that the kubectl plugin prints before it creates the same task.
	Changes []preview.Line
	// CanCheck reports that the operation can be checked, and Check is the result, nil if there is none.
	CanCheck bool
	Check    *checkView
	// News is what an upgrade changes in the app, nil for other actions.
	News *versionNews

	lang    *locale.Language
	request taskbuilder.Request
	task    *v1alpha1.AppInstallTask
	app     *v1alpha1.AppInfo
	// confidential contains the entered confidential inputs by the keys of their Secret.
	confidential map[string]string
}

// showAction shows the form of an action.
func showAction(r *request) (*view, error) {
	from, err := fillForm(r, func(task *v1alpha1.AppInstallTask) bool { return isTaskOfForm(r, task) })
	if err != nil {
		return nil, err
	}
	v, err := newActionView(r)
	if err != nil {
		return nil, err
	}
	v.Check = checkOf(r.lang, from)
	return v.view()
}

// isTaskOfForm reports whether the form of a request creates tasks with the action and the instance of a
// task.
func isTaskOfForm(r *request, task *v1alpha1.AppInstallTask) bool {
	namespace, name := task.Namespace, task.Instance()
	if from := task.Spec.CloneFrom(); from.Name != "" {
		namespace, name = cmp.Or(from.Namespace, namespace), from.Name
	}
	return task.Spec.Action == instanceActions[r.PathValue("action")].action && r.PathValue("namespace") == namespace && r.PathValue("name") == name
}

// showActionPreview shows what the entries of the form of an action change and create.
func showActionPreview(r *request) (*view, error) {
	v, err := newActionView(r)
	if err != nil {
		return nil, err
	}
	return v.view()
}

// checkAction returns the dry run that checks the form of an action.
func checkAction(r *request) (*checkRequest, error) {
	v, err := newActionView(r)
	if err != nil {
		return nil, err
	}
	if !v.CanCheck {
		return nil, notFound(r, "problem.noPage", v.URL(), "form.back")
	}
	if v.Problem != "" {
		v.Errors = append(v.Errors, fieldError{"choice", v.ChoiceLabel, v.Problem})
	}
	if len(v.Errors) > 0 {
		again, err := v.view()
		return &checkRequest{again: again, errors: v.Errors}, err
	}
	return newCheckRequest(v.task, v.confidential), nil
}

// submitAction creates the Secret with the confidential inputs, if there are any, and the task of an
// action.
func submitAction(r *request) (next string, again *view, err error) {
	v, err := newActionView(r)
	if err != nil {
		return "", nil, err
	}
	if v.ManagedBy != "" && r.PostFormValue("anyway") == "" {
		v.Problem = r.Text("action.notConfirmed", "Tool", v.ManagedBy)
	}
	if v.Uninstall != nil && v.Problem == "" {
		v.Problem = v.Uninstall.confirmationProblem(r, v.Instance)
	}
	if v.Problem != "" || len(v.Errors) > 0 {
		again, err = v.view()
		return "", again, err
	}
	undo, err := writeInputSecret(r, v.task.Namespace, v.task.Instance(), v.confidential)
	if err != nil {
		return "", nil, err
	}
	if next, err = createTask(r, v.task); err != nil {
		undo()
	}
	return next, nil, err
}

func newActionView(r *request) (*actionView, error) {
	chosen, ok := instanceActions[r.PathValue("action")]
	if !ok {
		return nil, notFound(r, "problem.noPage", "/instances", "problem.showInstalled")
	}
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	v := &actionView{
		lang:     r.lang,
		Instance: instance, Title: cmp.Or(instance.Spec.Title, instance.Name), Action: chosen.action, Verb: r.Text(chosen.verb), Text: r.Text(chosen.text),
		Key: formKeyOf(r), ManagedBy: gitOpsToolOf(instance), CanCheck: chosen.prepare != nil,
	}
	if v.NotAllowed, err = notAllowed(r, chosen.action, instance); err != nil {
		return nil, err
	}
	v.request = taskbuilder.Request{
		Action: chosen.action, Namespace: instance.Namespace, App: instance.Spec.AppRef, Instance: instance.Name, Suffix: v.Key,
	}
	if chosen.action == v1alpha1.ActionClone {
		v.ManagedBy = "" // Another instance is created.
	}
	if chosen.prepare != nil {
		if v.Problem, err = chosen.prepare(r, v); err != nil {
			return nil, err
		}
	}
	return v, v.addTask()
}

// addTask adds the task of the form, and how the form shows it.
func (v *actionView) addTask() (err error) {
	if v.task, err = taskbuilder.NewTask(v.request); err != nil {
		return err
	}
	if v.Action == v1alpha1.ActionUpgrade || v.Action == v1alpha1.ActionConfigure {
		if v.Changes, err = preview.ChangeLines(v.Instance, v.app, v.request, nil); err != nil {
			return err
		}
		for i, line := range v.Changes {
			v.Changes[i] = preview.Line{Name: v.lang.Word("preview", line.Name), Text: translateText(v.lang, line.Text)}
		}
	}
	v.formOutput, err = newFormOutput(v.task, v.confidential, v.Instance)
	return err
}

// URL returns the URL of the form.
func (v *actionView) URL() string {
	return actionURL(v.Instance.Namespace, v.Instance.Name, strings.ToLower(string(v.Action)))
}

// Heading returns the title of the page.
func (v *actionView) Heading() string {
	if v.Action == v1alpha1.ActionInstall {
		return v.lang.Text("action.installAgain", "Title", v.Title)
	}
	return v.lang.Text("action.heading", "Verb", v.Verb, "Title", v.Title)
}

func (v *actionView) view() (*view, error) {
	return &view{
		name: "action", titles: []string{v.Heading(), v.lang.Text("installed.title")}, section: "instances", data: v, namespace: v.Instance.Namespace,
	}, nil
}

// notAllowed returns why the user cannot request an action for an instance, empty if the user can.
// The API server and the controller decide again when the task is created.
func notAllowed(r *request, action v1alpha1.Action, instance *v1alpha1.AppInstance) (string, error) {
	// The rules for a clone are about the clone, which does not exist.
	if action != v1alpha1.ActionClone {
		if err := transitions.Admit(action, instance.Name, instance); err != nil {
			return messageText(r.lang, sentenceOf(err)), nil
		}
	}
	allowed, err := r.Allows(r.Context(), "create", kube.Tasks, instance.Namespace, "")
	if err != nil || allowed {
		return "", err
	}
	return r.Text("problem.cannotCreateTasks", "Namespace", instance.Namespace), nil
}

// sentenceOf returns an error as a sentence.
func sentenceOf(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
