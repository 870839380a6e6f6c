package command

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/table"
)

// searchFlags are the flags of the command search.
type searchFlags struct {
	category, architecture, source string
	failed, hidden, runsHere       bool
}

func (f *Factory) newSearchCommand() *cobra.Command {
	var s searchFlags
	c := &cobra.Command{
		Use: "search [TEXT]", Short: "List the apps of the market",
		Long: "Lists the apps whose name, title, description, developer or category contains a text. Without a text, it lists all apps.",
		Example: f.example("# Find apps about notes", "search notes",
			"# List the apps of a source that could not be hydrated", "search --source samples --failed"),
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: noCompletion,
	}
	l := newListFlags(c)
	l.addSelector(c)
	c.Flags().StringVar(&s.category, "category", "", "List the apps of a category.")
	c.Flags().StringVar(&s.architecture, "arch", "", "List the apps that support a CPU architecture, such as arm64.")
	c.Flags().StringVar(&s.source, "source", "", "List the apps of a source.")
	c.Flags().BoolVar(&s.failed, "failed", false, "List the apps that could not be hydrated.")
	c.Flags().BoolVar(&s.hidden, "hidden", false, "Also list the hidden apps.")
	c.Flags().BoolVar(&s.runsHere, "runs-here", false, "List the apps that run on this cluster, including those that need an administrator.")
	completeFlag(c, "source", func(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
		return f.completeSources(c, nil, begin)
	})
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		selector, err := labels.Parse(l.selector)
		if err != nil {
			return err
		}
		apps, err := f.listApps(c.Context(), k, namespace, client.MatchingLabelsSelector{Selector: selector})
		if err != nil {
			return err
		}
		installed, err := installedVersions(c.Context(), k, namespace)
		if err != nil {
			return err
		}
		words := strings.ToLower(strings.Join(arguments, " "))
		apps = slices.DeleteFunc(apps, func(app v1alpha1.AppInfo) bool { return !s.matches(&app, words) })
		list := &v1alpha1.AppInfoList{Items: apps}
		return f.printList(l, list, table.Apps(apps, installed), "No apps found")
	}
	return c
}

// matches reports whether an app is listed.
func (s *searchFlags) matches(app *v1alpha1.AppInfo, words string) bool {
	summary := app.Status.Summary
	if summary == nil {
		summary = &v1alpha1.AppSummary{}
	}
	isCategory := func(name string) bool { return strings.EqualFold(name, s.category) }
	isHidden := app.Spec.Hidden != nil && *app.Spec.Hidden
	switch {
	case isHidden && !s.hidden, s.source != "" && app.Spec.SourceRef.Name != s.source,
		s.category != "" && !slices.ContainsFunc(summary.Categories, isCategory),
		s.architecture != "" && !slices.Contains(summary.Architectures, s.architecture),
		s.runsHere && (app.Status.Placement == nil || app.Status.Placement.Verdict == v1alpha1.PlacementNo),
		s.failed && !meta.IsStatusConditionFalse(app.Status.Conditions, v1alpha1.ConditionReady):
		return false
	}
	texts := slices.Concat([]string{app.Spec.App, summary.Title, summary.Description, summary.Developer}, summary.Categories, summary.Keywords)
	return strings.Contains(strings.ToLower(strings.Join(texts, "\n")), words)
}

// installedVersions returns the versions that are installed in a namespace, by the key of the app. A
// user who may not list instances sees none.
func installedVersions(ctx context.Context, k client.Client, namespace string) (map[string]string, error) {
	var instances v1alpha1.AppInstanceList
	installed := map[string]string{}
	if err := k.List(ctx, &instances, client.InNamespace(namespace)); err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	for _, instance := range instances.Items {
		ref := instance.Spec.AppRef
		market := ref.Namespace
		if market == "" {
			market = instance.Namespace
		}
		if instance.Status.Version != "" {
			installed[table.AppKey(market, ref.Source, ref.Name)] = instance.Status.Version
		}
	}
	return installed, nil
}

// printTable prints a table with a heading.
func (f *Factory) printTable(l *listFlags, heading string, rows *metav1.Table) error {
	if len(rows.Rows) == 0 {
		return nil
	}
	f.printResult("\n%s", heading)
	return f.printList(l, nil, rows, "")
}
