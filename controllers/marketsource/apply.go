package marketsource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// maxConcurrentWrites is the number of AppInfos of a source that are written concurrently.
const maxConcurrentWrites = 8

// applyApps creates and updates the AppInfos of the listing, and deletes the others.
func (r *Reconciler) applyApps(ctx context.Context, s *scope) error {
	if s.listing == nil {
		return nil
	}
	last, begin := r.lastPoll(s.source.UID), time.Now()
	if err := r.writeApps(ctx, s); err != nil {
		if outcome.Reason(err, "") == "" {
			err = outcome.Failed(v1alpha1.ReasonApplyFailed, err)
		}
		err = status.ForCondition(v1alpha1.ConditionIndexed, err)
		r.pollStates.Store(s.source.UID, last.afterRequest(s.source, err)) // The source is listed completely again.
		return err
	}
	last.took += time.Since(begin)
	last.applied = s.source.Generation
	r.pollStates.Store(s.source.UID, last)
	st := &s.source.Status
	if st.Revision != s.listing.Revision {
		now := metav1.NewTime(time.Now())
		st.LastSyncTime = &now
	}
	st.Revision, st.ETag = s.listing.Revision, s.listing.ETag
	st.RepositoryURL = fmt.Sprintf("%s/%s/%s", r.RepositoryURL, s.source.Namespace, s.source.Name)
	st.Failures = toEntryFailures(s.listing.Skipped)
	if st.Apps == nil {
		st.Apps = &v1alpha1.AppCounts{}
	}
	st.Apps.Skipped = int32(s.listing.SkippedEntries)
	st.Apps.Offered = int32(len(s.listing.Apps))
	st.Apps.Total = st.Apps.Offered + int32(len(unlistedNames(s.listing)))
	s.markIndexed(s.listing.Unwanted)
	return nil
}

// unlistedNames returns the names of skipped entries that no listed app has.
func unlistedNames(listing *hydrate.Listing) map[string]bool {
	names := map[string]bool{}
	for _, skipped := range listing.Skipped {
		names[skipped.Name] = true
	}
	for _, app := range listing.Apps {
		delete(names, app.Name)
	}
	return names
}

// changePlan contains the AppInfos that a listing writes and removes. Those in unlisted are written without offers.
type changePlan struct{ write, remove, unlisted []*v1alpha1.AppInfo }

// isRetained reports whether an AppInfo is kept while the source does not offer the app, because it contains
// a decision of a user that must apply when the source offers the app again.
func isRetained(app *v1alpha1.AppInfo) bool {
	listing := app.Spec.Listing
	return listing == v1alpha1.ListingSuspended || listing == v1alpha1.ListingWithdrawn || len(app.Spec.AcceptedDigests) > 0
}

func (r *Reconciler) planChanges(s *scope) (changePlan, error) {
	var p changePlan
	existing := make(map[string]*v1alpha1.AppInfo, len(s.apps))
	for _, apps := range [][]v1alpha1.AppInfo{s.apps, s.retained} {
		for i := range apps {
			existing[apps[i].Name] = &apps[i]
		}
	}
	for _, app := range s.listing.Apps {
		want, err := newAppInfo(r, s.source, app)
		if err != nil {
			return changePlan{}, err
		}
		have := existing[want.Name]
		delete(existing, want.Name)
		if have != nil && !have.DeletionTimestamp.IsZero() {
			continue // It is re-created after its deletion.
		}
		if have == nil || !hasSameSpec(have, want) {
			p.write = append(p.write, want)
		}
	}
	return p, r.planUnlisted(s, &p, existing)
}

// planUnlisted plans what to do with AppInfos that the source does not list.
func (r *Reconciler) planUnlisted(s *scope, p *changePlan, apps map[string]*v1alpha1.AppInfo) error {
	damaged := unlistedNames(s.listing)
	for _, app := range apps {
		if s.listing.Incomplete || hasMatchingName(app, damaged) {
			continue // The state of its entry is currently unknown.
		}
		if !isRetained(app) {
			p.remove = append(p.remove, app)
			continue
		}
		if len(app.Spec.Offers) == 0 || !app.DeletionTimestamp.IsZero() {
			continue
		}
		want, err := newAppInfo(r, s.source, hydrate.App{Name: app.Spec.App, Withdrawn: app.Spec.Withdrawn})
		if err != nil {
			return err
		}
		p.unlisted = append(p.unlisted, want)
	}
	return nil
}

func (r *Reconciler) writeApps(ctx context.Context, s *scope) error {
	p, err := r.planChanges(s)
	if err != nil {
		return err
	}
	if err := r.checkAllowance(ctx, s, len(p.write)+len(p.remove)+len(p.unlisted)); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentWrites)
	for _, want := range slices.Concat(p.write, p.unlisted) {
		group.Go(outcome.Guarded(func() error { return applyAppInfo(ctx, r, want) }))
	}
	gone := map[string]bool{}
	for _, app := range p.unlisted {
		gone[app.Name] = true
	}
	for _, app := range p.remove {
		gone[app.Name] = true
		group.Go(outcome.Guarded(func() error { return client.IgnoreNotFound(r.Delete(ctx, app)) }))
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.apps = slices.DeleteFunc(s.apps, func(app v1alpha1.AppInfo) bool { return gone[app.Name] })
	return nil
}

// hasMatchingName reports whether the names contain an app or the URL of one of its versions.
func hasMatchingName(app *v1alpha1.AppInfo, names map[string]bool) bool {
	return names[app.Spec.App] || slices.ContainsFunc(app.Spec.Offers, func(o v1alpha1.Offer) bool { return names[o.URL] })
}

// newAppInfo returns the AppInfo of an app of the source.
func newAppInfo(r *Reconciler, source *v1alpha1.MarketSource, app hydrate.App) (*v1alpha1.AppInfo, error) {
	info := &v1alpha1.AppInfo{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.AppInfoKind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: source.Namespace,
			Name:      source.Name + "." + app.Name,
			Labels:    map[string]string{v1alpha1.SourceLabel: source.Name, v1alpha1.AppLabel: app.Name},
			// Saves the request with which the AppInfo controller would add the finalizer.
			Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.AppInfoSpec{
			SourceRef: v1alpha1.LocalObjectReference{Name: source.Name},
			App:       app.Name,
			Withdrawn: app.Withdrawn,
		},
	}
	for _, o := range app.Offers {
		offer := v1alpha1.Offer{
			Version: o.Version, AppVersion: o.AppVersion, URL: o.URL, Digest: o.Digest, Deprecated: o.Deprecated,
		}
		if !o.Created.IsZero() {
			created := metav1.NewTime(o.Created.UTC().Truncate(time.Second))
			offer.Created = &created
		}
		offer.Presentation = toOfferPresentation(o.Presentation)
		info.Spec.Offers = append(info.Spec.Offers, offer)
	}
	info.Annotations = map[string]string{v1alpha1.OffersDigestAnnotation: offersDigest(info.Spec)}
	if err := controllerutil.SetControllerReference(source, info, r.Scheme()); err != nil {
		return nil, fmt.Errorf("set owner of AppInfo of app %q: %w", app.Name, err)
	}
	return info, nil
}

// toOfferPresentation returns the icon and the texts of a source for the spec of an AppInfo.
func toOfferPresentation(p *hydrate.Presentation) *v1alpha1.OfferPresentation {
	if p == nil {
		return nil
	}
	out := &v1alpha1.OfferPresentation{Icon: p.Icon, Title: p.Title, Description: p.Description}
	for _, t := range p.Translations {
		out.Translations = append(out.Translations, v1alpha1.AppTranslation{Locale: t.Locale, Title: t.Title, Description: t.Description})
	}
	return out
}

// hasSameSpec reports whether an AppInfo already has the fields that the source writes. It ignores
// the fields that users own.
func hasSameSpec(have, want *v1alpha1.AppInfo) bool {
	return equality.Semantic.DeepEqual(sourceFields(have.Spec), want.Spec) &&
		have.Annotations[v1alpha1.OffersDigestAnnotation] == want.Annotations[v1alpha1.OffersDigestAnnotation] &&
		have.Labels[v1alpha1.SourceLabel] == want.Labels[v1alpha1.SourceLabel] &&
		have.Labels[v1alpha1.AppLabel] == want.Labels[v1alpha1.AppLabel] &&
		equality.Semantic.DeepEqual(have.OwnerReferences, want.OwnerReferences)
}

// sourceFields returns the fields of a spec that the source writes.
func sourceFields(spec v1alpha1.AppInfoSpec) v1alpha1.AppInfoSpec {
	spec.Suspend, spec.CustomParams, spec.Featured, spec.Hidden = nil, nil, nil, nil
	spec.Listing, spec.AcceptedDigests = "", nil
	return spec
}

// offersDigest returns the digest of the fields that the source writes.
func offersDigest(spec v1alpha1.AppInfoSpec) string {
	text, err := json.Marshal(sourceFields(spec))
	if err != nil {
		return "" // Plain fields can always be encoded.
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// isEdited reports whether another client has changed the fields of an AppInfo that the
// source writes.
func isEdited(app v1alpha1.AppInfo) bool {
	return app.Annotations[v1alpha1.OffersDigestAnnotation] != offersDigest(app.Spec) || app.Labels[v1alpha1.AppLabel] != app.Spec.App
}

// applyAppInfo applies the fields that the source owns to an AppInfo.
func applyAppInfo(ctx context.Context, r *Reconciler, want *v1alpha1.AppInfo) error {
	text, err := json.Marshal(want)
	if err != nil {
		return fmt.Errorf("encode AppInfo of app %q: %w", want.Spec.App, err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("encode AppInfo of app %q: %w", want.Spec.App, err)
	}
	delete(object, "status")
	config := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: object})
	if err := r.Apply(ctx, config, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply AppInfo of app %q: %w", want.Spec.App, err)
	}
	return nil
}
