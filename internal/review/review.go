// Package review decides whether an app of a market can be listed.
//
// The checks are the audit of its versions, whose result hydration has recorded, and the
// dependencies of the app: each required app must be offered by the same source, listed, and have a
// version in the required range, and the dependencies must not form a cycle. The package reads
// AppInfos only. The result is the same for a draft, so that it is also the result of a dry run.
package review

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/text"
)

// FindApp returns an app of the source that is reviewed, or nil if there is none.
type FindApp func(app string) (*v1alpha1.AppInfo, error)

// Verdict is the result of a review.
type Verdict struct {
	// IsListed, Reason and Message are the condition Listed.
	IsListed        bool
	Reason, Message string
	// Review contains the listing, whether the app can be listed, and its dependencies.
	Review v1alpha1.AppReview
}

// Decide reviews an app. An error means that an app could not be read.
func Decide(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo, find FindApp) (Verdict, error) {
	verdict := Verdict{Review: v1alpha1.AppReview{Listing: catalog.RequestedListing(source, app)}}
	reason, problem := "", ""
	if catalog.RequiresReview(source) {
		graph, err := resolveDependencies(source, app, find)
		if err != nil {
			return Verdict{}, err
		}
		verdict.Review.Dependencies = graph.edges
		reason, problem = firstProblem(source, app, graph)
	}
	verdict.Review.CanBeListed = reason == ""
	switch verdict.Review.Listing {
	case v1alpha1.ListingSuspended:
		verdict.Reason, verdict.Message = v1alpha1.ReasonListingSuspended, "the app cannot be newly installed; set spec.listing to Listed to list it again"
	case v1alpha1.ListingWithdrawn:
		verdict.Reason = v1alpha1.ReasonListingWithdrawn
		verdict.Message = "the app can be neither installed nor upgraded; set spec.listing to Listed to list it again"
	case v1alpha1.ListingDraft:
		verdict.Reason, verdict.Message = v1alpha1.ReasonDraft, "the app is a draft; all checks pass, so that it can be listed"
		if reason != "" {
			verdict.Message = "the app is a draft and cannot be listed: " + problem
		}
	default:
		verdict.IsListed, verdict.Reason, verdict.Message = true, v1alpha1.ReasonListed, "the app can be installed"+withheldMessage(source, app)
		if reason != "" {
			verdict.IsListed, verdict.Reason, verdict.Message = false, reason, "the app remains a draft: "+problem
		}
	}
	return verdict, nil
}

// firstProblem returns the reason and the message of the problems that prevent listing an app, or empty
// strings. The reason is the one of the first problem, the message contains all problems.
func firstProblem(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo, graph *dependencyGraph) (reason, message string) {
	var reasons, messages []string
	add := func(reason, message string) { reasons, messages = append(reasons, reason), append(messages, message) }
	versions := app.Status.Versions
	switch {
	case len(versions) == 0:
		add(v1alpha1.ReasonWaitingForApp, "no version is published yet")
	case len(catalog.OfferedVersions(source, versions)) > 0:
	default:
		if newest := catalog.NewestVersion(versions); newest.Audit == nil {
			add(v1alpha1.ReasonWaitingForApp, fmt.Sprintf("the audit of version %s has not run yet", newest.Version))
		} else {
			add(v1alpha1.ReasonAuditFailed, fmt.Sprintf("version %s: %s", newest.Version, findingsMessage(app, newest)))
		}
	}
	if len(graph.cycle) > 0 {
		add(v1alpha1.ReasonDependencyCycle, "the dependencies form a cycle: "+strings.Join(graph.cycle, " → "))
	}
	for _, problem := range graph.problems {
		add(v1alpha1.ReasonDependencyFailed, problem)
	}
	if len(reasons) == 0 {
		return "", ""
	}
	return reasons[0], text.Sentences(messages, maxMessage)
}

// maxMessage is the maximum length of a message in bytes.
const maxMessage = 900

// findingsMessage describes the findings of a version.
func findingsMessage(app *v1alpha1.AppInfo, version *v1alpha1.PublishedVersion) string {
	message := text.Count(int(version.Audit.Denied), "finding denies it", "findings deny it")
	if review := app.Status.Review; review != nil && review.Version == version.Version {
		for _, finding := range review.Findings {
			if finding.Effect == v1alpha1.AuditDeny {
				message += "; " + FindingText(finding)
			}
		}
	}
	return message
}

// FindingText returns a finding as one sentence.
func FindingText(finding v1alpha1.AuditFinding) string {
	if finding.Object == "" {
		return finding.Rule + ": " + finding.Message
	}
	return fmt.Sprintf("%s: %s: %s", finding.Rule, finding.Object, finding.Message)
}

// withheldMessage names the versions that are withheld.
func withheldMessage(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo) string {
	var names []string
	for i := range app.Status.Versions {
		if catalog.IsWithheld(source, &app.Status.Versions[i]) {
			names = append(names, app.Status.Versions[i].Version)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; withheld because of the audit: " + text.List(names, ", ", 5)
}
