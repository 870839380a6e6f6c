package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/table"
)

func (f *Factory) newShowCommand() *cobra.Command {
	var inputs, versions bool
	c := &cobra.Command{
		Use: "show APP", Short: "Show an app: its description, versions, inputs and images",
		Long: "Shows an app, or with a flag only a part of it. The default values, their schema, the README and the objects are files of the repository of " +
			"the market. They are read through the API server, which requires the permission to get services/proxy in the namespace of the operator, or directly " +
			"with --repository-url. Without access to the repository, the command prints the part that the status of the app contains. " +
			"Control characters, which a terminal would interpret, are removed.",
		Example: f.example("# Show an app", "show samples/wiki", "# List its inputs only", "show samples/wiki --inputs -o wide",
			"# Write the default values to a file", "show samples/wiki --values > values.yaml"),
		Args: exactArgs(1, "the name of an app"), ValidArgsFunction: f.completeApps,
	}
	l := newListFlags(c)
	c.Flags().BoolVar(&inputs, "inputs", false, "List the inputs of the selected version only.")
	c.Flags().BoolVar(&versions, "versions", false, "List the served versions only.")
	reports := f.addReportFlags(c)
	c.MarkFlagsMutuallyExclusive("inputs", "versions", "values", "schema", "readme", "objects", "permissions")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		report, err := reports.find(c, l)
		if err != nil {
			return err
		}
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		app, err := f.getApp(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		summary := app.Status.Summary
		if summary == nil {
			summary = &v1alpha1.AppSummary{}
		}
		switch {
		case report != nil:
			return f.printReport(c.Context(), k, l, reports, report, app)
		case inputs:
			return f.printList(l, app, table.Inputs(summary.Inputs), "The app has no inputs.")
		case versions:
			return f.printList(l, app, table.Versions(app, f.Now()), "No versions are served.")
		case l.hasFormat() && *l.print.OutputFormat != wideFormat:
			return l.printObjects(f.Streams.Out, app)
		}
		f.printApp(app, summary)
		if err := f.printTable(l, "Versions:", table.Versions(app, f.Now())); err != nil {
			return err
		}
		if err := f.printTable(l, "Inputs:", table.Inputs(summary.Inputs)); err != nil {
			return err
		}
		return f.printTable(l, "Images:", table.Images(app.Status.Images))
	}
	return c
}

// printApp prints the facts about an app, one for each line.
func (f *Factory) printApp(app *v1alpha1.AppInfo, summary *v1alpha1.AppSummary) {
	ready := ""
	if c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		ready = c.Message
		if c.Status != metav1.ConditionTrue {
			ready = c.Reason + ": " + ready
		}
	}
	for _, line := range [][2]string{
		{"App", appName(app)},
		{"Title", summary.Title},
		{"Description", summary.Description},
		{"Developer", summary.Developer},
		{"Licenses", strings.Join(summary.Licenses, ", ")},
		{"Categories", strings.Join(summary.Categories, ", ")},
		{"Version", strings.TrimSpace(app.Status.SelectedVersion + " " + parenthesized(prefixed("app version ", summary.AppVersion)))},
		{"Status", ready},
		{"Withdrawn", sentenceIf(app.Spec.Withdrawn, "the source has withdrawn the app; it cannot be newly installed")},
		{"Listing", listingText(app)},
		{"Architectures", strings.Join(summary.Architectures, ", ")},
		{"Requires", requirementsText(summary)},
		{"Requests", footprintText(summary.Footprint)},
		{"Access", accessText(summary.Access)},
		{"Runs here", placementText(app.Status.Placement)},
		{"Signature", signatureText(app)},
		{"Conflicts", dependenciesText(summary.Conflicts, false)},
		{"Permissions", strings.Join(summary.Permissions, ", ")},
		{"Objects", kindsText(summary.Kinds)},
		{"Purchase", purchaseText(summary.Purchase)},
		{"Clones", cloneText(summary)},
		{"Warnings", strings.Join(summary.Warnings, "; ")},
	} {
		if line[1] != "" {
			f.printResult("%-14s %s", line[0]+":", printable(line[1]))
		}
	}
}

func sentenceIf(condition bool, sentence string) string {
	if condition {
		return sentence
	}
	return ""
}

func parenthesized(text string) string {
	return sentenceIf(text != "", "("+text+")")
}

// prefixed returns a text with a prefix, and "" for "".
func prefixed(prefix, text string) string { return sentenceIf(text != "", prefix+text) }

// requirementsText lists the resources and the dependencies of an app.
func requirementsText(summary *v1alpha1.AppSummary) string {
	var parts []string
	if r := summary.Resources; r != nil {
		for _, resource := range [][2]string{{"CPU", r.CPU}, {"memory", r.Memory}, {"disk", r.Disk}, {"GPU memory", r.GPU}} {
			if resource[1] != "" {
				parts = append(parts, resource[0]+" "+resource[1])
			}
		}
	}
	if dependencies := dependenciesText(summary.Dependencies, true); dependencies != "" {
		parts = append(parts, dependencies)
	}
	return strings.Join(parts, ", ")
}

// dependenciesText lists dependencies with their versions. marked specifies whether optional ones are
// marked.
func dependenciesText(dependencies []v1alpha1.AppDependency, marked bool) string {
	var parts []string
	for _, d := range dependencies {
		part := strings.TrimSpace(d.Name + " " + d.Version)
		if marked && !d.Required {
			part += " (optional)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func kindsText(kinds []v1alpha1.KindCount) string {
	var parts []string
	for _, kind := range kinds {
		parts = append(parts, fmt.Sprintf("%s %d", kind.Kind, kind.Count))
	}
	return strings.Join(parts, ", ")
}

func purchaseText(terms *v1alpha1.PurchaseTerms) string {
	if terms == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("product %s of %s %s", terms.Product, terms.Issuer, parenthesized(strings.Join(terms.Prices, ", "))))
}

func cloneText(summary *v1alpha1.AppSummary) string {
	if summary.Clone == nil {
		return ""
	}
	return strings.TrimSpace(string(summary.Clone.Verdict) + " " + parenthesized(strings.Join(summary.Clone.Collisions, ", ")))
}
