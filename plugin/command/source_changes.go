package command

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// newChangeSourceCommand returns a command with the name of a source as argument.
func (f *Factory) newChangeSourceCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name + " NAME", Short: short, Example: f.example("# "+short, "source "+name+" samples"),
		Args: exactArgs(1, "the name of a source"), ValidArgsFunction: f.completeSources,
	}
}

func (f *Factory) newSourceSyncCommand() *cobra.Command {
	var w waitTimeout
	c := f.newChangeSourceCommand("sync", "Check a source for changes now")
	write := newWriteFlags(c, "annotated")
	w.addFlags(c, "the source was synchronized and is ready")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		request := f.Now().UTC().Format(time.RFC3339Nano)
		k, source, err := f.changeSource(c, write, arguments[0], func(source *v1alpha1.MarketSource) {
			if source.Annotations == nil {
				source.Annotations = map[string]string{}
			}
			source.Annotations[v1alpha1.ReconcileRequestAnnotation] = request
		})
		if err != nil || k == nil || !w.wait {
			return err
		}
		return f.followSource(c.Context(), k, source, w.timeout, request)
	}
	return c
}

func (f *Factory) newSourceSuspendCommand(name, short string, suspend bool) *cobra.Command {
	c := f.newChangeSourceCommand(name, short)
	done := "suspended"
	if !suspend {
		done = "resumed"
	}
	write := newWriteFlags(c, done)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		_, _, err := f.changeSource(c, write, arguments[0], func(source *v1alpha1.MarketSource) { source.Spec.Suspend = &suspend })
		return err
	}
	return c
}

// changeSource changes a source. It returns no client for a dry run.
func (f *Factory) changeSource(
	c *cobra.Command, write *writeFlags, name string, change func(*v1alpha1.MarketSource),
) (client.WithWatch, *v1alpha1.MarketSource, error) {
	if err := write.readDryRun(c); err != nil {
		return nil, nil, err
	}
	k, namespace, err := f.connect()
	if err != nil {
		return nil, nil, err
	}
	source, err := f.findSource(c.Context(), k, namespace, name)
	if err != nil {
		return nil, nil, err
	}
	before := source.DeepCopy()
	change(source)
	var done client.WithWatch
	switch write.dryRun {
	case cmdutil.DryRunClient:
	case cmdutil.DryRunServer:
		err = k.Patch(c.Context(), source, client.MergeFrom(before), client.DryRunAll)
	default:
		done, err = k, k.Patch(c.Context(), source, client.MergeFrom(before))
	}
	if err != nil {
		return nil, nil, err
	}
	return done, source, write.printObjects(f.Streams.Out, source)
}

func (f *Factory) newSourceRemoveCommand() *cobra.Command {
	c := f.newChangeSourceCommand("remove", "Remove a source and its apps from the market")
	c.Long = "Removes a MarketSource with its AppInfos. Installed apps are not changed, but cannot be upgraded."
	write := newWriteFlags(c, "deleted")
	yes := c.Flags().BoolP("yes", "y", false, "Do not ask for confirmation.")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if err := write.readDryRun(c); err != nil {
			return err
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		source, err := f.findSource(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		switch write.dryRun {
		case cmdutil.DryRunClient:
		case cmdutil.DryRunServer:
			err = k.Delete(c.Context(), source, client.DryRunAll)
		default:
			if err = f.confirm(*yes, fmt.Sprintf("Remove source %s/%s and its apps?", source.Namespace, source.Name)); err == nil {
				err = k.Delete(c.Context(), source)
			}
		}
		if err != nil {
			return err
		}
		return write.printObjects(f.Streams.Out, source)
	}
	return c
}
