package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
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
	l := newListFlags(c, true)
	c.Flags().BoolVar(&finished, "all", false, "Also list the tasks that have ended.")
	c.Flags().BoolVar(&remedy, "remedy", false, "Print the manifests that solve the problems of the tasks.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
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
		if remedy {
			return f.printRemedies(list.Items)
		}
		return f.printList(l, list, table.Tasks(list.Items, l.all, f.Now()), noneFound("tasks", namespace, l.all))
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
		return fmt.Errorf("no manifest solves the problems of the tasks")
	}
	return nil
}

// newTaskCommand returns a command with the name of a task as argument.
func (f *Factory) newTaskCommand(name, short, example string) *cobra.Command {
	return &cobra.Command{
		Use: name + " TASK", Short: short, Example: f.example("# "+short, example),
		Args: exactArgs(1, "the name of a task"), ValidArgsFunction: f.completeTasks,
	}
}

func (f *Factory) newCancelCommand() *cobra.Command {
	c := f.newTaskCommand("cancel", "Cancel a task, and revert its changes", "cancel install-wiki-x7k2p -n demo --wait")
	flags := &taskFlags{write: newWriteFlags(c, "canceled")}
	c.Flags().BoolVar(&flags.wait, "wait", false, "Wait until the task has ended.")
	c.Flags().DurationVar(&flags.timeout, "timeout", 0, "With --wait: time after which to stop waiting. Defaults to no limit.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, _, err := f.changeTask(c, flags, arguments[0], func(task *v1alpha1.AppInstallTask) error {
			yes := true
			task.Spec.Cancel = &yes
			return nil
		})
		if err != nil || k == nil || !flags.wait {
			return err
		}
		return f.followCanceled(c.Context(), k, flags, arguments[0])
	}
	return c
}

// followCanceled waits for the end of a task that was canceled, which is a success.
func (f *Factory) followCanceled(ctx context.Context, k client.WithWatch, flags *taskFlags, name string) error {
	namespace, err := f.namespaceName()
	if err != nil {
		return err
	}
	task, err := getTask(ctx, k, namespace, name)
	if err != nil {
		return err
	}
	err = f.followTask(ctx, k, flags, task)
	var end *exitError
	if errors.As(err, &end) && end.code == ExitCanceled {
		f.printResult("canceled %s/%s", namespace, name)
		return nil
	}
	return err
}

// changeTask changes the spec of a task, with the flags of a command that writes. It returns no client
// for a dry run.
func (f *Factory) changeTask(
	c *cobra.Command, flags *taskFlags, name string, change func(*v1alpha1.AppInstallTask) error,
) (client.WithWatch, *v1alpha1.AppInstallTask, error) {
	if err := flags.write.readDryRun(c); err != nil {
		return nil, nil, err
	}
	k, namespace, err := f.connect()
	if err != nil {
		return nil, nil, err
	}
	task, err := getTask(c.Context(), k, namespace, name)
	if err != nil {
		return nil, nil, err
	}
	before := task.DeepCopy()
	if err := change(task); err != nil {
		return nil, nil, err
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	switch flags.write.dryRun {
	case cmdutil.DryRunClient:
		return nil, task, flags.write.printObjects(f.Streams.Out, task)
	case cmdutil.DryRunServer:
		if err := k.Patch(c.Context(), task, patch, client.DryRunAll); err != nil {
			return nil, task, err
		}
		return nil, task, flags.write.printObjects(f.Streams.Out, task)
	}
	if err := k.Patch(c.Context(), task, patch); err != nil {
		return nil, task, err
	}
	if flags.wait && flags.write.hasFormat() {
		return k, task, nil
	}
	return k, task, flags.write.printObjects(f.Streams.Out, task)
}

func (f *Factory) newRetryCommand() *cobra.Command {
	c := f.newTaskCommand("retry", "Create a task with the same request as another one", "retry install-wiki-x7k2p -n demo --wait")
	flags := &taskFlags{write: newWriteFlags(c, "created")}
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
		return f.submitTask(c.Context(), k, flags, taskbuilder.NewRetry(task, f.Suffix()), nil)
	}
	return c
}

func (f *Factory) newInputsCommand() *cobra.Command {
	var given configurationFlags
	c := f.newTaskCommand("inputs", "Specify the inputs that a task waits for", "inputs install-wiki-x7k2p -n demo --wait")
	c.Long = "Specifies the inputs that a task waits for. On a terminal, the command asks for each input that no flag specifies."
	flags := &taskFlags{write: newWriteFlags(c, "configured")}
	given.inputs.addFlags(c)
	c.Flags().BoolVar(&flags.wait, "wait", false, "Wait until the task has ended.")
	c.Flags().DurationVar(&flags.timeout, "timeout", 0, "With --wait: time after which to stop waiting. Defaults to no limit.")
	c.RunE = func(c *cobra.Command, arguments []string) error { return f.runInputs(c, flags, &given, arguments[0]) }
	return c
}

// runInputs specifies the inputs of a task.
func (f *Factory) runInputs(c *cobra.Command, flags *taskFlags, g *configurationFlags, name string) error {
	given, err := g.inputs.parse(f.Streams.In)
	if err != nil {
		return err
	}
	texts := map[string]string{}
	k, task, err := f.changeTask(c, flags, name, func(task *v1alpha1.AppInstallTask) error {
		answers, err := f.answerInputs(task, given)
		if err != nil {
			return err
		}
		maps.Copy(texts, answers.secret)
		if flags.write.dryRun == cmdutil.DryRunNone && len(texts) > 0 {
			writer, err := f.newClient()
			if err != nil {
				return err
			}
			if err := f.applyInputsSecret(c.Context(), writer, task, texts); err != nil {
				return err
			}
		}
		configuration := task.Spec.EnsureConfiguration()
		if configuration == nil {
			return fmt.Errorf("action %s of task %s has no inputs", task.Spec.Action, task.Name)
		}
		configuration.Inputs = taskbuilder.MergeInputs(configuration.Inputs, answers.inputs)
		configuration.Inputs = taskbuilder.MergeInputs(configuration.Inputs, taskbuilder.SecretInputs(task.Instance(), texts))
		return nil
	})
	if err != nil || k == nil || !flags.wait {
		return err
	}
	return f.followTask(c.Context(), k, flags, task)
}

// answers are the inputs that the user has specified.
type answers struct {
	inputs []v1alpha1.InputValue
	// secret contains confidential texts by the name of the input.
	secret map[string]string
}

// answerInputs returns the inputs of the flags, and asks for the other inputs that the task waits for.
func (f *Factory) answerInputs(task *v1alpha1.AppInstallTask, given givenInputs) (answers, error) {
	secret, err := f.askForSecrets(given.asked)
	if err != nil {
		return answers{}, err
	}
	a := answers{inputs: given.inputs, secret: secret}
	var open []v1alpha1.Input
	for _, input := range task.Status.RequiredInputs {
		isGiven := slices.ContainsFunc(a.inputs, func(value v1alpha1.InputValue) bool { return value.Name == input.Name })
		if _, asked := a.secret[input.Name]; !asked && !isGiven {
			open = append(open, input)
		}
	}
	if len(a.inputs)+len(a.secret) > 0 && f.Terminal == nil {
		return a, nil
	}
	if len(open) == 0 && len(a.inputs)+len(a.secret) == 0 {
		return a, fmt.Errorf("task %s does not wait for input", task.Name)
	}
	if f.Terminal == nil {
		return a, &exitError{
			code: ExitError, cause: fmt.Errorf("task %s waits for %d inputs, and the input is not a terminal: use --input and --secret-input", task.Name, len(open)),
			details: inputLines(open),
		}
	}
	for _, input := range open {
		if err := f.askForInput(input, &a); err != nil {
			return a, err
		}
	}
	return a, nil
}

// askForInput asks for an input and adds the answer.
func (f *Factory) askForInput(input v1alpha1.Input, a *answers) error {
	question := printable(input.Name)
	if about := printable(strings.TrimSpace(input.Title + " " + input.Description)); about != "" {
		question += " (" + about + ")"
	}
	var options []string
	for _, option := range input.Options {
		options = append(options, printable(option.Value))
	}
	if len(options) > 0 {
		question += " [" + strings.Join(options, ", ") + "]"
	}
	if input.Secret || input.Type == "password" {
		text, err := f.Terminal.ReadPassword(question + ": ")
		a.secret[input.Name] = text
		return err
	}
	if input.Default != "" {
		question += " (default " + printable(input.Default) + ")"
	}
	text, err := f.Terminal.ReadLine(question + ": ")
	if text == "" {
		text = input.Default
	}
	a.inputs = append(a.inputs, v1alpha1.InputValue{Name: input.Name, Value: &text})
	return err
}
