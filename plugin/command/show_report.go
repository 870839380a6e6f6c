package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/permissions"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/plugin/repository"
	"github.com/appmarket/operator/plugin/table"
)

// appReport is a report about a version of an app that a flag selects.
type appReport struct {
	flag, file, usage string
	// convert returns the text to print for the file of a version. It is nil if the file is printed unchanged.
	convert func(app *v1alpha1.AppInfo, version string, content []byte) ([]byte, error)
	// inStatus returns the part of the report that the status of an app contains, for users who cannot read the
	// repository. It is nil if the status contains nothing of it.
	inStatus func(*v1alpha1.AppSummary) *metav1.Table
}

var appReports = []appReport{
	{"values", "values.yaml", "Print the default Helm values of a version.", nil, nil},
	{"schema", "values.schema.json", "Print the JSON schema of the Helm values of a version.", nil, nil},
	{"readme", "README.md", "Print the README of a version.", nil, func(summary *v1alpha1.AppSummary) *metav1.Table {
		return table.Texts([][2]string{{"Title", summary.Title}, {"Description", summary.Description}})
	}},
	{"objects", "objects.yaml", "Print the objects that a version creates with its default values. Content of Secrets is masked.",
		nil, func(summary *v1alpha1.AppSummary) *metav1.Table { return table.Kinds(summary.Kinds) }},
	{"permissions", "objects.yaml", "Print the roles that a version creates, and the rules that a service account needs to install it, with its default values.",
		permissions.NewManifest, nil},
}

// reportFlags select a report of a version.
type reportFlags struct {
	selected   map[string]*bool
	version    string
	repository *repositoryFlags
}

// addReportFlags adds the flags of the reports and of the repository that has them.
func (f *Factory) addReportFlags(c *cobra.Command) *reportFlags {
	flags := &reportFlags{selected: map[string]*bool{}}
	for _, report := range appReports {
		flags.selected[report.flag] = c.Flags().Bool(report.flag, false, report.usage)
	}
	c.Flags().StringVar(&flags.version, "version", "", "With a flag that prints a file: version or range of versions. Defaults to the selected version.")
	flags.repository = f.addRepositoryFlags(c)
	completeFlag(c, "version", f.appCompletion(f.getApp, proposeVersions))
	return flags
}

// find returns the selected report, nil if there is none.
func (r *reportFlags) find(c *cobra.Command, l *listFlags) (*appReport, error) {
	if err := r.repository.check(c); err != nil {
		return nil, err
	}
	for i, report := range appReports {
		if !*r.selected[report.flag] {
			continue
		}
		if l.hasFormat() {
			return nil, cmdutil.UsageErrorf(c, "--%s prints a file, which has no other format (-o)", report.flag)
		}
		return &appReports[i], nil
	}
	if r.version != "" {
		return nil, cmdutil.UsageErrorf(c, "--version requires a flag that prints a file of the version")
	}
	return nil, nil
}

// selectVersion returns a served version of an app, the selected one if the constraint is empty.
func selectVersion(app *v1alpha1.AppInfo, constraint string) (*v1alpha1.PublishedVersion, error) {
	if constraint == "" {
		constraint = app.Status.SelectedVersion
	}
	if constraint == "" {
		return nil, fmt.Errorf("app %q has no served version", appName(app))
	}
	version, err := catalog.SelectVersion(app.Status.Versions, constraint)
	switch {
	case err != nil:
		return nil, fmt.Errorf("version %q must be a version or a range of versions: %w", constraint, err)
	case version == nil:
		return nil, fmt.Errorf("app %q has no served version that matches %q", appName(app), constraint)
	}
	return version, nil
}

// printReport prints a report of a version. If the user cannot read the repository through the API server, it prints
// the part that the status of the app contains.
func (f *Factory) printReport(ctx context.Context, k client.Client, l *listFlags, flags *reportFlags, report *appReport, app *v1alpha1.AppInfo) error {
	version, err := selectVersion(app, flags.version)
	if err != nil {
		return err
	}
	content, err := f.getReport(ctx, k, flags.repository, version, report.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("version %s of app %q has no %s", version.Version, appName(app), report.file)
	case err == nil:
		if report.convert != nil {
			if content, err = report.convert(app, version.Version, content); err != nil {
				return fmt.Errorf("list the permissions of app %q: %w", appName(app), err)
			}
		}
		_, err = fmt.Fprint(f.Streams.Out, text.PrintableLines(string(content)))
		return err
	case flags.repository.url != "" || !isUnreadable(err):
		return err
	}
	if report.inStatus == nil || app.Status.Summary == nil || version.Version != app.Status.SelectedVersion {
		return withRepositoryHelp(fmt.Errorf("the status of app %q does not contain %s: %w", appName(app), report.file, err))
	}
	fmt.Fprintf(f.Streams.ErrOut, "%s cannot be read from the repository: %s\nThe status of the app contains:\n", report.file, printable(err.Error()))
	return f.printList(l, nil, report.inStatus(app.Status.Summary), "nothing about it")
}

// getReport reads a report of a version from the repository of the flags.
func (f *Factory) getReport(ctx context.Context, k client.Client, flags *repositoryFlags, version *v1alpha1.PublishedVersion, file string) ([]byte, error) {
	opened, err := f.openRepository(ctx, k, flags)
	if err != nil {
		return nil, err
	}
	return repository.GetReport(ctx, opened, version.ReportURL, file)
}
