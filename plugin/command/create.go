package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// createTask creates the task of a request, after the Secret with the inputs that the user types.
// With a dry run it prints the objects instead. With --wait it waits for the end of the task, and otherwise
// prints the command that does. A subcommand of plan prints what the task would change instead.
func (f *Factory) createTask(ctx context.Context, c *cobra.Command, k client.WithWatch, flags *taskFlags, r taskbuilder.Request, asked []string) error {
	if err := flags.write.readDryRun(c); err != nil {
		return err
	}
	r.Suffix, r.Options = f.Suffix(), flags.options
	instance := r.Instance
	if instance == "" {
		instance = r.App.Name
	}
	var texts map[string]string
	if flags.write.dryRun == cmdutil.DryRunClient || isPlan(c) {
		texts = emptyTexts(asked)
	} else {
		var err error
		if texts, err = f.askForSecrets(asked); err != nil {
			return err
		}
	}
	r.Configuration.Inputs = taskbuilder.MergeInputs(r.Configuration.Inputs, taskbuilder.SecretInputs(instance, texts))
	if len(r.Configuration.Inputs) == 0 {
		r.Configuration.Inputs = nil
	}
	task, err := taskbuilder.NewTask(r)
	if err != nil {
		return err
	}
	if isPlan(c) {
		return f.planTask(ctx, c, k, flags, task, asked)
	}
	return f.submitTask(ctx, k, flags, task, texts)
}

// emptyTexts returns empty texts by name, to show which inputs a Secret will have.
func emptyTexts(names []string) map[string]string {
	texts := map[string]string{}
	for _, name := range names {
		texts[name] = ""
	}
	return texts
}

// submitTask creates a task and the Secret with its confidential inputs.
func (f *Factory) submitTask(ctx context.Context, k client.WithWatch, flags *taskFlags, task *v1alpha1.AppInstallTask, texts map[string]string) error {
	switch flags.write.dryRun {
	case cmdutil.DryRunClient:
		return f.printPlanned(flags.write, task, texts)
	case cmdutil.DryRunServer:
		if err := k.Create(ctx, task, client.DryRunAll); err != nil {
			return err
		}
		return flags.write.printObjects(f.Streams.Out, task)
	}
	if len(texts) > 0 {
		// A task that the API server rejects must not leave a Secret.
		if err := k.Create(ctx, task.DeepCopy(), client.DryRunAll); err != nil {
			return err
		}
		if err := f.applyInputsSecret(ctx, k, task, texts); err != nil {
			return err
		}
	}
	if err := k.Create(ctx, task); err != nil {
		return err
	}
	if !flags.wait || !flags.write.hasFormat() {
		if err := flags.write.printObjects(f.Streams.Out, task); err != nil {
			return err
		}
	}
	if !flags.wait {
		if !flags.write.hasFormat() {
			f.printHint(fmt.Sprintf("%s wait %s -n %s", f.Name, task.Name, task.Namespace))
		}
		return nil
	}
	return f.followTask(ctx, k, flags, task)
}

// printPlanned prints the objects that would be created. The Secret has no data.
func (f *Factory) printPlanned(w *writeFlags, task *v1alpha1.AppInstallTask, texts map[string]string) error {
	if len(texts) > 0 {
		fmt.Fprintf(f.Streams.ErrOut, "secret/%s is printed without data; add the data of %s\n",
			taskbuilder.InputsSecretName(task.Instance()), strings.Join(slices.Sorted(maps.Keys(texts)), ", "))
	}
	return w.printObjects(f.Streams.Out, taskbuilder.NewObjects(task, len(texts) > 0)...)
}

// applyInputsSecret writes confidential inputs to the Secret of an instance. Other keys of the Secret
// are kept.
func (f *Factory) applyInputsSecret(ctx context.Context, k client.Client, task *v1alpha1.AppInstallTask, texts map[string]string) error {
	secret := taskbuilder.NewInputsSecret(task.Namespace, task.Instance(), texts)
	err := k.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = changeInputsSecret(ctx, k, client.ObjectKeyFromObject(secret), task.Instance(), texts)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(f.Streams.ErrOut, "secret/%s configured\n", secret.Name)
	return nil
}

// changeInputsSecret changes keys of the Secret that was created for an instance before. It does not change a Secret of
// another creator, or one that changes in the meantime.
func changeInputsSecret(ctx context.Context, k client.Client, key client.ObjectKey, instance string, texts map[string]string) error {
	former := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	// A patch without changes returns the Secret to a user who can patch it, and needs no permission to get it.
	if err := k.Patch(ctx, former, client.RawPatch(types.MergePatchType, []byte("{}"))); err != nil {
		return err
	}
	if !taskbuilder.IsInputsSecret(former, instance) {
		return fmt.Errorf("secret %q in namespace %q was not created for the inputs of instance %q, and is not changed: "+
			"refer to keys of another Secret with --secret-input NAME=SECRET/KEY, or use another name for the instance", key.Name, key.Namespace, instance)
	}
	changed := former.DeepCopy()
	changed.StringData = texts
	return k.Patch(ctx, changed, client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{}))
}

// errNotConfirmed is the error for a question that the user did not confirm.
var errNotConfirmed = errors.New("not confirmed; nothing was changed")

// confirm asks the user to confirm an operation, unless the flag --yes is given.
func (f *Factory) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if f.Terminal == nil {
		return errors.New("the input is not a terminal: use --yes to confirm")
	}
	answer, err := f.Terminal.ReadLine(question + " [y/N] ")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errNotConfirmed
	}
	return nil
}
