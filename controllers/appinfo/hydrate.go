package appinfo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// hydrationTimeout is the timeout of the hydration of one version. The steps have shorter timeouts
// of their own.
const hydrationTimeout = 10 * time.Minute

// stepConditions contains the condition of each step.
var stepConditions = map[hydrate.Name]string{
	hydrate.StepSourceChart:   v1alpha1.ConditionFetched,
	hydrate.StepRenderedChart: v1alpha1.ConditionRendered,
	hydrate.StepCustomParams:  v1alpha1.ConditionCustomized,
	hydrate.StepImageAnalysis: v1alpha1.ConditionAnalyzed,
	hydrate.StepRepoUpdate:    v1alpha1.ConditionPublished,
}

// toConditionError returns the error of a version for the condition of the step that failed.
func toConditionError(err error, j hydrationJob) error {
	named := withVersion(err, j)
	if outcome.Reason(err, "") == v1alpha1.ReasonInterrupted {
		return named // The step is unknown.
	}
	step := hydrate.FailedStep(err, hydrate.StepSourceChart)
	if step == hydrate.StepSourceChart && errors.Is(err, fairlimiter.ErrTooSlow) {
		named = outcome.Failed(v1alpha1.ReasonFetchFailed, named)
	}
	return status.ForCondition(stepConditions[step], named)
}

// hydrateVersions runs the pipeline for every due version. A failure does not affect the
// other versions. The conditions describe the newest version that failed, or else the
// newest version.
func (r *Reconciler) hydrateVersions(ctx context.Context, s *scope) error {
	attempts := newAttempts(r, s)
	if len(s.jobs) == 0 {
		return nil
	}
	failedBefore := hasFailedBefore(s.app)
	attempts.addNewAttempts()
	if err := r.reportProgress(ctx, s); err != nil {
		return err
	}
	defer attempts.clearOwnAttempts()
	if err := r.loadPolicy(ctx, s); err != nil {
		return err
	}
	fetcher, err := r.Open(ctx, s.source)
	if err != nil {
		return r.failVersions(s, status.ForCondition(v1alpha1.ConditionFetched, err), failedBefore)
	}
	inspector := r.Inspector(ctx, s.source)
	var first error
	failed := map[string]error{}
	images := slices.Clone(s.app.Status.Images)
	defer func() { s.emitEvents(images, first) }()
	for i, j := range s.jobs {
		if ctx.Err() != nil {
			return attempts.restoreOnShutdown(ctx)
		}
		j.request.Source, j.request.Inspector, j.request.Policy = fetcher, inspector, s.policy
		draft, err := attempts.hydrateAttempt(ctx, j)
		failed[j.request.Offer.Version] = err
		if i == 0 || err != nil && first == nil {
			markReachedConditions(s.statusWriter, draft, hydrate.FailedStep(err, ""))
		}
		if err != nil && first == nil {
			first = toConditionError(err, j)
		}
	}
	if ctx.Err() != nil {
		return attempts.restoreOnShutdown(ctx)
	}
	if err := r.withdrawUnverified(s, failed, failedBefore); err != nil {
		return err
	}
	if first != nil {
		return r.keepReady(s, first)
	}
	return nil
}

// reportProgress saves the attempts. It sets Reconciling if the app already serves a version and
// is not being retried. An app without a version is already shown as in progress, and a
// retry remains shown as failed, so that it does not write status.
func (r *Reconciler) reportProgress(ctx context.Context, s *scope) error {
	if len(s.app.Status.Versions) > 0 && !hasFailedBefore(s.app) {
		s.statusWriter.MarkReconciling(fmt.Sprintf("hydrating version %s: %s", s.jobs[0].request.Offer.Version, s.jobs[0].reason))
	}
	return s.statusWriter.Save(ctx)
}

// hasFailedBefore reports whether this generation has already failed and no reconcile was
// requested since.
func hasFailedBefore(app *v1alpha1.AppInfo) bool {
	for _, c := range app.Status.Conditions {
		retry := c.Type == v1alpha1.ConditionReconciling &&
			(c.Reason == v1alpha1.ReasonProgressingWithRetry || c.Reason == v1alpha1.ReasonRateLimited)
		again := c.Type == v1alpha1.ConditionStalled && !isReconcileRequested(app)
		if (retry || again) && c.ObservedGeneration == app.Generation {
			return true
		}
	}
	return false
}

// hydrateVersion runs the pipeline for a version. It also returns the draft if a step
// fails.
func (r *Reconciler) hydrateVersion(ctx context.Context, s *scope, j hydrationJob) (*hydrate.Draft, error) {
	ctx, cancel := context.WithTimeout(ctx, hydrationTimeout)
	defer cancel()
	draft := r.drafts.takeDraft(s.app.UID, j)
	if err := r.Pipeline.Run(ctx, draft); err != nil {
		r.drafts.storeDraft(s.app.UID, j, draft, err)
		return draft, err
	}
	r.recordVersion(s, j, draft)
	delete(s.missingCharts, draft.Chart.Version)
	s.published = append(s.published, draft.Chart.Version)
	return draft, nil
}

// withVersion removes the name of the step from err and prefixes the version. The condition
// identifies the step.
func withVersion(err error, j hydrationJob) error {
	if e, ok := errors.AsType[*hydrate.StepError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("version %s: %w", j.request.Offer.Version, err)
}

// markReachedConditions sets the conditions of the steps that completed before the failed one.
func markReachedConditions(k *status.Writer, d *hydrate.Draft, failed hydrate.Name) {
	conditions := []struct {
		step            hydrate.Name
		reason, message string
	}{
		{hydrate.StepSourceChart, v1alpha1.ReasonFetched, fmt.Sprintf("version %s, %s", d.Request.Offer.Version, text.Count(d.FileCount, "file", "files")+verifiedMessage(d))},
		{hydrate.StepRenderedChart, v1alpha1.ReasonRendered, renderedMessage(d)},
		{hydrate.StepCustomParams, v1alpha1.ReasonCustomized, customizedMessage(d)},
		{hydrate.StepImageAnalysis, v1alpha1.ReasonAnalyzed, analyzedMessage(d)},
		{hydrate.StepRepoUpdate, v1alpha1.ReasonPublished, "published as " + d.Published.Chart},
	}
	for _, m := range conditions {
		if m.step == failed {
			return
		}
		k.MarkTrue(stepConditions[m.step], m.reason, m.message)
	}
}

// renderedMessage returns a message about the rendered objects, or the reason why they are
// unknown.
func renderedMessage(d *hydrate.Draft) string {
	if needs := d.UnrenderedReason(); needs != "" {
		return "published without objects, which are unknown until a value is set: " + needs
	}
	return fmt.Sprintf("%s in %s", text.Count(len(d.AllObjects()), "object", "objects"), text.Count(len(d.Units), "release", "releases"))
}

func customizedMessage(d *hydrate.Draft) string {
	if d.Customized {
		return "parameters merged into values.yaml"
	}
	return "no parameters"
}

// analyzedMessage returns a message about the images. An image that could not be looked up is not
// a failure, but is mentioned.
func analyzedMessage(d *hydrate.Draft) string {
	if len(d.Images) == 0 && d.UnrenderedReason() != "" {
		return "images are unknown until a value is set"
	}
	var problems []string
	for _, image := range d.Images {
		if image.Problem != "" {
			problems = append(problems, image.Problem)
		}
	}
	return lookupMessage(len(d.Images), problems)
}

// lookupMessage returns a message about the number of images and the first problem.
func lookupMessage(count int, problems []string) string {
	if len(problems) == 0 {
		return text.Count(count, "image", "images")
	}
	return fmt.Sprintf("%s, %d not looked up: %s", text.Count(count, "image", "images"), len(problems), problems[0])
}

// recordVersion adds a published version to status. If it is the selected version, it also updates
// the summary and the images.
func (r *Reconciler) recordVersion(s *scope, j hydrationJob, d *hydrate.Draft) {
	now := metav1.NewTime(time.Now())
	published := v1alpha1.PublishedVersion{
		Version: d.Chart.Version, AppVersion: text.Limit(d.Chart.AppVersion, 128),
		SourceDigest: j.inputs.Source, PlatformDigest: j.inputs.Platform, ParamsDigest: j.inputs.Params, RulesDigest: j.inputs.Rules,
		PipelineRevision: j.inputs.Revision, ChartDigest: d.Digest, Verification: toVerdict(d),
		Digest: d.Published.Digest, URL: r.RepositoryURL + "/" + d.Published.Chart, ReportURL: r.RepositoryURL + "/" + d.Published.Report,
		ImageCount: int32(len(d.Images)), PublishedAt: &now, Deprecated: isDeprecated(d),
		Purchase: catalog.LicenseTermsOf(d.License),
	}
	have := findPublished(s.app, published.Version)
	if have == nil || have.Digest != published.Digest {
		s.renewed = append(s.renewed, published.Version)
	}
	if have != nil {
		*have = published
	} else {
		s.app.Status.Versions = append(s.app.Status.Versions, published)
	}
	sortVersions(s.app.Status.Versions)
	recordAudit(s.app, published.Version, d.Audit)
	if selectedVersion(s.source, s.app) == published.Version {
		s.app.Status.SelectedVersion = published.Version
		s.app.Status.Summary = newSummary(d)
		s.app.Status.Images = toAppImages(d.Images)
		r.updatePlacement(s.app)
		s.app.Status.ImagesCheckedAt = &now
		r.imageRetries.deleteRetry(s.app.UID)
	}
}

// keepReady keeps the Ready condition True if the app still serves a version.
func (r *Reconciler) keepReady(s *scope, err error) error {
	if version := r.servedVersion(s); version != "" {
		s.statusWriter.KeepReady(fmt.Sprintf("serving %s; %s", version, err))
	}
	return err
}

// servedVersion returns a version whose chart is in the repository: the selected version, or else
// the newest one. It returns "" if all charts are missing.
func (r *Reconciler) servedVersion(s *scope) string {
	app, newest := s.app, ""
	for _, v := range app.Status.Versions {
		if s.missingCharts[v.Version] {
			continue
		}
		if v.Version == app.Status.SelectedVersion {
			return v.Version
		}
		newest = cmp.Or(newest, v.Version)
	}
	return newest
}
