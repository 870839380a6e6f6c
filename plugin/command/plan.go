package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/printers"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/plugin/follow"
	"github.com/appmarket/operator/plugin/table"
)

const (
	planCommand  = "plan"
	exitCodeFlag = "exit-code"
	remedyFlag   = "remedy"
)

// deletionTimeout limits the deletion of a dry run at the end of the command.
const deletionTimeout = 5 * time.Second

// errChanges is the error of --exit-code if an operation would change something. It is not printed.
var errChanges = &exitError{code: ExitChanges, cause: errors.New("the operation would change objects")}

// newPlanCommand returns the command with a subcommand for each command that creates a task.
func (f *Factory) newPlanCommand() *cobra.Command {
	c := &cobra.Command{
		Use: planCommand + " COMMAND", Short: "Show what a command would change, without changing it",
		Long: "Shows what another command would change. The operator checks the request as a dry run: it reports all problems at once, " +
			"the subtasks, and the objects that would be created, changed, deleted or retained. Nothing is changed. " +
			"Each subcommand has the arguments and flags of the command of its name.",
		Example: f.example(
			"# Show what an upgrade would change", "plan upgrade wiki -n demo --version 2.4.0",
			"# Apply the manifests that solve the problems of an installation", "plan install samples/hello -n demo --remedy | kubectl apply -f -",
			"# Fail if the values of a file would change objects", "plan configure wiki -n demo -f values.yaml --exit-code"),
	}
	for _, below := range f.newTaskCommands() {
		below.Short, below.Long, below.Example = "Show what the command "+below.Name()+" would change", "", ""
		for _, name := range []string{"wait", "ttl", "run-id", "yes"} {
			if flag := below.Flag(name); flag != nil {
				flag.Hidden = true
			}
		}
		below.Flag("timeout").Usage = "Time after which to stop waiting for the operator. Defaults to no limit."
		if listsObjects(below.Name()) {
			below.Flags().Bool(exitCodeFlag, false, "Exit with code 10 if the operation would change something.")
		}
		below.Flags().Bool(remedyFlag, false, "Print the manifests that solve the problems of the operation.")
		c.AddCommand(below)
	}
	return c
}

// listsObjects reports whether the plan of a command lists the objects that it changes.
func listsObjects(name string) bool {
	return name != "rollback" && !slices.ContainsFunc(plainActions, func(row plainAction) bool { return row.command == name })
}

// isPlan reports whether a command shows what the command of its name would change.
func isPlan(c *cobra.Command) bool { return c.HasParent() && c.Parent().Name() == planCommand }

// planTask creates a dry run of a task, prints what the task would change, and deletes the dry run. Inputs that
// the user has to type are not part of a dry run, because it writes no Secret.
func (f *Factory) planTask(
	ctx context.Context, c *cobra.Command, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask, asked []string,
) error {
	task = taskbuilder.NewCheck(task, func(key string) bool { return slices.Contains(asked, key) })
	if len(asked) > 0 {
		fmt.Fprintf(f.Streams.ErrOut, "not checked: %s, because a plan stores no confidential input\n", strings.Join(asked, ", "))
	}
	if flags.write.dryRun != cmdutil.DryRunNone {
		return f.submitTask(ctx, k, flags, task, nil)
	}
	exitCode := c.Flag(exitCodeFlag) != nil && c.Flag(exitCodeFlag).Value.String() == "true"
	remedy, err := c.Flags().GetBool(remedyFlag)
	if err != nil {
		return err
	}
	ctx, limited, stop := waitContexts(ctx, flags.timeout)
	defer stop()
	if err := k.Create(ctx, task); err != nil {
		return err
	}
	defer f.deleteDryRun(ctx, k, task)
	last := task.DeepCopy()
	err = follow.WaitFor(limited, k, task.DeepCopy(), &v1alpha1.AppInstallTaskList{}, func(current *v1alpha1.AppInstallTask) bool {
		last = current.DeepCopy()
		return follow.ResultOf(last) != follow.InProgress
	})
	switch {
	case ctx.Err() != nil:
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return &exitError{code: ExitTimedOut, cause: fmt.Errorf("the operator has not planned the operation within %s", flags.timeout)}
	case err != nil:
		return err
	case remedy:
		return f.printRemedies([]v1alpha1.AppInstallTask{*last})
	}
	if err := f.printPlan(flags, last); err != nil {
		return err
	}
	if exitCode && hasChanges(last.Status.Plan) {
		return errChanges
	}
	return nil
}

// deleteDryRun deletes the task of a dry run. If that fails, the operator deletes it later.
func (f *Factory) deleteDryRun(ctx context.Context, k client.Client, task *v1alpha1.AppInstallTask) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deletionTimeout)
	defer cancel()
	if err := client.IgnoreNotFound(k.Delete(ctx, task)); err != nil {
		fmt.Fprintf(f.Streams.ErrOut, "warning: cannot delete task %s, which the operator deletes later: %v\n", task.Name, err)
	}
}

// printPlan prints the plan of a dry run, or returns the error with the problems of the operation.
func (f *Factory) printPlan(flags *taskFlags, task *v1alpha1.AppInstallTask) error {
	if flags.write.hasFormat() {
		if err := flags.write.printObjects(f.Streams.Out, task); err != nil {
			return err
		}
	}
	if result := follow.ResultOf(task); result != follow.Succeeded || task.Status.Plan == nil {
		return planError(task)
	}
	if flags.write.hasFormat() {
		return nil
	}
	plan := task.Status.Plan
	for _, step := range plan.Subtasks {
		f.printResult("subtask: %s", subtaskText(step, task.Namespace))
	}
	if len(plan.Objects) > 0 {
		if err := printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(table.PlannedObjects(plan.Objects), f.Streams.Out); err != nil {
			return err
		}
	}
	if more := int(plan.ObjectsCreated+plan.ObjectsChanged+plan.ObjectsDeleted+plan.ObjectsRetained) - len(plan.Objects); more > 0 {
		f.printResult("… and %d more", more)
	}
	for _, line := range table.PlannedContents(plan) {
		f.printResult("%s", printable(line))
	}
	if succeeded := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); succeeded != nil {
		f.printResult("%s", printable(succeeded.Message))
	}
	return nil
}

// subtaskText describes a task that would be created first.
func subtaskText(step v1alpha1.PlannedSubtask, namespace string) string {
	if step.Namespace != "" {
		namespace = step.Namespace
	}
	what := fmt.Sprintf("%s %s/%s", step.Action, namespace, step.Instance)
	if step.Version != "" {
		what += " " + step.Version
	}
	return printable(what)
}

// planError returns the error with all problems of a dry run.
func planError(task *v1alpha1.AppInstallTask) error {
	e := &exitError{code: ExitRejected, cause: fmt.Errorf("%s of instance %s is not possible", task.Spec.Action, task.Instance())}
	if e.details = append(inputLines(task.Status.RequiredInputs), problemLines(task.Status.Preflight, "--"+remedyFlag)...); len(e.details) == 0 {
		e.details = stateLines(task)
	}
	if hasRemedy(task.Status.Preflight) {
		e.hints = []string{"add --" + remedyFlag + " to print the manifests that solve the problems"}
	}
	return e
}

// hasChanges reports whether an operation would change something.
func hasChanges(plan *v1alpha1.Plan) bool {
	return plan != nil && (len(plan.Subtasks) > 0 || plan.ObjectsCreated+plan.ObjectsChanged+plan.ObjectsDeleted > 0)
}
