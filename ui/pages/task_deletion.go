package pages

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

// taskDeletionView is the form that deletes a task that has finished.
type taskDeletionView struct {
	Task              *v1alpha1.AppInstallTask
	Title             string
	NotAllowed, Grant string
	Command           string
}

func newTaskDeletionView(r *request) (*taskDeletionView, error) {
	task, err := getTask(r)
	if err != nil {
		return nil, err
	}
	if !task.Finished() {
		return nil, &problem{
			Status: http.StatusConflict, Title: r.Text("problem.taskNotFinished"), Text: r.Text("problem.taskNotFinishedText"),
			BackURL: taskURL(task.Namespace, task.Name), Back: r.Text("problem.showTask"),
		}
	}
	v := &taskDeletionView{Task: task, Title: r.lang.Word("action", task.Spec.Action) + " " + task.Instance()}
	v.Command = "kubectl delete appinstalltask " + quoteForShell(task.Name) + " -n " + quoteForShell(task.Namespace)
	allowed, err := r.Allows(r.Context(), "delete", kube.Tasks, task.Namespace, task.Name)
	if err == nil && !allowed {
		missing := forbidden(r, "delete", kube.Tasks, task.Namespace)
		v.NotAllowed, v.Grant = missing.Text, missing.Command
	}
	return v, err
}

func showTaskDeletion(r *request) (*view, error) {
	v, err := newTaskDeletionView(r)
	if err != nil {
		return nil, err
	}
	return &view{
		name: "task-deletion", titles: []string{r.Text("task.deleteTitle", "Name", v.Task.Name), r.Text("tasks.title")}, section: "tasks",
		data: v, namespace: v.Task.Namespace,
	}, nil
}

// deleteTask deletes a task that has finished.
func deleteTask(r *request) (string, *view, error) {
	v, err := newTaskDeletionView(r)
	if err != nil {
		return "", nil, err
	}
	err = r.Writer.Delete(r.Context(), v.Task, client.Preconditions{UID: &v.Task.UID})
	r.logWrite("delete", v.Task, err)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return "/tasks", nil, writeProblemOf(r, err, "delete", kube.Tasks, v.Task.Namespace)
}
