package pages

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// taskRow is a task in a list.
type taskRow struct {
	Task     *v1alpha1.AppInstallTask
	State    badge
	Message  string
	Duration string
}

// taskPageSize is the number of tasks of a page.
const taskPageSize = 50

// tasksView is the list of tasks, newest first.
type tasksView struct {
	Rows      []taskRow
	Total     int
	Namespace string
	State     string
	States    []option
	// DryRuns reports that checks are listed, too.
	DryRuns bool
	Nothing emptyText
	pageLinks
}

// taskStates are the choices of the filter of tasks.
var taskStates = []struct {
	value, text string
	accepts     func(*v1alpha1.AppInstallTask, badge) bool
}{
	{"running", "tasks.notFinished", func(task *v1alpha1.AppInstallTask, _ badge) bool { return !task.Finished() }},
	{"waiting", "state.waitingForInput", func(_ *v1alpha1.AppInstallTask, state badge) bool { return state.Class == "warn" }},
	{"failed", "state.failed", func(_ *v1alpha1.AppInstallTask, state badge) bool { return state.Class == "bad" }},
	{"succeeded", "state.succeeded", func(_ *v1alpha1.AppInstallTask, state badge) bool { return state.Class == "ok" }},
}

func newTaskRow(l *locale.Language, task *v1alpha1.AppInstallTask) taskRow {
	row := taskRow{Task: task, State: taskBadge(l, task)}
	if task.Finished() {
		row.Duration = formatDuration(l, task.Status.CompletionTime.Sub(task.CreationTimestamp.Time))
	}
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil && row.State.Class != "ok" {
		row.Message = text.Shorten(messageText(l, withoutReferences(c.Message)), maxCellBytes)
	}
	return row
}

func showTasks(r *request) (*view, error) {
	scope, err := scopeOf(r, kube.Tasks)
	if err != nil {
		return nil, err
	}
	all, err := r.server.Cluster.ListTasks(r.Context(), scope)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	v := tasksView{Namespace: namespaceOf(r), State: query.Get("state"), DryRuns: query.Get("dryRuns") != ""}
	page, _ := strconv.Atoi(query.Get("page")) // 0 is the first page, too.
	v.addRows(r.lang, all, page)
	v.addNothing(r, scope)
	return &view{name: "tasks", titles: []string{r.Text("tasks.title")}, section: "tasks", data: v, topics: topicsFor(kube.Tasks, scope)}, nil
}

// addRows adds the tasks of a page that the filters accept.
func (v *tasksView) addRows(l *locale.Language, all []v1alpha1.AppInstallTask, page int) {
	accepts := func(*v1alpha1.AppInstallTask, badge) bool { return true }
	for _, state := range taskStates {
		v.States = append(v.States, option{state.value, l.Text(state.text), v.State == state.value})
		if v.State == state.value {
			accepts = state.accepts
		}
	}
	var found []*v1alpha1.AppInstallTask
	for i := range all {
		if task := &all[i]; (v.DryRuns || !task.IsDryRun()) && accepts(task, taskBadge(l, task)) {
			found = append(found, task)
		}
	}
	slices.SortFunc(found, func(a, b *v1alpha1.AppInstallTask) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	v.Total = len(found)
	links, first, end := newPageLinks(len(found), taskPageSize, page, v.pageURL)
	for _, task := range found[first:end] {
		v.Rows = append(v.Rows, newTaskRow(l, task))
	}
	v.pageLinks = links
}

// pageURL returns the URL of a page of the list with the same filters.
func (v *tasksView) pageURL(number int) string {
	values := url.Values{"state": {v.State}}
	if v.DryRuns {
		values.Set("dryRuns", "1")
	}
	if number > 1 {
		values.Set("page", strconv.Itoa(number))
	}
	return "/tasks" + queryOf(values)
}

func (v *tasksView) addNothing(r *request, scope kube.Scope) {
	switch {
	case len(v.Rows) > 0:
	case scope.Cut:
		v.Nothing = emptyText{Title: r.Text("list.chooseNamespace"), Text: r.Text("tasks.tooManyNamespaces")}
	case scope.IsEmpty():
		v.Nothing = emptyText{
			Title: r.Text("tasks.cannotList"), Text: r.Text("problem.grantHint"),
			Command: bindingCommand(r.session.User, "list", kube.Tasks, "NAMESPACE", " -n NAMESPACE"),
		}
	case v.State != "":
		v.Nothing = emptyText{Title: r.Text("tasks.noMatch"), Text: r.Text("tasks.noMatchText"), URL: "/tasks", Link: r.Text("tasks.clear")}
	default:
		v.Nothing = emptyText{Title: textIn(r, "tasks.none", v.Namespace), Text: r.Text("tasks.noneText"), URL: "/apps", Link: r.Text("list.browseApps")}
	}
}

// taskView is the page of a task.
type taskView struct {
	Task       *v1alpha1.AppInstallTask
	State      badge
	Milestones []milestone
	Reason     string
	Message    string
	// Until is when the task is given up if it is not admitted, zero if it waits indefinitely.
	Until    time.Time
	Finished string
	Instance string
	// Problems are the problems of preflight, without one that repeats Message.
	Problems []v1alpha1.Problem
	// Repeated reports that Message consists of the messages of Problems.
	Repeated bool
	// Check is the result of a dry run. It is nil for other tasks.
	Check *checkView
	// CanCancel reports that the task can be canceled.
	CanCancel bool
	// Again is the URL of the form with the entries of the task, empty if there is none.
	Again string
	// Next is what the user can do, and Blocked what a waiting task blocks.
	Next    nextStep
	Blocked string
	// RequestedBy is the user who created the task, empty if it is not known.
	RequestedBy string
	Subtasks    []subtaskRow
	// Events are the events of the task, and NoEvents says why they are not shown.
	Events   []eventRow
	NoEvents string
	// CanDelete reports that the task has finished, and that the user can delete it.
	CanDelete bool
}

func showTask(r *request) (*view, error) {
	namespace := r.PathValue("namespace")
	task := &v1alpha1.AppInstallTask{}
	if err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: r.PathValue("name")}, task); err != nil {
		return nil, asProblem(r, err, "get", kube.Tasks, namespace)
	}
	v := &taskView{Task: task, State: taskBadge(r.lang, task), Instance: task.Instance(), RequestedBy: task.Annotations[v1alpha1.RequestedByAnnotation]}
	v.Milestones = milestonesOf(r.lang, task.Status.Conditions, task.CreationTimestamp.Time, task.Finished(),
		v1alpha1.ConditionAdmitted, v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy)
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		v.Reason, v.Message = c.Reason, c.Message
	}
	if task.Finished() {
		v.Finished = formatDuration(r.lang, task.Status.CompletionTime.Sub(task.CreationTimestamp.Time))
	} else if limit := task.Spec.StartDeadline.Or(0); limit > 0 && task.Status.StartTime == nil {
		v.Until = task.CreationTimestamp.Add(limit)
	}
	v.Problems = slices.DeleteFunc(slices.Clone(task.Status.Preflight), func(p v1alpha1.Problem) bool { return p.Message == v.Message && p.Remedy == "" })
	v.Repeated = len(v.Problems) > 0 && strings.Contains(v.Message, v.Problems[0].Message)
	if task.IsDryRun() {
		v.Check = newCheckView(r.lang, task)
	}
	v.CanCancel = !task.Finished() && (task.Spec.Cancel == nil || !*task.Spec.Cancel)
	v.Again = retryURL(task)
	v.Next, v.Blocked = nextStepOf(r.lang, task, v.State, v.Again), blockedText(r.lang, task)
	if err := v.addDetails(r); err != nil {
		return nil, err
	}
	title := r.lang.Word("action", task.Spec.Action) + " " + v.Instance
	return &view{
		name: "task", titles: []string{title, r.Text("tasks.title")}, section: "tasks", data: v, namespace: namespace, topics: v.topics(),
	}, nil
}

// addDetails adds what is read in addition to the task.
func (v *taskView) addDetails(r *request) (err error) {
	if v.Task.Finished() {
		if v.CanDelete, err = r.Allows(r.Context(), "delete", kube.Tasks, v.Task.Namespace, v.Task.Name); err != nil {
			return err
		}
	}
	if err := v.addSubtasks(r); err != nil {
		return err
	}
	return v.addEvents(r)
}
