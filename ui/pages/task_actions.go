package pages

import (
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// inputsView is the form that gives the inputs for which a task waits.
type inputsView struct {
	Task   *v1alpha1.AppInstallTask
	Title  string
	Inputs *inputForm

	lang *locale.Language
}

// Heading returns the title of the page.
func (v *inputsView) Heading() string { return v.lang.Text("inputs.heading", "Task", v.Title) }

// getTask reads the task of a URL with the credential of the user.
func getTask(r *request) (*v1alpha1.AppInstallTask, error) {
	namespace := r.PathValue("namespace")
	task := &v1alpha1.AppInstallTask{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: r.PathValue("name")}, task)
	return task, asProblem(r, err, "get", kube.Tasks, namespace)
}

// showCancel shows the form that cancels a task.
func showCancel(r *request) (*view, error) {
	task, err := getTask(r)
	if err != nil {
		return nil, err
	}
	if task.Finished() {
		return nil, &problem{
			Status: http.StatusConflict, Title: r.Text("problem.taskFinished"), Text: r.Text("problem.taskFinishedText"),
			BackURL: taskURL(task.Namespace, task.Name), Back: r.Text("problem.showTask"),
		}
	}
	return &view{
		name: "cancel", titles: []string{r.Text("task.cancelTitle", "Name", task.Name), r.Text("tasks.title")}, section: "tasks",
		data: task, namespace: task.Namespace,
	}, nil
}

// cancelTask requests the cancellation of a task.
func cancelTask(r *request) (string, *view, error) {
	task, err := getTask(r)
	if err != nil {
		return "", nil, err
	}
	if err := patchTask(r, task, func() { task.Spec.Cancel = new(true) }); err != nil {
		return "", nil, err
	}
	return taskURL(task.Namespace, task.Name), nil, nil
}

// patchTask changes the spec of a task, if its resource version is still the same.
func patchTask(r *request, task *v1alpha1.AppInstallTask, change func()) error {
	before := task.DeepCopy()
	change()
	err := r.Writer.Patch(r.Context(), task, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	r.logWrite("patch", task, err)
	return writeProblemOf(r, err, "patch", kube.Tasks, task.Namespace)
}

func newInputsView(r *request) (*inputsView, error) {
	task, err := getTask(r)
	if err != nil {
		return nil, err
	}
	if task.Finished() || len(task.Status.RequiredInputs) == 0 {
		return nil, &problem{
			Status: http.StatusConflict, Title: r.Text("problem.noInputsMissing"), Text: r.Text("problem.noInputsMissingText"),
			BackURL: taskURL(task.Namespace, task.Name), Back: r.Text("problem.showTask"),
		}
	}
	return &inputsView{
		Task: task, Title: r.lang.Word("action", task.Spec.Action) + " " + task.Instance(), lang: r.lang,
		Inputs: newInputForm(r, task.Namespace, toFormInputs(task.Status.RequiredInputs)),
	}, nil
}

func (v *inputsView) view() *view {
	return &view{name: "inputs", titles: []string{v.Heading(), v.lang.Text("tasks.title")}, section: "tasks", data: v, namespace: v.Task.Namespace}
}

func showInputs(r *request) (*view, error) {
	v, err := newInputsView(r)
	if err != nil {
		return nil, err
	}
	for _, field := range v.Inputs.all() {
		i := slices.IndexFunc(v.Task.Status.RequiredInputs, func(each v1alpha1.Input) bool { return each.Name == field.Name })
		field.Problem = translateText(r.lang, v.Task.Status.RequiredInputs[i].Problem)
	}
	return v.view(), nil
}

// submitInputs adds the entered inputs to the task.
func submitInputs(r *request) (next string, again *view, err error) {
	v, err := newInputsView(r)
	if err != nil {
		return "", nil, err
	}
	if v.Inputs.check(); len(v.Inputs.Errors) > 0 {
		return "", v.view(), nil
	}
	task := v.Task
	given, confidential := v.Inputs.values(taskbuilder.InputsSecretName(task.Instance()))
	undo, err := writeInputSecret(r, task.Namespace, task.Instance(), confidential)
	if err != nil {
		return "", nil, err
	}
	err = patchTask(r, task, func() {
		configuration := task.Spec.EnsureConfiguration()
		if configuration == nil {
			return
		}
		for _, value := range given {
			configuration.Inputs = slices.DeleteFunc(configuration.Inputs, func(each v1alpha1.InputValue) bool { return each.Name == value.Name })
			configuration.Inputs = append(configuration.Inputs, value)
		}
	})
	if err != nil {
		undo()
		return "", nil, err
	}
	return taskURL(task.Namespace, task.Name), nil, nil
}
