package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/util/retry"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/plugin/table"
)

func (f *Factory) newTasksCommand() *cobra.Command {
	var finished, remedy bool
	c := &cobra.Command{
		Use: "tasks [TASK]", Short: "List the tasks that have not ended",
		Example: f.example("# List all tasks, also those that have ended", "tasks -n demo --all",
			"# Apply the manifests that solve the problems of a task", "tasks install-wiki-x7k2p -n demo --remedy | kubectl apply -f -"),
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: f.completeTasks,
	}
	l := newListFlags(c)
	l.addSelector(c)
	l.addAllNamespaces(c)
	l.addWatch(c)
	c.Flags().BoolVar(&finished, "all", false, "Also list the tasks that have ended.")
	c.Flags().BoolVar(&remedy, "remedy", false, "Print the manifests that solve the problems of the tasks.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		if l.watch {
			if remedy {
				return cmdutil.UsageErrorf(c, "--remedy cannot be given with --watch")
			}
			return f.watchTasks(c.Context(), k, l, namespace, append(arguments, "")[0], finished)
		}
		list := &v1alpha1.AppInstallTaskList{}
		if len(arguments) == 1 {
			task, err := getTask(c.Context(), k, namespace, arguments[0])
			if err != nil {
				return err
			}
			list.Items = []v1alpha1.AppInstallTask{*task}
		} else if list, err = l.listTasks(c.Context(), k, namespace, finished); err != nil {
			return err
		}
		switch {
		case remedy:
			return f.printRemedies(list.Items)
		case len(arguments) == 1 && l.hasFormat() && *l.print.OutputFormat != wideFormat:
			return l.printObjects(f.Streams.Out, &list.Items[0])
		}
		what := "tasks"
		if !finished {
			what = "unfinished tasks"
		}
		return f.printList(l, list, table.Tasks(list.Items, l.all, f.Now()), noneFound(what, namespace, l.all))
	}
	return c
}

// listTasks lists tasks. finished specifies whether tasks are included that have ended.
func (l *listFlags) listTasks(ctx context.Context, k client.Client, namespace string, finished bool) (*v1alpha1.AppInstallTaskList, error) {
	list := &v1alpha1.AppInstallTaskList{}
	options, err := l.options(namespace)
	if err != nil {
		return nil, err
	}
	if err := k.List(ctx, list, options...); err != nil {
		return nil, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(task v1alpha1.AppInstallTask) bool { return !finished && task.Finished() })
	return list, nil
}

// watchTasks follows a list of tasks, or the task with a name unless it is empty. finished specifies whether tasks are
// included that had ended before.
func (f *Factory) watchTasks(ctx context.Context, k client.WithWatch, l *listFlags, namespace, name string, finished bool) error {
	options, err := l.options(namespace)
	if err != nil {
		return err
	}
	if name != "" {
		if _, err := getTask(ctx, k, namespace, name); err != nil {
			return err
		}
		options = append(options, client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", name)})
	}
	return f.watchList(ctx, k, l, watchedList{
		empty: &v1alpha1.AppInstallTaskList{}, options: options,
		matches: func(_ context.Context, o client.Object) (bool, error) {
			task, ok := o.(*v1alpha1.AppInstallTask)
			return ok && (finished || name != "" || !task.Finished()), nil
		},
		toTable: func(objects []client.Object) *metav1.Table {
			return table.Tasks(objectsOf[v1alpha1.AppInstallTask](objects), l.all, f.Now())
		},
	})
}

// printRemedies prints the manifests that solve the problems of tasks, each once.
func (f *Factory) printRemedies(tasks []v1alpha1.AppInstallTask) error {
	printed := map[string]bool{}
	for _, task := range tasks {
		for _, problem := range task.Status.Preflight {
			if problem.Remedy == "" || printed[problem.Remedy] {
				continue
			}
			printed[problem.Remedy] = true
			f.printResult("---\n%s", strings.TrimSpace(problem.Remedy))
		}
	}
	if len(printed) == 0 {
		return errors.New("the operator proposes no manifest for the problems of the tasks")
	}
	return nil
}

// newTaskCommand returns a command that reads the task of its argument and can wait until a task has ended. done is what
// it prints of the task that it writes.
func (f *Factory) newTaskCommand(
	name, done, short, example string, run func(c *cobra.Command, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask) error,
) *cobra.Command {
	c := &cobra.Command{
		Use: name + " TASK", Short: short, Example: f.example("# "+short, example),
		Args: exactArgs(1, "the name of a task"), ValidArgsFunction: f.completeTasks,
	}
	flags := &taskFlags{write: newWriteFlags(c, done)}
	c.Flags().BoolVar(&flags.wait, "wait", false, "Wait until the task has ended.")
	c.Flags().DurationVar(&flags.timeout, "timeout", 0, "With --wait: time after which to stop waiting. Defaults to no limit.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if err := flags.write.readDryRun(c); err != nil {
			return err
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		task, err := getTask(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		return run(c, k, flags, task)
	}
	return c
}

func (f *Factory) newCancelCommand() *cobra.Command {
	return f.newTaskCommand("cancel", "canceled", "Cancel a task, and revert its changes", "cancel install-wiki-x7k2p -n demo --wait",
		func(c *cobra.Command, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask) error {
			if task.Finished() {
				return fmt.Errorf("task %s has already ended: %s", task.Name, table.TaskState(task))
			}
			task, err := f.changeTask(c, k, flags, task.Name, func(task *v1alpha1.AppInstallTask) { task.Spec.Cancel = new(true) })
			if err != nil || !flags.follows() {
				return err
			}
			return f.followCanceled(c.Context(), k, flags, task)
		})
}

// followCanceled waits for the end of a task that was canceled, which is a success.
func (f *Factory) followCanceled(ctx context.Context, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask) error {
	err := f.followTask(ctx, k, flags, task)
	var end *exitError
	if errors.As(err, &end) && end.code == ExitCanceled {
		if !flags.write.hasFormat() {
			f.printResult("canceled %s/%s", task.Namespace, task.Name)
		}
		return nil
	}
	return err
}

// changeTask changes the spec of a task, or prints the changed task for a dry run. If the task was
// changed by another client in between, it is read and changed again.
func (f *Factory) changeTask(
	c *cobra.Command, k client.Client, flags *taskFlags, name string, change func(*v1alpha1.AppInstallTask),
) (*v1alpha1.AppInstallTask, error) {
	namespace, err := f.namespaceName()
	if err != nil {
		return nil, err
	}
	var options []client.PatchOption
	if flags.write.dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	var task *v1alpha1.AppInstallTask
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if task, err = getTask(c.Context(), k, namespace, name); err != nil {
			return err
		}
		before := task.DeepCopy()
		change(task)
		if flags.write.dryRun == cmdutil.DryRunClient {
			return nil
		}
		return k.Patch(c.Context(), task, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), options...)
	})
	if err != nil || flags.follows() && flags.write.hasFormat() {
		return task, err
	}
	return task, flags.write.printObjects(f.Streams.Out, task)
}

func (f *Factory) newRetryCommand() *cobra.Command {
	return f.newTaskCommand("retry", "created", "Create a task with the same request as another one", "retry install-wiki-x7k2p -n demo --wait",
		func(c *cobra.Command, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask) error {
			return f.submitTask(c.Context(), k, flags, taskbuilder.NewRetry(task, f.Suffix()), nil)
		})
}
