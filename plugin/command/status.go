package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/plugin/follow"
	"github.com/appmarket/operator/plugin/table"
)

// maxTasksShown is the number of tasks that the status of an instance shows.
const maxTasksShown = 3

func (f *Factory) newStatusCommand() *cobra.Command {
	c := f.newInstanceCommand("status", "Show the state of an installed app: its tasks, objects and revisions", f.example("# Show an app", "status wiki -n demo"))
	w := newPrintOnlyFlags(c)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		instance, err := getInstance(c.Context(), k, namespace, arguments[0])
		if apierrors.IsNotFound(err) && !w.hasFormat() {
			return f.printTasksWithoutInstance(c.Context(), k, namespace, arguments[0], err)
		}
		if err != nil {
			return err
		}
		if w.hasFormat() {
			return w.printObjects(f.Streams.Out, instance)
		}
		tasks, err := listTasksOf(c.Context(), k, namespace, instance.Name)
		if err != nil {
			return err
		}
		f.printStatus(instance, tasks)
		return nil
	}
	return c
}

// printTasksWithoutInstance prints the tasks of an instance that does not exist, such as a rejected
// installation. Without tasks, it returns notFound.
func (f *Factory) printTasksWithoutInstance(ctx context.Context, k client.Client, namespace, name string, notFound error) error {
	tasks, err := listTasksOf(ctx, k, namespace, name)
	if err != nil || len(tasks) == 0 {
		return notFound
	}
	f.printResult("%s", notInstalledLine(namespace, name, tasks))
	f.printTree(f.taskBranches(tasks))
	if follow.ResultOf(&tasks[0]) == follow.NeedsInput {
		f.printHint(fmt.Sprintf("%s inputs %s -n %s", f.Name, tasks[0].Name, namespace))
	}
	return nil
}

// notInstalledLine returns the first line about an instance that does not exist but has tasks.
func notInstalledLine(namespace, name string, tasks []v1alpha1.AppInstallTask) string {
	app := tasks[0].Spec.AppRef
	return fmt.Sprintf("%s/%s  %s/%s  not installed", namespace, name, app.Source, app.Name)
}

// listTasksOf lists the tasks of an instance without dry runs, newest first.
func listTasksOf(ctx context.Context, k client.Client, namespace, instance string) ([]v1alpha1.AppInstallTask, error) {
	var list v1alpha1.AppInstallTaskList
	if err := k.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	tasks := slices.DeleteFunc(list.Items, func(task v1alpha1.AppInstallTask) bool {
		return task.Instance() != instance || task.IsDryRun()
	})
	slices.SortStableFunc(tasks, func(a, b v1alpha1.AppInstallTask) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return tasks, nil
}

// branch is a line of the status with the lines below it.
type branch struct {
	line  string
	below []string
}

// printStatus prints the state of an instance as a tree, and the commands that are likely next.
func (f *Factory) printStatus(instance *v1alpha1.AppInstance, tasks []v1alpha1.AppInstallTask) {
	f.printResult("%s", statusLine(instance))
	branches := append(f.taskBranches(tasks), instanceBranches(instance)...)
	f.printTree(append(branches, f.revisionBranches(instance)...))
	for _, next := range nextCommands(instance, tasks) {
		f.printHint(fmt.Sprintf("%s %s -n %s", f.Name, next, instance.Namespace))
	}
}

// printTree prints lines with lines below them.
func (f *Factory) printTree(branches []branch) {
	for _, line := range treeLines(branches) {
		f.printResult("%s", line)
	}
}

// treeLines returns the lines of branches with the marks of a tree.
func treeLines(branches []branch) []string {
	var lines []string
	for i, b := range branches {
		mark, indent := "├─", "│  "
		if i == len(branches)-1 {
			mark, indent = "└─", "   "
		}
		lines = append(lines, mark+" "+text.WithoutControls(b.line))
		for j, line := range b.below {
			mark := "├─"
			if j == len(b.below)-1 {
				mark = "└─"
			}
			lines = append(lines, indent+mark+" "+text.WithoutControls(line))
		}
	}
	return lines
}

// statusLine returns the first line of the status.
func statusLine(instance *v1alpha1.AppInstance) string {
	parts := []string{instance.Namespace + "/" + instance.Name, instance.Spec.AppRef.Source + "/" + instance.Spec.AppRef.Name}
	if instance.Status.Version != "" {
		parts = append(parts, fmt.Sprintf("%s, revision %d", instance.Status.Version, instance.Status.Revision))
	}
	parts = append(parts, table.InstanceState(instance))
	if update := instance.Status.AvailableUpdate; update != "" {
		parts = append(parts, "update "+update)
	}
	if pinned := instance.Spec.PinnedRevision; pinned != 0 {
		parts = append(parts, fmt.Sprintf("pinned to revision %d", pinned))
	}
	return strings.Join(parts, "  ")
}

// taskBranches returns a branch for each of the newest tasks, with the message of a task that has not
// succeeded.
func (f *Factory) taskBranches(tasks []v1alpha1.AppInstallTask) []branch {
	var branches []branch
	for i := range tasks[:min(len(tasks), maxTasksShown)] {
		task := &tasks[i]
		b := branch{line: fmt.Sprintf("task %s  %s  %s", task.Name, table.TaskState(task), f.agoText(task.CreationTimestamp))}
		if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil && c.Status != metav1.ConditionTrue {
			b.below = []string{printable(c.Message)}
		}
		branches = append(branches, b)
	}
	return branches
}

// agoText returns the time since a point in time.
func (f *Factory) agoText(at metav1.Time) string {
	return duration.HumanDuration(f.Now().Sub(at.Time)) + " ago"
}

// instanceBranches returns the branches about the problems, objects and entrances of an instance.
func instanceBranches(instance *v1alpha1.AppInstance) []branch {
	var branches []branch
	conditions := instance.Status.Conditions
	inventory := instance.Status.Inventory
	healthy := meta.FindStatusCondition(conditions, v1alpha1.ConditionHealthy)
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	isAboutObjects := inventory != nil && healthy != nil && ready != nil && ready.Message == healthy.Message
	if ready != nil && ready.Status != metav1.ConditionTrue && !isAboutObjects {
		branches = append(branches, branch{line: ready.Reason + "  " + printable(ready.Message)})
	}
	if len(instance.Status.Preflight) > 0 {
		b := branch{line: "problems before the operation"}
		for _, problem := range instance.Status.Preflight {
			b.below = append(b.below, problem.Reason+"  "+printable(problem.Message))
		}
		branches = append(branches, b)
	}
	if inventory != nil {
		branches = append(branches, objectsBranch(instance, healthy))
	}
	if verdict := instance.Status.Verification; verdict != nil {
		branches = append(branches, branch{line: "signature  " + printable(verdictText(verdict))})
	}
	for _, entrance := range instance.Status.Entrances {
		if !entrance.Hidden {
			branches = append(branches, branch{line: entranceLine(entrance)})
		}
	}
	return branches
}

// objectsBranch returns the branch about the objects of an instance with an inventory.
func objectsBranch(instance *v1alpha1.AppInstance, healthy *metav1.Condition) branch {
	b := branch{line: fmt.Sprintf("objects  %d of %d ready", instance.Status.Inventory.Ready, instance.Status.Inventory.Total)}
	if healthy != nil && healthy.Status != metav1.ConditionTrue {
		b.below = append(b.below, printable(healthy.Message))
	}
	for _, drifted := range instance.Status.Drift {
		b.below = append(b.below, printable("drifted "+drifted.Object.String()+" "+strings.Join(drifted.Fields, ", ")))
	}
	return b
}

// entranceLine returns the name, the URL or the Service, and the title of an entrance.
func entranceLine(entrance v1alpha1.Entrance) string {
	address := fmt.Sprintf("service %s:%d", entrance.Host, entrance.Port)
	if entrance.URL != "" {
		address = entrance.URL
	}
	return strings.TrimRight(fmt.Sprintf("entrance %s  %s  %s", printable(entrance.Name), printable(address), printable(entrance.Title)), " ")
}

// revisionBranches returns the branch about the revisions to which an instance can be rolled back.
func (f *Factory) revisionBranches(instance *v1alpha1.AppInstance) []branch {
	b := branch{line: "revisions"}
	for _, entry := range instance.Status.History {
		if entry.Revision == 0 {
			continue
		}
		line := fmt.Sprintf("%d  %s %s  %s", entry.Revision, entry.Operation.Type, entry.Operation.Version, f.agoText(entry.EndedAt))
		if entry.Outcome != v1alpha1.OutcomeSucceeded {
			line += "  " + string(entry.Outcome)
		}
		if entry.Revision == instance.Status.Revision {
			line += "  installed"
		}
		b.below = append(b.below, line)
	}
	if len(b.below) == 0 {
		return nil
	}
	return []branch{b}
}

// nextCommands returns the commands that a user is likely to run next. tasks are the tasks of the
// instance, newest first.
func nextCommands(instance *v1alpha1.AppInstance, tasks []v1alpha1.AppInstallTask) []string {
	if len(tasks) > 0 && follow.ResultOf(&tasks[0]) == follow.NeedsInput {
		return []string{"inputs " + tasks[0].Name}
	}
	name := " " + instance.Name
	switch transitions.StateOf(instance) {
	case transitions.ChangeFailed, transitions.Unhealthy:
		if transitions.PreviousRevision(instance) != nil {
			return []string{"rollback" + name}
		}
		return []string{"events" + name}
	case transitions.InstallFailed, transitions.UninstallFailed:
		next := []string{"events" + name}
		if len(tasks) > 0 && tasks[0].Finished() {
			next = append(next, "retry "+tasks[0].Name)
		}
		return append(next, "uninstall"+name)
	case transitions.Stopped:
		return []string{"resume" + name}
	case transitions.Running:
		if instance.Status.AvailableUpdate != "" {
			return []string{"upgrade" + name}
		}
	}
	return nil
}
