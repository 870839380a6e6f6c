package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/plugin/follow"
	"github.com/appmarket/operator/plugin/table"
)

func (f *Factory) newInputsCommand() *cobra.Command {
	var given configurationFlags
	c := f.newTaskCommand("inputs", "configured", "Specify the inputs that a task waits for", "inputs install-wiki-x7k2p -n demo --wait",
		func(c *cobra.Command, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask) error {
			return f.specifyInputs(c, k, flags, &given, task)
		})
	c.Long = "Specifies the inputs that a task waits for. On a terminal, the command asks for each input that no flag specifies."
	given.inputs.addFlags(c)
	return c
}

// specifyInputs specifies the inputs of a task. The user answers before the task is changed, so that a
// conflict with the operator costs no answer.
func (f *Factory) specifyInputs(c *cobra.Command, k client.WithWatch, flags *taskFlags, g *configurationFlags, task *v1alpha1.AppInstallTask) error {
	given, err := g.inputs.parse(f.Streams.In)
	if err != nil {
		return err
	}
	if task.Finished() {
		// The operator does not read the inputs of a task that has ended.
		return f.endedError(task)
	}
	if task.Spec.DeepCopy().EnsureConfiguration() == nil {
		return fmt.Errorf("action %s of task %s has no inputs", task.Spec.Action, task.Name)
	}
	a, err := f.answerInputs(task, given)
	if err != nil {
		return err
	}
	if flags.write.dryRun == cmdutil.DryRunNone && len(a.secret) > 0 {
		if err := f.applyInputsSecret(c.Context(), k, task, a.secret); err != nil {
			return err
		}
	}
	task, err = f.changeTask(c, k, flags, task.Name, func(task *v1alpha1.AppInstallTask) {
		configuration := task.Spec.EnsureConfiguration()
		configuration.Inputs = taskbuilder.MergeInputs(configuration.Inputs, a.inputs)
		configuration.Inputs = taskbuilder.MergeInputs(configuration.Inputs, taskbuilder.SecretInputs(task.Instance(), a.secret))
	})
	if err != nil || !flags.follows() {
		return err
	}
	return f.followTask(c.Context(), k, flags, task)
}

// endedError returns the error for a task that has ended and cannot be changed any more.
func (f *Factory) endedError(task *v1alpha1.AppInstallTask) error {
	hint := fmt.Sprintf("%s retry %s -n %s", f.Name, task.Name, task.Namespace)
	if follow.ResultOf(task) == follow.Succeeded {
		hint = fmt.Sprintf("%s configure %s -n %s", f.Name, task.Instance(), task.Namespace)
	}
	return withHint(fmt.Errorf("task %s has already ended: %s; nothing was changed", task.Name, table.TaskState(task)), hint)
}

// answers are the inputs that the user has specified.
type answers struct {
	inputs []v1alpha1.InputValue
	// secret contains confidential texts by the name of the input.
	secret map[string]string
}

// answerInputs returns the inputs of the flags, and asks for the other inputs that the task waits for.
func (f *Factory) answerInputs(task *v1alpha1.AppInstallTask, given givenInputs) (answers, error) {
	isAnswered := func(input v1alpha1.Input) bool {
		return slices.Contains(given.asked, input.Name) ||
			slices.ContainsFunc(given.inputs, func(value v1alpha1.InputValue) bool { return value.Name == input.Name })
	}
	open := slices.DeleteFunc(slices.Clone(task.Status.RequiredInputs), isAnswered)
	isGiven := len(given.inputs)+len(given.asked) > 0
	if len(open) == 0 && !isGiven {
		return answers{}, fmt.Errorf("task %s does not wait for input", task.Name)
	}
	if f.Terminal == nil && !isGiven {
		return answers{}, &exitError{
			code: ExitError, cause: fmt.Errorf("task %s waits for %s, and the input is not a terminal: use --input and --secret-input",
				task.Name, text.Count(len(open), "input", "inputs")),
			details: inputLines(open),
		}
	}
	secret, err := f.askForSecrets(given.asked)
	if err != nil || f.Terminal == nil {
		return answers{inputs: given.inputs, secret: secret}, err
	}
	a := answers{inputs: given.inputs, secret: secret}
	for _, input := range open {
		if err := f.askForInput(input, &a); err != nil {
			return a, err
		}
	}
	return a, nil
}
