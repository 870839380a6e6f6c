package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/plugin/airgap"
	"github.com/appmarket/operator/plugin/hydration"
	"github.com/appmarket/operator/plugin/table"
)

// airgapFlags are the flags of the command airgap.
type airgapFlags struct {
	version, folder         string
	values                  []string
	force, ciValues, lookUp bool
	repository              *repositoryFlags
}

func (f *Factory) newAirgapCommand() *cobra.Command {
	flags := &airgapFlags{}
	c := &cobra.Command{
		Use: "airgap APP...", Short: "Collect the charts and image names of apps for a cluster without internet access",
		Long: "Writes the charts of apps and of the apps that they require to a folder, with lists of their images and a script that copies the images " +
			"to a registry. The charts are read from the repository of the market through the API server, which requires the permission to get services/proxy " +
			"in the namespace of the operator, or directly with --repository-url. README.txt in the folder explains how to use the files. " +
			"The images are those that the apps use with their default values. With --ci-values and --values, the charts are also rendered with other values " +
			"on this machine, to find images that an option of the chart enables. Images that the market has not looked up are looked up in their registries, " +
			"with the docker config of this machine, to copy them by digest.",
		Example: f.example("# Collect two apps", "airgap samples/wiki samples/board --out bundle",
			"# Collect a version, from a repository that this machine reaches", "airgap samples/wiki --version 2.4.0 --repository-url https://market.example.com",
			"# Include the images that an app uses with your values", "airgap samples/wiki --values wiki.yaml",
			"# Copy the images to a registry", "airgap samples/wiki --out bundle && bundle/mirror.sh registry.example/mirror"),
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) == 0 {
				return cmdutil.UsageErrorf(c, "expected the names of apps, got 0 arguments")
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
			return f.completeApps(c, nil, begin)
		},
	}
	c.Flags().StringVar(&flags.version, "version", "", "Version or range of versions, if one app is given. Defaults to the latest stable version.")
	c.Flags().StringVar(&flags.folder, "out", "appmarket-airgap", "Folder for the files.")
	c.Flags().BoolVar(&flags.force, "force", false, "Replace the files of an earlier run in the folder.")
	flags.repository = f.addRepositoryFlags(c)
	c.Flags().BoolVar(&flags.ciValues, "ci-values", false, "Also find the images that the charts use with the values of their tests (ci/*-values.yaml), at most 30 files for each chart.")
	c.Flags().StringArrayVar(&flags.values, "values", nil, "Also find the images that the app uses with the values in a file, if one app is given. Can be repeated.")
	c.Flags().BoolVar(&flags.lookUp, "look-up", true, "Look up the digests of images that the market has not looked up in their registries, at most 500 images.")
	completeFlag(c, "version", noCompletion)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		switch {
		case flags.version != "" && len(arguments) > 1:
			return cmdutil.UsageErrorf(c, "--version requires a single app")
		case len(flags.values) > 0 && len(arguments) > 1:
			return cmdutil.UsageErrorf(c, "--values requires a single app")
		}
		if err := flags.repository.check(c); err != nil {
			return err
		}
		return f.collectApps(c.Context(), flags, arguments)
	}
	return c
}

// collectApps writes the folder of the flags for apps.
func (f *Factory) collectApps(ctx context.Context, flags *airgapFlags, names []string) error {
	ctx, _, stop := waitContexts(ctx, 0)
	defer stop()
	if err := airgap.CheckFolder(flags.folder, flags.force); err != nil {
		if errors.Is(err, airgap.ErrExists) {
			err = fmt.Errorf("%w; use --force to replace the files of an earlier run", err)
		}
		return err
	}
	k, namespace, err := f.connect()
	if err != nil {
		return err
	}
	var requests []airgap.Request
	for _, name := range names {
		app, err := f.getApp(ctx, k, namespace, name)
		if err != nil {
			return err
		}
		requests = append(requests, airgap.Request{App: app, Version: flags.version})
	}
	repository, err := f.openRepository(ctx, k, flags.repository)
	if err != nil {
		return err
	}
	collector := airgap.Collector{
		Repository: repository,
		Find: func(ctx context.Context, of *v1alpha1.AppInfo, name string) (*v1alpha1.AppInfo, error) {
			ref, app := v1alpha1.AppReference{Source: of.Spec.SourceRef.Name, Name: name}, &v1alpha1.AppInfo{}
			return app, k.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: ref.AppInfoName()}, app)
		},
		Report: func(app, version string) {
			fmt.Fprintf(f.Streams.ErrOut, "%s %s\n", printable(app), printable(version))
		},
	}
	if err := f.addInspector(&collector, flags); err != nil {
		return err
	}
	if flags.ciValues || len(flags.values) > 0 {
		finder, err := hydration.NewImageFinder(flags.values, flags.ciValues)
		if err != nil {
			return err
		}
		defer finder.Close()
		collector.FindImages = func(ctx context.Context, fetched *airgap.Chart) ([]hydration.ValuesImages, error) {
			return finder.Find(ctx, fetched.Archive, fetched.RequiredBy == "")
		}
	}
	content, err := collector.Collect(ctx, requests)
	if err != nil {
		return err
	}
	if err := content.Write(flags.folder, flags.force); err != nil {
		return err
	}
	f.printCounts(content)
	f.printResult("%s", flags.folder)
	return nil
}

// addInspector makes a collector look up images if the flags allow it.
func (f *Factory) addInspector(collector *airgap.Collector, flags *airgapFlags) (err error) {
	if !flags.lookUp {
		return nil
	}
	collector.ReportLookups = func(count int) {
		fmt.Fprintf(f.Streams.ErrOut, "Looking up %s in registries\n", text.Count(count, "image", "images"))
	}
	collector.Inspector, err = hydration.NewUserInspector()
	return err
}

// printCounts prints the numbers of charts and images, and of images that can be copied only by tag.
func (f *Factory) printCounts(content *airgap.Content) {
	fmt.Fprintf(f.Streams.ErrOut, "%s, %s%s\n", text.Count(len(content.Charts), "chart", "charts"), text.Count(len(content.Images), "image", "images"),
		imageSizeText(content))
	switch count := len(content.Undigested()); count {
	case 0:
	case 1:
		fmt.Fprintln(f.Streams.ErrOut, "The digest of 1 image is not known: README.txt contains the reason, and images.lock.yml does not contain the image")
	default:
		fmt.Fprintf(f.Streams.ErrOut, "The digests of %d images are not known: README.txt contains the reasons, and images.lock.yml does not contain these images\n", count)
	}
}

// imageSizeText returns the size of the images in a folder, "" if it is unknown.
func imageSizeText(content *airgap.Content) string {
	if content.ImageBytes == 0 {
		return ""
	}
	size := " (" + table.SizeText(content.ImageBytes) + " for all platforms, each layer once"
	if content.Unsized > 0 {
		size += "; the size of " + text.Count(content.Unsized, "image", "images") + " is unknown"
	}
	return size + ")"
}
