package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// taskFlags are the flags of a command that creates a task.
type taskFlags struct {
	write   *writeFlags
	options taskbuilder.Options
	wait    bool
	timeout time.Duration
}

// newTaskFlags adds the flags that every command has that creates a task.
func (f *Factory) newTaskFlags(c *cobra.Command) *taskFlags {
	t := &taskFlags{write: newWriteFlags(c, "created")}
	flags := c.Flags()
	flags.StringVar(&t.options.ServiceAccountName, "service-account", "", "Service account that Helm uses. Defaults to the service account of the instance, or default.")
	addChoice(c, &t.options.OnUnmetRequirement, "on-unmet-requirement", "What the task does if a requirement is not met that may be met later. Defaults to fail.",
		v1alpha1.UnmetRequirementFail, v1alpha1.UnmetRequirementWait)
	flags.DurationVar(&t.options.Timeout, "operation-timeout", 0, "Time limit of the operation, and then of the objects becoming ready. Defaults to 10m.")
	flags.DurationVar(&t.options.StartDeadline, "deadline", 0, "Time within which the task must be admitted. Defaults to no limit.")
	flags.DurationVar(&t.options.TTL, "ttl", 0, "Time after which the completed task is deleted. Defaults to never.")
	flags.StringVar(&t.options.RunID, "run-id", "", "Value that distinguishes this request from an equal one.")
	flags.BoolVar(&t.wait, "wait", false, "Wait until the task has ended, and print its progress.")
	flags.DurationVar(&t.timeout, "timeout", 0, "With --wait: time after which to stop waiting. The task continues. Defaults to no limit.")
	completeFlag(c, "service-account", noCompletion)
	return t
}

// follows reports whether the command waits for the end of the task.
func (t *taskFlags) follows() bool { return t.wait && t.write.dryRun == cmdutil.DryRunNone }

// addFailurePolicy adds the flag for what happens to the changes of a task that fails.
func (t *taskFlags) addFailurePolicy(c *cobra.Command, options ...v1alpha1.FailurePolicy) {
	addChoice(c, &t.options.OnFailure, "on-failure", "What happens to the changes if the task fails. Defaults to keep.", options...)
}

// writeFlags are the flags of a command that writes.
type writeFlags struct {
	print  *genericclioptions.PrintFlags
	dryRun cmdutil.DryRunStrategy
}

func newWriteFlags(c *cobra.Command, done string) *writeFlags {
	w := &writeFlags{print: genericclioptions.NewPrintFlags(done)}
	addPrintFlags(w.print, c)
	cmdutil.AddDryRunFlag(c)
	completeFlag(c, "dry-run", fixedCompletion("none", "client", "server"))
	completeFlag(c, "output", fixedCompletion(w.print.AllowedFormats()...))
	return w
}

// readDryRun reads the flag --dry-run.
func (w *writeFlags) readDryRun(c *cobra.Command) error {
	strategy, err := cmdutil.GetDryRunStrategy(c)
	w.dryRun = strategy
	cmdutil.PrintFlagsWithDryRunStrategy(w.print, strategy)
	return err
}

// hasFormat reports whether the user has chosen a format.
func (w *writeFlags) hasFormat() bool { return *w.print.OutputFormat != "" }

// newPrinter returns the printer of the flags.
func (w *writeFlags) newPrinter() (printers.ResourcePrinter, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return w.print.WithTypeSetter(scheme).ToPrinter()
}

// printObjects prints objects in the format of the flags.
func (w *writeFlags) printObjects(out io.Writer, objects ...runtime.Object) error {
	printer, err := w.newPrinter()
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := setKinds(o); err != nil {
			return err
		}
		// The printer of names prints no lists.
		if *w.print.OutputFormat == "name" && meta.IsListType(o) {
			if err := meta.EachListItem(o, func(item runtime.Object) error { return printer.PrintObj(item, out) }); err != nil {
				return err
			}
			continue
		}
		if err := printer.PrintObj(o, out); err != nil {
			return err
		}
	}
	return nil
}

// setKinds sets the kinds of the items of a list, which some clients leave out.
func setKinds(o runtime.Object) error {
	if !meta.IsListType(o) {
		return nil
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	return meta.EachListItem(o, func(item runtime.Object) error {
		kinds, _, err := scheme.ObjectKinds(item)
		if err == nil {
			item.GetObjectKind().SetGroupVersionKind(kinds[0])
		}
		return err
	})
}

// configurationFlags are the flags for the version and the configuration of an app.
type configurationFlags struct {
	version, title, credential, purchase string
	entrances                            []string
	data                                 v1alpha1.DataPolicy
	onMissing                            v1alpha1.MissingInputPolicy
	values                               valueFlags
	inputs                               inputFlags
}

// addFlags adds the flags. keeps specifies whether the values of an instance are kept.
func (g *configurationFlags) addFlags(c *cobra.Command, keeps bool) {
	flags := c.Flags()
	flags.StringVar(&g.title, "title", "", "Display name of the instance.")
	flags.StringArrayVar(&g.entrances, "entrance", nil, "Title of an entrance of the app as NAME=TITLE.")
	flags.StringVar(&g.credential, "credential", "", "Credential for an app that must be purchased, as SECRET/KEY.")
	flags.StringVar(&g.purchase, "purchase-request", "", "Signed purchase request, as SECRET/KEY.")
	addDataPolicy(c, &g.data)
	addChoice(c, &g.onMissing, "on-missing-input", "What the task does if an input is missing or invalid. Defaults to wait.",
		v1alpha1.MissingInputWait, v1alpha1.MissingInputFail)
	g.values.addFlags(c, keeps)
	g.inputs.addFlags(c)
}

// addVersion adds the flag for the version of the app.
func (g *configurationFlags) addVersion(c *cobra.Command, standard string) {
	c.Flags().StringVar(&g.version, "version", "", "Version or range of versions. Defaults to "+standard+".")
}

func addDataPolicy(c *cobra.Command, policy *v1alpha1.DataPolicy) {
	addChoice(c, policy, "data", "Whether volumes are retained when the instance is uninstalled. Defaults to the policy of the instance, or retain.",
		v1alpha1.DataRetain, v1alpha1.DataDelete)
}

// configuration returns the configuration of the flags. present contains the values of the instance
// that are kept, if values are given. It also returns the names of the inputs that the user has to
// type.
func (g *configurationFlags) configuration(present *runtime.RawExtension, stdin io.Reader) (v1alpha1.AppConfiguration, []string, error) {
	configuration := v1alpha1.AppConfiguration{Title: g.title, DataPolicy: g.data}
	var err error
	if configuration.Values, err = g.values.encode(present, stdin); err != nil {
		return configuration, nil, err
	}
	if configuration.ValuesFrom, err = g.values.references(); err != nil {
		return configuration, nil, err
	}
	given, err := g.inputs.parse(stdin)
	if err != nil {
		return configuration, nil, err
	}
	configuration.Inputs = given.inputs
	for _, entrance := range g.entrances {
		name, title, found := strings.Cut(entrance, "=")
		if !found {
			return configuration, nil, fmt.Errorf("--entrance %s: must have the form NAME=TITLE", entrance)
		}
		configuration.Entrances = append(configuration.Entrances, v1alpha1.EntranceTitle{Name: name, Title: title})
	}
	if configuration.CredentialSecretRef, err = optionalReference("credential", g.credential); err != nil {
		return configuration, nil, err
	}
	configuration.PurchaseRequestSecretRef, err = optionalReference("purchase-request", g.purchase)
	return configuration, given.asked, err
}

// optionalReference parses a flag with a reference, nil for an empty flag.
func optionalReference(flag, reference string) (*v1alpha1.KeyReference, error) {
	if reference == "" {
		return nil, nil
	}
	ref, err := taskbuilder.ParseKeyReference(reference)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return ref, nil
}
