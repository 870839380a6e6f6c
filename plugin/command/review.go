package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/plugin/table"
)

func (f *Factory) newReviewCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "review", Short: "Review the apps of a market, and list, suspend or withdraw them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(f.newReviewListCommand(), f.newReviewShowCommand(),
		f.newListingCommand("approve", "List an app, so that it can be installed",
			"Lists an app of a source that requires a review. The app is listed only if its audit and its dependencies allow it. "+
				"With --dry-run, it prints the result of these checks."),
		f.newListingCommand("suspend", "Suspend new installations of an app",
			"Suspends an app: it cannot be newly installed. Its instances keep running, and can be upgraded."),
		f.newListingCommand("withdraw", "Withdraw an app from the market",
			"Withdraws an app: it can be neither installed nor upgraded, and it is not in the index of the repository. Its instances keep running."),
		f.newListingCommand("draft", "Make an app a draft again",
			"Makes an app a draft: only reviewers can install it, and it is not in the index of the repository. Its instances keep running."))
	return c
}

func (f *Factory) newReviewListCommand() *cobra.Command {
	var listing v1alpha1.Listing
	c := &cobra.Command{
		Use: "list", Short: "List the apps that are reviewed", Args: exactArgs(0, ""), ValidArgsFunction: noCompletion,
		Example: f.example("# List the drafts", "review list --listing draft", "# List all apps of a market that are reviewed", "review list --market market"),
	}
	l := newListFlags(c)
	addChoice(c, &listing, "listing", "List only the apps with a listing.",
		v1alpha1.ListingDraft, v1alpha1.ListingListed, v1alpha1.ListingSuspended, v1alpha1.ListingWithdrawn)
	c.RunE = func(c *cobra.Command, _ []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		apps, err := f.listApps(c.Context(), k, namespace)
		if err != nil {
			return err
		}
		apps = slices.DeleteFunc(apps, func(app v1alpha1.AppInfo) bool {
			return app.Status.Review == nil || listing != "" && app.Status.Review.Listing != listing
		})
		return f.printList(l, &v1alpha1.AppInfoList{Items: apps}, table.Reviews(apps), "No reviewed apps found")
	}
	return c
}

func (f *Factory) newReviewShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show APP", Short: "Show the review of an app: its findings and its dependencies",
		Example: f.example("# Show the review of an app", "review show samples/wiki"),
		Args:    exactArgs(1, "the name of an app"), ValidArgsFunction: f.completeApps,
	}
	l := newListFlags(c)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		k, namespace, err := f.connect()
		if err != nil {
			return err
		}
		app, err := f.getApp(c.Context(), k, namespace, arguments[0])
		if err != nil {
			return err
		}
		if l.hasFormat() && *l.print.OutputFormat != wideFormat {
			return l.printObjects(f.Streams.Out, app)
		}
		return f.printReview(l, app)
	}
	return c
}

// printReview prints the review of an app.
func (f *Factory) printReview(l *listFlags, app *v1alpha1.AppInfo) error {
	review := app.Status.Review
	if review == nil {
		f.printResult("App %s is not reviewed, because its source lists apps automatically.", appName(app))
		return nil
	}
	for _, line := range [][2]string{
		{"App", appName(app)},
		{"Listing", string(review.Listing)},
		{"Changed by", review.ChangedBy},
		{"Can be listed", map[bool]string{true: "yes", false: "no"}[review.CanBeListed]},
		{"Status", listingText(app)},
		{"Audited", review.Version},
	} {
		if line[1] != "" {
			f.printResult("%-14s %s", line[0]+":", printable(line[1]))
		}
	}
	if err := f.printTable(l, "Findings:", table.Findings(review.Findings)); err != nil {
		return err
	}
	return f.printTable(l, "Dependencies:", table.ReviewedDependencies(review.Dependencies))
}

// listingText returns the reason and the message of the condition Listed, "" without it.
func listingText(app *v1alpha1.AppInfo) string {
	c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionListed)
	if c == nil {
		return ""
	}
	if c.Status == metav1.ConditionTrue {
		return c.Message
	}
	return c.Reason + ": " + c.Message
}

func (f *Factory) newListingCommand(name, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: name + " APP", Short: short, Long: long,
		Example: f.example("# "+short, "review "+name+" samples/wiki", "# See what it changes", "review "+name+" samples/wiki --dry-run=server -o yaml"),
		Args:    exactArgs(1, "the name of an app"), ValidArgsFunction: f.completeApps,
	}
	change, _ := sourcebuilder.FindListingChange(name)
	done := strings.ToLower(string(change.Listing))
	if change.Listing == v1alpha1.ListingListed {
		done = "approved" // It is listed when its checks pass.
	}
	write := newWriteFlags(c, done)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if err := write.readDryRun(c); err != nil {
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
		before := app.DeepCopy()
		app.Spec.Listing = change.Listing
		switch write.dryRun {
		case cmdutil.DryRunClient:
		case cmdutil.DryRunServer:
			err = k.Patch(c.Context(), app, client.MergeFrom(before), client.DryRunAll)
		default:
			err = k.Patch(c.Context(), app, client.MergeFrom(before))
		}
		if err != nil {
			return err
		}
		if err := write.printObjects(f.Streams.Out, app); err != nil {
			return err
		}
		return f.reportChecks(before, change.Listing)
	}
	return c
}

// reportChecks prints why an app that should be listed remains a draft.
func (f *Factory) reportChecks(app *v1alpha1.AppInfo, listing v1alpha1.Listing) error {
	if listing != v1alpha1.ListingListed || app.Status.Review == nil || app.Status.Review.CanBeListed {
		return nil
	}
	c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionListed)
	if c == nil {
		return errors.New("the app has not been reviewed yet")
	}
	fmt.Fprintln(f.Streams.ErrOut, printable("warning: the app remains a draft until its checks pass: "+c.Message))
	return nil
}
