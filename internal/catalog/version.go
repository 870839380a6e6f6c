package catalog

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// FindVersion returns the latest published version that the constraint allows. An empty
// constraint allows every version that is not a prerelease or, if there are only
// prereleases, every version. If a matching version is not published yet, the error is
// Waiting, or Stalled if the hydration of the app is Stalled. If the source does not offer
// a matching version, the error is Stalled. field is the path of the field that contains the
// constraint, for messages. Of the versions that are withheld, only one that the constraint names is
// returned, unless all versions are withheld.
func (a *App) FindVersion(constraint, field string) (*v1alpha1.PublishedVersion, error) {
	published := a.Info.Status.Versions
	if len(published) == 0 {
		return nil, a.unpublishedError(fmt.Sprintf("app %q has no published version", a.Info.Spec.App))
	}
	if !hasVersion(published, constraint) {
		if offered := OfferedVersions(a.Source, published); len(offered) > 0 {
			published = offered
		}
	}
	if constraint == "" {
		return NewestVersion(published), nil
	}
	found, err := SelectVersion(published, constraint)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf(
			"%s: Invalid value: %q: must be a version (1.2.3) or a range (~1.2, >=1 <2); omit the field to use the latest version", field, constraint))
	}
	if found != nil {
		return found, nil
	}
	if a.hasOffer(constraint) {
		return nil, a.unpublishedError(fmt.Sprintf("app %q has no published version that matches %q", a.Info.Spec.App, constraint))
	}
	return nil, outcome.Stalled(v1alpha1.ReasonVersionNotFound, fmt.Errorf(
		"%s: app %q has no version that matches %q; use another version, the latest is %s", field, a.Info.Spec.App, constraint, NewestVersion(published).Version))
}

// unpublishedError returns the error for a version that is not published. While the app is
// hydrated, the error is Waiting and contains the progress.
func (a *App) unpublishedError(problem string) error {
	conditions := a.Info.Status.Conditions
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled); c != nil && c.ObservedGeneration == a.Info.Generation {
		return outcome.Stalled(c.Reason, fmt.Errorf("%s; its hydration is stalled: %s", problem, c.Message))
	}
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil && c.Message != "" {
			return outcome.Waiting(v1alpha1.ReasonWaitingForApp, 0, fmt.Errorf("%s yet: %s", problem, c.Message))
		}
	}
	return outcome.Waiting(v1alpha1.ReasonWaitingForApp, 0, fmt.Errorf("%s yet: its hydration has not started", problem))
}

// AvailableUpdate returns the latest published version if it is newer than the given version, and ""
// otherwise.
func (a *App) AvailableUpdate(than string) string {
	newest, err := a.FindVersion("", "")
	if err != nil || !IsNewer(newest.Version, than) || IsWithheld(a.Source, newest) || !IsIndexed(a.Listing()) {
		return ""
	}
	return newest.Version
}

// NewestVersion returns the latest version that is not a prerelease, or the latest prerelease if
// there are no other versions. published must not be empty.
func NewestVersion(published []v1alpha1.PublishedVersion) *v1alpha1.PublishedVersion {
	for _, constraint := range []string{"*", ">=0.0.0-0"} {
		if found, err := SelectVersion(published, constraint); err == nil && found != nil {
			return found
		}
	}
	return &published[0]
}

// SelectVersion returns the latest version that the constraint allows, or nil. A constraint that is
// equal to a published version, including build metadata, selects that version.
func SelectVersion(published []v1alpha1.PublishedVersion, constraint string) (*v1alpha1.PublishedVersion, error) {
	for i := range published {
		if published[i].Version == constraint {
			return &published[i], nil
		}
	}
	allowed, err := semver.NewConstraint(constraint)
	if err != nil {
		return nil, err
	}
	var best *v1alpha1.PublishedVersion
	var newest *semver.Version
	for i := range published {
		v, err := semver.NewVersion(published[i].Version)
		if err != nil || !allowed.Check(v) {
			continue
		}
		if newest == nil || v.GreaterThan(newest) {
			best, newest = &published[i], v
		}
	}
	return best, nil
}

// hasVersion reports whether a version is published.
func hasVersion(published []v1alpha1.PublishedVersion, version string) bool {
	return slices.ContainsFunc(published, func(v v1alpha1.PublishedVersion) bool { return v.Version == version })
}

// hasOffer reports whether the source offers a version that the constraint allows.
func (a *App) hasOffer(constraint string) bool {
	var offered []v1alpha1.PublishedVersion
	for _, o := range a.Info.Spec.Offers {
		offered = append(offered, v1alpha1.PublishedVersion{Version: o.Version})
	}
	found, err := SelectVersion(offered, constraint)
	return err == nil && found != nil
}

// IsNewer reports whether a version is newer than another. An invalid semantic version is
// older than every valid one.
func IsNewer(version, than string) bool {
	a, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	b, err := semver.NewVersion(than)
	return err != nil || a.GreaterThan(b)
}
