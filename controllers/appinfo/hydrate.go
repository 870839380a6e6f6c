package appinfo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/appmarket/operator/internal/images"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// timeout bounds the hydration of one version. The single steps have bounds of
// their own, which come first.
const timeout = 10 * time.Minute

// milestones are the conditions that stand for the steps.
var milestones = map[hydrate.Name]string{
	hydrate.StepSourceChart:   v1alpha1.ConditionFetched,
	hydrate.StepRenderedChart: v1alpha1.ConditionRendered,
	hydrate.StepCustomParams:  v1alpha1.ConditionCustomized,
	hydrate.StepImageAnalysis: v1alpha1.ConditionAnalyzed,
	hydrate.StepRepoUpdate:    v1alpha1.ConditionPublished,
}

// hydrateVersions runs the pipeline over every version that is due. One that fails
// does not keep the others back. The milestones speak of the newest version that
// failed, or otherwise of the newest.
func (r *Reconciler) hydrateVersions(ctx context.Context, s *scope) error {
	attempts := r.newAttempts(s)
	if len(s.jobs) == 0 {
		return nil
	}
	attempts.note()
	if err := r.announce(ctx, s); err != nil {
		return err
	}
	defer attempts.clear()
	fetcher, err := r.Open(ctx, s.source)
	if err != nil {
		return r.failed(s, status.ForCondition(v1alpha1.ConditionFetched, err))
	}
	var first error
	images := slices.Clone(s.app.Status.Images)
	defer func() { s.report(images, first) }()
	for i, j := range s.jobs {
		if ctx.Err() != nil {
			return attempts.leave(ctx)
		}
		j.request.Source = fetcher
		draft, err := attempts.hydrate(ctx, j)
		if i == 0 || err != nil && first == nil {
			reach(s.keeper, draft, hydrate.FailedStep(err, ""))
		}
		if err != nil && first == nil {
			first = cause(err, j)
			if outcome.Reason(err, "") != v1alpha1.ReasonInterrupted { // It is not known in which step.
				first = status.ForCondition(milestones[hydrate.FailedStep(err, hydrate.StepSourceChart)], first)
			}
		}
	}
	if ctx.Err() != nil {
		return attempts.leave(ctx)
	}
	if first != nil {
		return r.failed(s, first)
	}
	return nil
}

// announce writes the attempts, and shows that work goes on, and why, where there is
// something to see it by: an app that was never served is in progress for everybody
// anyway, and what is tried again is shown as failed until it is done, so that a retry
// writes nothing.
func (r *Reconciler) announce(ctx context.Context, s *scope) error {
	if len(s.app.Status.Versions) > 0 && !triedBefore(s.app) {
		s.keeper.MarkReconciling(fmt.Sprintf("hydrating version %s: %s", s.jobs[0].request.Offer.Version, s.jobs[0].why))
	}
	return s.keeper.Save(ctx)
}

// triedBefore reports whether this generation of the app was tried and failed, and
// nobody asked since.
func triedBefore(app *v1alpha1.AppInfo) bool {
	for _, c := range app.Status.Conditions {
		retry := c.Type == v1alpha1.ConditionReconciling &&
			(c.Reason == v1alpha1.ReasonProgressingWithRetry || c.Reason == v1alpha1.ReasonRateLimited)
		again := c.Type == v1alpha1.ConditionStalled && !asked(app)
		if (retry || again) && c.ObservedGeneration == app.Generation {
			return true
		}
	}
	return false
}

// hydrateVersion returns the draft as far as it came.
func (r *Reconciler) hydrateVersion(ctx context.Context, s *scope, j job) (*hydrate.Draft, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	draft := r.drafts.take(s.app.UID, j)
	if err := r.Pipeline.Run(ctx, draft); err != nil {
		r.drafts.keep(s.app.UID, j, draft, err)
		return draft, err
	}
	r.record(s, j, draft)
	delete(s.lost, draft.Chart.Version)
	s.published = append(s.published, draft.Chart.Version)
	return draft, nil
}

// cause takes the name of the step off the error, which the milestone says, and
// puts the version before it.
func cause(err error, j job) error {
	if e, ok := errors.AsType[*hydrate.StepError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("version %s: %w", j.request.Offer.Version, err)
}

// reach sets the milestones of the steps before the one that failed.
func reach(k *status.Writer, d *hydrate.Draft, failed hydrate.Name) {
	said := []struct {
		step            hydrate.Name
		reason, message string
	}{
		{hydrate.StepSourceChart, v1alpha1.ReasonFetched, fmt.Sprintf("version %s, %s", d.Request.Offer.Version, text.Count(d.FileCount, "file", "files"))},
		{hydrate.StepRenderedChart, v1alpha1.ReasonRendered, renderedMessage(d)},
		{hydrate.StepCustomParams, v1alpha1.ReasonCustomized, customised(d)},
		{hydrate.StepImageAnalysis, v1alpha1.ReasonAnalyzed, analysed(d)},
		{hydrate.StepRepoUpdate, v1alpha1.ReasonPublished, "published as " + d.Published.Chart},
	}
	for _, m := range said {
		if m.step == failed {
			return
		}
		k.MarkTrue(milestones[m.step], m.reason, m.message)
	}
}

// renderedMessage says what the chart units have rendered to, or why that is not known.
func renderedMessage(d *hydrate.Draft) string {
	if needs := d.Unrendered(); needs != "" {
		return "published without its objects, which are not known until a value is given: " + needs
	}
	return fmt.Sprintf("%s in %s", text.Count(len(d.Objects()), "object", "objects"), text.Count(len(d.Units), "release", "releases"))
}

func customised(d *hydrate.Draft) string {
	if d.Customized {
		return "parameters merged into values.yaml"
	}
	return "no parameters"
}

// analysed sums up what the registries said. An image that could not be looked up
// is no failure, but it is not hidden either.
func analysed(d *hydrate.Draft) string {
	if len(d.Images) == 0 && d.Unrendered() != "" {
		return "images are not known until a value is given"
	}
	silent := slices.DeleteFunc(slices.Clone(d.Images), func(i images.Image) bool { return i.Problem == "" })
	if len(silent) == 0 {
		return text.Count(len(d.Images), "image", "images")
	}
	return fmt.Sprintf("%s, %d not looked up: %s", text.Count(len(d.Images), "image", "images"), len(silent), silent[0].Problem)
}

// record notes a version as served, and describes the app by it if it is the
// newest that is.
func (r *Reconciler) record(s *scope, j job, d *hydrate.Draft) {
	now := metav1.NewTime(time.Now())
	made := v1alpha1.PublishedVersion{
		Version: d.Chart.Version, AppVersion: text.Limit(d.Chart.AppVersion, 128),
		SourceDigest: j.inputs.Source, PlatformDigest: j.inputs.Platform, ParamsDigest: j.inputs.Params, Hydrator: j.inputs.Revision,
		Digest: d.Published.Digest, URL: r.RepositoryURL + "/" + d.Published.Chart, ReportURL: r.RepositoryURL + "/" + d.Published.Report,
		Images: int32(len(d.Images)), PublishedAt: &now, Deprecated: j.request.Offer.Deprecated || d.Chart.Deprecated,
		License: catalog.Terms(d.License),
	}
	have := published(s.app, made.Version)
	if have == nil || have.Digest != made.Digest {
		s.renewed = append(s.renewed, made.Version)
	}
	if have != nil {
		*have = made
	} else {
		s.app.Status.Versions = append(s.app.Status.Versions, made)
	}
	sortVersions(s.app.Status.Versions)
	if selected(s.app) == made.Version {
		s.app.Status.Version = made.Version
		s.app.Status.Summary = summary(d)
		s.app.Status.Images = toAppImages(d.Images)
	}
}

// failed keeps the app ready by what it still serves.
func (r *Reconciler) failed(s *scope, err error) error {
	if version := r.served(s); version != "" {
		s.keeper.KeepReady(fmt.Sprintf("serving %s; %s", version, err))
	}
	return err
}

// served is a version whose chart is there: the one that describes the app, or
// otherwise the newest. It is empty where all of them were lost.
func (r *Reconciler) served(s *scope) string {
	app, newest := s.app, ""
	for _, v := range app.Status.Versions {
		if s.lost[v.Version] {
			continue
		}
		if v.Version == app.Status.Version {
			return v.Version
		}
		newest = cmp.Or(newest, v.Version)
	}
	return newest
}
