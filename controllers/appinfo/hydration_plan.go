package appinfo

import (
	"context"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/audit"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/values"
)

// hydrationJob is a version to hydrate, and the reason.
type hydrationJob struct {
	request hydrate.Request
	inputs  hydrate.Inputs
	reason  string
}

// planHydration sets the versions to hydrate in the order of the offers, newest first. A version
// is due if a check in due applies.
func (r *Reconciler) planHydration(_ context.Context, s *scope) error {
	request, err := newBaseRequest(r, s)
	if err != nil {
		return r.failVersions(s, err, hasFailedBefore(s.app)) // No step has started, so no step has failed.
	}
	for _, o := range s.app.Spec.Offers {
		request.Offer, request.AcceptedDigests = toOffer(o), acceptedDigests(s, o.Version)
		inputs, err := request.DigestInputs()
		if err != nil {
			return err
		}
		if why := hydrationReason(s, o.Version, inputs); why != "" {
			s.jobs = append(s.jobs, hydrationJob{request: request, inputs: inputs, reason: why})
		}
	}
	return nil
}

// hydrationReason returns the first reason why a version must be hydrated, or "" if there is none.
func hydrationReason(s *scope, version string, want hydrate.Inputs) string {
	app := s.app
	have := findPublished(app, version)
	if have == nil {
		return "neverPublished"
	}
	checks := []struct {
		why string
		is  bool
	}{
		{"artifactMissing", s.missingCharts[version]},
		{"sourceChanged", have.SourceDigest != want.Source},
		{"paramsChanged", have.ParamsDigest != want.Params},
		{"platformChanged", have.PlatformDigest != want.Platform},
		{"rulesChanged", have.RulesDigest != want.Rules},
		{"reviewedVersionChanged", isReviewMissing(s, version)},
		{"verificationChanged", verdictDigest(have) != want.Policy},
		{"pipelineChanged", have.PipelineRevision != want.Revision},
		{"selectedVersionChanged", selectedVersion(s.source, app) == version && app.Status.SelectedVersion != version},
		{"reconcileRequested", isReconcileRequested(app)},
	}
	for _, c := range checks {
		if c.is {
			return c.why
		}
	}
	return ""
}

// isReconcileRequested reports whether a requested reconcile has not been handled yet.
func isReconcileRequested(app *v1alpha1.AppInfo) bool {
	return status.ReconcileRequest(app) != app.Status.LastHandledReconcileAt
}

// newBaseRequest returns the part of a request that all versions of an app share.
func newBaseRequest(r *Reconciler, s *scope) (hydrate.Request, error) {
	profile, platform, err := r.Profiles.ProfileFor(s.source)
	if err != nil {
		return hydrate.Request{}, err
	}
	market, err := values.DecodeField(s.source.Spec.CustomParams)
	if err != nil {
		return hydrate.Request{}, fmt.Errorf("source %q: spec.customParams: %w", s.source.Name, err)
	}
	own, err := values.DecodeField(s.app.Spec.CustomParams)
	if err != nil {
		return hydrate.Request{}, fmt.Errorf("spec.customParams: %w", err)
	}
	request := hydrate.Request{
		Owner: ownerFor(s.app), App: s.app.Spec.App,
		Profile: profile, Platform: platform, Params: values.Overlay(market, own), PolicyDigest: s.policyDigest,
	}
	if catalog.RequiresReview(s.source) {
		request.Audit = audit.RulesFor(s.source.Spec.Review)
	}
	return request, nil
}

func toOffer(o v1alpha1.Offer) hydrate.Offer {
	out := hydrate.Offer{
		Version: o.Version, AppVersion: o.AppVersion, URL: o.URL, Digest: o.Digest, Deprecated: o.Deprecated,
	}
	if o.Created != nil {
		out.Created = o.Created.Time
	}
	if p := o.Presentation; p != nil {
		out.Presentation = &hydrate.Presentation{Icon: p.Icon, Title: p.Title, Description: p.Description}
		for _, t := range p.Translations {
			out.Presentation.Translations = append(out.Presentation.Translations, hydrate.Translation{Locale: t.Locale, Title: t.Title, Description: t.Description})
		}
	}
	return out
}

// findPublished returns the published version, or nil if it is not published.
func findPublished(app *v1alpha1.AppInfo, version string) *v1alpha1.PublishedVersion {
	for i := range app.Status.Versions {
		if app.Status.Versions[i].Version == version {
			return &app.Status.Versions[i]
		}
	}
	return nil
}

// selectedVersion returns the version that describes the app: the newest published version that is
// still offered, or else the newest published version. Versions that are withheld are selected only if
// all are.
func selectedVersion(source *v1alpha1.MarketSource, app *v1alpha1.AppInfo) string {
	if listed := catalog.OfferedVersions(source, app.Status.Versions); len(listed) > 0 && len(listed) < len(app.Status.Versions) {
		app = &v1alpha1.AppInfo{Spec: app.Spec, Status: v1alpha1.AppInfoStatus{Versions: listed}}
	}
	offered := slices.DeleteFunc(slices.Clone(app.Status.Versions), func(v v1alpha1.PublishedVersion) bool {
		return !slices.ContainsFunc(app.Spec.Offers, func(o v1alpha1.Offer) bool { return o.Version == v.Version })
	})
	switch {
	case len(offered) > 0:
		return catalog.NewestVersion(offered).Version
	case len(app.Status.Versions) > 0:
		return catalog.NewestVersion(app.Status.Versions).Version
	}
	return ""
}
