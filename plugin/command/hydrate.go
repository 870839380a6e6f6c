package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/appmarket/operator/plugin/hydration"
)

func (f *Factory) newHydrateCommand() *cobra.Command {
	o := hydration.Options{}
	c := &cobra.Command{
		Use: "hydrate CHART", Short: "Hydrate a chart on this machine and print each step",
		Long: "Runs the five steps by which a market publishes a chart, without a cluster, and prints the result of each step, the images, the required inputs " +
			"and the warnings. CHART is a directory or an archive (.tgz). A chart with an OlaresManifest.yaml is hydrated with the profile Olares, " +
			"other charts with the profile Helm, unless --profile is given. The exit code is 1 if a step fails.",
		Example: f.example("# Find out whether a market accepts a chart", "hydrate charts/wiki",
			"# Keep the published chart", "hydrate wiki-2.4.0.tgz --out repository",
			"# Hydrate a chart with an Olares manifest and the values of a platform", "hydrate charts/wiki --values platform.yaml"),
		Args: exactArgs(1, "a chart"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault // Names of files.
		},
	}
	c.Flags().StringVarP(&o.Values, "values", "f", "", "File with values for rendering. They override the values of the profile.")
	c.Flags().StringVar(&o.Params, "params", "", "File with parameters that are merged into values.yaml of the published chart.")
	c.Flags().StringVar(&o.Profile, "profile", "", "Platform profile, Helm or Olares. Defaults to the profile of the chart.")
	c.Flags().StringVar(&o.Out, "out", "", "Directory to which the published chart is written as NAME-VERSION.tgz. If empty, the chart is not kept.")
	c.Flags().StringToStringVar(&o.RegistryMirrors, "registry-mirror", nil, "URL of the mirror of a registry, for example docker.io=http://mirror:5000.")
	completeFlag(c, "profile", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"Helm", "Olares"}, cobra.ShellCompDirectiveNoFileComp
	})
	c.RunE = func(c *cobra.Command, arguments []string) error {
		ctx, _, stop := waitContexts(c.Context(), 0)
		defer stop()
		o.Chart = arguments[0]
		return hydration.Run(ctx, o, f.Streams.Out)
	}
	return c
}

// newWorkerCommand returns the command with which hydrate starts this program again to render a chart.
func (f *Factory) newWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use: hydration.WorkerCommand, Short: "Render charts for another process", Hidden: true, Args: exactArgs(0, ""),
		RunE: func(*cobra.Command, []string) error {
			if err := hydration.ServeWorker(f.Streams.In, f.Streams.Out); err != nil {
				return fmt.Errorf("serve render requests: %w", err)
			}
			return nil
		},
	}
}
