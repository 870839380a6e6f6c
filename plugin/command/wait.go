package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/plugin/follow"
)

// maxMessage is the maximum length of a message of the operator in bytes.
const maxMessage = 2000

// newWaitCommand returns the command that waits for a task.
func (f *Factory) newWaitCommand() *cobra.Command {
	flags := &taskFlags{wait: true}
	c := &cobra.Command{
		Use:   "wait TASK",
		Short: "Wait until a task has ended, and print its progress",
		Example: f.example("# Follow a task that another command has created",
			"wait install-wiki-x7k2p -n demo --timeout=10m"),
		Args: exactArgs(1, "the name of a task"),
		RunE: func(c *cobra.Command, arguments []string) error {
			k, namespace, err := f.connect()
			if err != nil {
				return err
			}
			task, err := getTask(c.Context(), k, namespace, arguments[0])
			if err != nil {
				return err
			}
			return f.followTask(c.Context(), k, flags, task)
		},
		ValidArgsFunction: f.completeTasks,
	}
	flags.write = newPrintOnlyFlags(c)
	c.Flags().DurationVar(&flags.timeout, "timeout", 0, "Time after which to stop waiting. The task continues. Defaults to no limit.")
	return c
}

// followTask waits for the end of a task, and prints its progress and its result.
func (f *Factory) followTask(ctx context.Context, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask) error {
	ctx, limited, stop := waitContexts(ctx, flags.timeout)
	defer stop()
	progress := follow.NewProgress(f.Streams.ErrOut)
	last := task
	err := follow.WaitFor(limited, k, task.DeepCopy(), &v1alpha1.AppInstallTaskList{}, func(current *v1alpha1.AppInstallTask) bool {
		last = current.DeepCopy()
		progress.PrintTask(last)
		return follow.ResultOf(last) != follow.InProgress
	})
	switch {
	case ctx.Err() != nil:
		return f.continuesError(last, ExitInterrupted, "interrupted")
	case errors.Is(err, context.DeadlineExceeded):
		return f.continuesError(last, ExitTimedOut, fmt.Sprintf("timed out after %s", flags.timeout))
	case errors.Is(err, follow.ErrDeleted):
		return fmt.Errorf("task %s was deleted", task.Name)
	case err != nil:
		return err
	}
	if flags.write.hasFormat() {
		if err := flags.write.printObjects(f.Streams.Out, last); err != nil {
			return err
		}
	}
	if follow.ResultOf(last) != follow.Succeeded {
		return f.resultError(last)
	}
	if !flags.write.hasFormat() {
		f.printResult("%s", successText(last))
	}
	return nil
}

// waitContexts returns a context that ends with Ctrl-C, and one that also ends after a timeout, unless
// it is 0.
func waitContexts(ctx context.Context, timeout time.Duration) (interruptible, limited context.Context, stop func()) {
	interruptible, stopSignals := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	if timeout <= 0 {
		return interruptible, interruptible, stopSignals
	}
	limited, cancel := context.WithTimeout(interruptible, timeout)
	return interruptible, limited, func() {
		cancel()
		stopSignals()
	}
}

// continuesError returns the error for a task that is no longer waited for.
func (f *Factory) continuesError(task *v1alpha1.AppInstallTask, code int, why string) error {
	subject := fmt.Sprintf(" %s -n %s", task.Name, task.Namespace)
	return &exitError{
		code: code, cause: fmt.Errorf("%s; task %s continues", why, task.Name), details: stateLines(task),
		hints: []string{f.Name + " wait" + subject, f.Name + " cancel" + subject},
	}
}

// resultError returns the error for a task that has failed or needs inputs.
func (f *Factory) resultError(task *v1alpha1.AppInstallTask) error {
	in := " -n " + task.Namespace
	switch result := follow.ResultOf(task); result {
	case follow.NeedsInput:
		return &exitError{
			code: ExitNeedsInput, cause: fmt.Errorf("task %s waits for input", task.Name),
			details: inputLines(task.Status.RequiredInputs), hints: []string{f.Name + " inputs " + task.Name + in},
		}
	case follow.Rejected:
		e := &exitError{code: ExitRejected, cause: fmt.Errorf("task %s was rejected; nothing was changed", task.Name)}
		remedy := fmt.Sprintf("%s tasks %s%s --remedy", f.Name, task.Name, in)
		if e.details = append(inputLines(task.Status.RequiredInputs), problemLines(task.Status.Preflight, remedy)...); len(e.details) == 0 {
			e.details = stateLines(task)
		}
		if e.hints = f.takenHints(task); hasRemedy(task.Status.Preflight) {
			e.hints = []string{
				remedy + " | kubectl apply -f -",
				fmt.Sprintf("%s retry %s%s --wait", f.Name, task.Name, in),
			}
		}
		if task.Spec.ServiceAccountName == "" && isDenied(task.Status.Preflight) {
			e.hints = append(e.hints, "add --service-account NAME to use a service account that has the permissions")
		}
		return e
	case follow.Canceled, follow.Interrupted:
		return &exitError{code: ExitCanceled, cause: fmt.Errorf("task %s was %s", task.Name, strings.ToLower(string(result))), details: stateLines(task)}
	}
	return &exitError{
		code: ExitFailed, cause: fmt.Errorf("task %s failed", task.Name), details: stateLines(task),
		hints: []string{f.Name + " status " + task.Instance() + in},
	}
}

// stateLines returns a line with the reason and the message of the result of a task, or of its present
// state. There is none before the operator has seen the task.
func stateLines(task *v1alpha1.AppInstallTask) []string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil {
		return nil
	}
	return []string{reasonLine(c.Reason, c.Message)}
}

// reasonLine returns a line with a reason and a message.
func reasonLine(reason, message string) string {
	return fmt.Sprintf("  %-22s %s", reason, printable(message))
}

// inputLines returns a line for each missing or invalid input.
func inputLines(inputs []v1alpha1.Input) []string {
	if len(inputs) == 0 {
		return nil
	}
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, input := range inputs {
		fmt.Fprintf(columns, "  %s\t%s\t%s\t%s\n", printable(input.Name), printable(input.Type), printable(input.Problem),
			printable(cmp.Or(input.Title, input.Description)))
	}
	// A strings.Builder does not fail.
	_ = columns.Flush()
	var lines []string
	for line := range strings.Lines(table.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

// takenHints returns commands for a task that was rejected because its instance is installed.
func (f *Factory) takenHints(task *v1alpha1.AppInstallTask) []string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	// The message about a Helm release of no instance starts with the release, and names the actions.
	if c == nil || c.Reason != v1alpha1.ReasonAlreadyInstalled || strings.HasPrefix(c.Message, "Helm release ") {
		return nil
	}
	return []string{
		fmt.Sprintf("%s upgrade %s -n %s", f.Name, task.Instance(), task.Namespace),
		"add --name NAME to install the app again under another name",
	}
}

// remedyPath matches the path of a remedy in the status of a task.
var remedyPath = regexp.MustCompile(`status\.preflight\[\d+\]\.remedy`)

// problemLines returns a line for each problem. The missing inputs of a task are not among them. remedy is the command
// that prints the remedies, to which messages refer by the path of the field.
func problemLines(problems []v1alpha1.Problem, remedy string) []string {
	var lines []string
	for _, problem := range problems {
		if problem.Reason != v1alpha1.ReasonWaitingForInput {
			lines = append(lines, reasonLine(problem.Reason, remedyPath.ReplaceAllLiteralString(problem.Message, "the output of "+remedy)))
		}
	}
	return lines
}

// isDenied reports whether the service account of a task lacks permissions.
func isDenied(problems []v1alpha1.Problem) bool {
	return slices.ContainsFunc(problems, func(p v1alpha1.Problem) bool { return p.Reason == v1alpha1.ReasonPermissionDenied })
}

func hasRemedy(problems []v1alpha1.Problem) bool {
	for _, problem := range problems {
		if problem.Remedy != "" {
			return true
		}
	}
	return false
}

// printable returns a text of an app or of the operator on one line, without control characters,
// which a terminal would interpret.
func printable(long string) string { return text.Printable(text.OneLine(long, maxMessage), maxMessage) }

// waitTimeout adds the flags of a command that waits for something other than a task.
type waitTimeout struct {
	wait    bool
	timeout time.Duration
}

func (w *waitTimeout) addFlags(c *cobra.Command, until string) {
	c.Flags().BoolVar(&w.wait, "wait", false, "Wait until "+until+".")
	c.Flags().DurationVar(&w.timeout, "timeout", 0, "With --wait: time after which to stop waiting. Defaults to no limit.")
}
