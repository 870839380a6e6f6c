package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/airgap"
	"github.com/appmarket/operator/plugin/table"
)

// imagesFlags are the flags of the command images.
type imagesFlags struct {
	platform, source, list string
	allVersions            bool
	repository             *repositoryFlags
}

func (f *Factory) newImagesCommand() *cobra.Command {
	flags := imagesFlags{}
	c := &cobra.Command{
		Use: "images [APP]", Short: "List the container images of an app or a source",
		Long: "Lists the images of the selected version of an app, or of all apps of a source. With -o name, each line is the reference of an image. " +
			"With --all-versions, the images of all served versions are listed, which the repository of the market contains: it is read through the API server, " +
			"which requires the permission to get services/proxy in the namespace of the operator, or directly with --repository-url. " +
			"With --list, the images are printed for a program that copies them: plain for one reference per line, by digest if it is known, hauler for " +
			"a manifest of Hauler, by tag because Hauler loses images without tags, and imgpkg for an ImagesLock of Carvel, which requires the digest of each image. " +
			"The images are those that the apps use with their default values. The command airgap writes the same lists, also with images of other values.",
		Example: f.example("# List the images of an app", "images samples/wiki",
			"# Pull the images of an app", "images samples/wiki -o name | xargs -n 1 docker pull",
			"# List the images of all served versions of an app", "images samples/wiki --all-versions",
			"# Copy the images of a source to a store of Hauler", "images --source samples --list hauler > images.yaml && hauler store sync --filename images.yaml"),
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) > 1 || len(arguments) == 1 == (flags.source != "") {
				return cmdutil.UsageErrorf(c, "expected the name of an app, or --source")
			}
			return nil
		},
		ValidArgsFunction: f.completeApps,
	}
	l := newListFlags(c)
	c.Flags().StringVar(&flags.platform, "platform", "", "List the images that support a platform, such as linux/arm64.")
	c.Flags().StringVar(&flags.source, "source", "", "List the images of the apps of a source.")
	c.Flags().BoolVar(&flags.allVersions, "all-versions", false, "List the images of all served versions.")
	flags.repository = f.addRepositoryFlags(c)
	c.Flags().StringVar(&flags.list, "list", "", "Print a list for a program that copies images: "+strings.Join(airgap.ListFormats, ", ")+".")
	completeFlag(c, "source", func(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
		return f.completeSources(c, nil, begin)
	})
	completeFlag(c, "list", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return airgap.ListFormats, cobra.ShellCompDirectiveNoFileComp
	})
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if flags.list != "" && !slices.Contains(airgap.ListFormats, flags.list) {
			return cmdutil.UsageErrorf(c, "--list: Unsupported value: %q: supported values: %s", flags.list, strings.Join(airgap.ListFormats, ", "))
		}
		if err := flags.repository.check(c); err != nil {
			return err
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		apps, err := f.findAppsOfImages(c.Context(), k, namespace, flags.source, arguments)
		if err != nil {
			return err
		}
		found := newFoundImages(apps)
		if flags.allVersions {
			if err := f.addImagesOfVersions(c.Context(), k, flags.repository, apps, found); err != nil {
				return err
			}
		}
		return f.printImages(l, flags, apps, found)
	}
	return c
}

// findAppsOfImages returns the app of the arguments, or the apps of a source.
func (f *Factory) findAppsOfImages(ctx context.Context, k client.Client, namespace, source string, arguments []string) ([]v1alpha1.AppInfo, error) {
	if source == "" {
		app, err := f.getApp(ctx, k, namespace, arguments[0])
		if err != nil {
			return nil, err
		}
		return []v1alpha1.AppInfo{*app}, nil
	}
	apps, err := f.listApps(ctx, k, namespace)
	if err != nil {
		return nil, err
	}
	apps = slices.DeleteFunc(apps, func(app v1alpha1.AppInfo) bool { return app.Spec.SourceRef.Name != source })
	if len(apps) == 0 {
		return nil, fmt.Errorf("source %q has no apps, or does not exist", source)
	}
	return apps, nil
}

// printImages prints the images of apps, each once.
func (f *Factory) printImages(l *listFlags, flags imagesFlags, apps []v1alpha1.AppInfo, found *foundImages) error {
	images := found.list(flags.platform)
	switch {
	case flags.list != "":
		err := airgap.PrintList(f.Streams.Out, flags.list, flags.platform, images)
		if errors.Is(err, airgap.ErrNoDigest) {
			return withHint(err, f.Name+" airgap APP")
		}
		return err
	case *l.print.OutputFormat == "name":
		for _, image := range images {
			f.printResult("%s", printable(image.Name))
		}
		return nil
	case flags.source != "":
		return f.printList(l, &v1alpha1.AppInfoList{Items: apps}, table.Images(images), "No images found")
	}
	if summary := apps[0].Status.Summary; summary != nil && flags.platform == "" && !flags.allVersions && *l.print.OutputFormat == "" {
		f.printPullSizes(summary.Footprint)
	}
	apps[0].Status.Images = images
	rows := table.Images(images)
	if flags.allVersions {
		rows = table.ImagesOfVersions(images, found.versions)
	}
	return f.printList(l, &apps[0], rows, "No images found")
}

// printPullSizes prints the sizes of the images of an app for each platform.
func (f *Factory) printPullSizes(footprint *v1alpha1.AppFootprint) {
	if footprint == nil || len(footprint.PullSizes) == 0 {
		return
	}
	var sizes []string
	for _, size := range footprint.PullSizes {
		if size.Bytes != nil {
			sizes = append(sizes, printable(size.Platform)+" "+table.SizeText(*size.Bytes))
		}
	}
	fmt.Fprintf(f.Streams.ErrOut, "Compressed size, each layer once: %s\n", strings.Join(sizes, ", "))
}
