package command

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/plugin/follow"
	"github.com/appmarket/operator/plugin/table"
)

// watchView shows the objects that are watched.
type watchView interface {
	// show shows the changes since the last call, or all objects.
	show(changes []watchChange, groups []watchGroup) error
	// isTree reports whether show draws all objects again, also if nothing has changed.
	isTree() bool
}

// newWatchView returns the view for the output: a tree on a terminal, otherwise lines, or objects in the
// format of the flags.
func (f *Factory) newWatchView(target watchTarget, w *writeFlags) (watchView, error) {
	switch {
	case w.hasFormat() && *w.print.OutputFormat != wideFormat:
		printer, err := w.newPrinter()
		return &objectView{f: f, printer: printer}, err
	case f.Screen != nil:
		return &treeView{f: f, target: target}, nil
	}
	return &lineView{f: f, target: target, printed: map[string]string{}}, nil
}

// objectView prints each changed object.
type objectView struct {
	f       *Factory
	printer printers.ResourcePrinter
}

func (v *objectView) isTree() bool { return false }

func (v *objectView) show(changes []watchChange, _ []watchGroup) error {
	for _, change := range changes {
		if change.removed {
			continue
		}
		// A copy, because the printer sets the kind, which the client removes.
		if err := v.printer.PrintObj(change.object.DeepCopyObject(), v.f.Streams.Out); err != nil {
			return err
		}
	}
	return nil
}

// lineView prints a line for each change.
type lineView struct {
	f       *Factory
	target  watchTarget
	printed map[string]string
	started bool
}

func (v *lineView) isTree() bool { return false }

func (v *lineView) show(changes []watchChange, groups []watchGroup) error {
	if !v.started && len(groups) == 0 {
		fmt.Fprintln(v.f.Streams.ErrOut, noneFound("apps and tasks", v.target.namespace, v.target.namespace == ""))
	}
	v.started = true
	for _, change := range changes {
		name, state := watchedLine(change.object)
		if change.removed {
			state = "deleted"
		}
		if v.printed[name] == state {
			continue
		}
		v.printed[name] = state
		// Tasks that had ended before are history.
		task, isTask := change.object.(*v1alpha1.AppInstallTask)
		if change.first && isTask && task.Finished() && v.target.task == "" {
			continue
		}
		if _, err := fmt.Fprintf(v.f.Streams.Out, "%s  %s\n", name, state); err != nil {
			return err
		}
	}
	return nil
}

// watchedLine returns the name of an object and its state.
func watchedLine(object client.Object) (name, state string) {
	switch o := object.(type) {
	case *v1alpha1.AppInstance:
		parts := []string{table.InstanceState(o)}
		if o.Status.Version != "" {
			parts = append(parts, o.Status.Version)
		}
		if c := meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			parts = append(parts, printable(c.Message))
		}
		return "instance " + o.Namespace + "/" + o.Name, strings.Join(parts, "  ")
	case *v1alpha1.AppInstallTask:
		state := table.TaskState(o)
		if progress := progressLines(o); len(progress) > 0 {
			state += "  " + progress[len(progress)-1]
		}
		return "task " + o.Namespace + "/" + o.Name, state
	}
	return object.GetName(), ""
}

// progressLines returns a line for each milestone that an unfinished task has reached, and the reason why
// it waits, or the result of a task that has ended.
func progressLines(task *v1alpha1.AppInstallTask) []string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil {
		return nil
	}
	if task.Finished() {
		return []string{printable(c.Message)}
	}
	var lines []string
	for _, milestone := range follow.Milestones {
		if reached := meta.FindStatusCondition(task.Status.Conditions, milestone); reached != nil && reached.Status == metav1.ConditionTrue {
			lines = append(lines, milestone+"  "+printable(reached.Message))
		}
	}
	if c.Reason != v1alpha1.ReasonProgressing {
		lines = append(lines, printable(c.Message))
	}
	return lines
}

// treeView draws all objects on a terminal.
type treeView struct {
	f      *Factory
	target watchTarget
}

func (v *treeView) isTree() bool { return true }

func (v *treeView) show(_ []watchChange, groups []watchGroup) error {
	var lines []string
	for _, group := range groups {
		lines = append(lines, v.groupLines(group)...)
	}
	if len(lines) == 0 {
		lines = []string{noneFound("apps and unfinished tasks", v.target.namespace, v.target.namespace == "")}
	}
	return v.f.Screen.Show(lines)
}

// groupLines returns the lines of an instance and its tasks. If all objects of a namespace are watched,
// finished tasks are left out, and an instance without a problem has one line.
func (v *treeView) groupLines(group watchGroup) []string {
	isSummary := v.target.instance == ""
	tasks := group.tasks
	if isSummary {
		tasks = slices.DeleteFunc(slices.Clone(tasks), func(task v1alpha1.AppInstallTask) bool { return task.Finished() })
	}
	var lines []string
	switch {
	case group.instance != nil:
		lines = append(lines, statusLine(group.instance))
	case len(tasks) > 0:
		lines = append(lines, notInstalledLine(group.namespace, group.name, tasks))
	default:
		return nil
	}
	branches := v.f.progressBranches(tasks)
	switch {
	case group.instance == nil:
	case !isSummary:
		branches = append(branches, instanceBranches(group.instance)...)
	case len(tasks) == 0 && hasProblem(group.instance):
		if c := meta.FindStatusCondition(group.instance.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			branches = append(branches, branch{line: c.Reason + "  " + printable(c.Message)})
		}
	}
	return append(lines, treeLines(branches)...)
}

// progressBranches returns the branches of the newest tasks, with the milestones of those that have not
// ended.
func (f *Factory) progressBranches(tasks []v1alpha1.AppInstallTask) []branch {
	branches := f.taskBranches(tasks)
	for i := range branches {
		if !tasks[i].Finished() {
			branches[i].below = progressLines(&tasks[i])
		}
	}
	return branches
}

// hasProblem reports whether the state of an instance is one that users do not want.
func hasProblem(instance *v1alpha1.AppInstance) bool {
	switch transitions.StateOf(instance) {
	case transitions.InstallFailed, transitions.ChangeFailed, transitions.UninstallFailed, transitions.Unhealthy:
		return true
	}
	return false
}
