package appinfo

import (
	"context"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/text"
)

// maxVersions is the maximum number of versions in status.
const maxVersions = 50

// pruneVersions removes versions from the repository that the source no longer offers, and that no
// instance has installed or names in its history. Versions of histories are kept up to
// maxVersions.
func (r *Reconciler) pruneVersions(ctx context.Context, s *scope) error {
	var instances v1alpha1.AppInstanceList
	err := r.List(ctx, &instances, client.MatchingFields{catalog.InstancesByApp: s.app.Namespace + "/" + s.app.Name})
	if err != nil {
		return fmt.Errorf("list instances of app %q: %w", s.app.Spec.App, err)
	}
	kept := map[string]bool{}
	for _, o := range s.app.Spec.Offers {
		kept[o.Version] = true
	}
	for _, i := range instances.Items {
		// A chart that is missing and no longer offered cannot be restored.
		kept[i.Status.Version] = kept[i.Status.Version] || !s.missingCharts[i.Status.Version]
	}
	named := namedDigests(instances.Items)
	room := maxVersions - countKept(s.app.Status.Versions, kept)
	versions := slices.DeleteFunc(slices.Clone(s.app.Status.Versions), func(v v1alpha1.PublishedVersion) bool {
		if !kept[v.Version] && named[v.Digest] && !s.missingCharts[v.Version] && room > 0 {
			room--
			return false
		}
		return !kept[v.Version]
	})
	if len(versions) == len(s.app.Status.Versions) {
		return nil
	}
	var keep []string
	for _, v := range versions {
		keep = append(keep, v.Version)
	}
	if err := r.Repository.Remove(ownerFor(s.app), s.app.Spec.App, keep...); err != nil {
		return fmt.Errorf("remove versions that are no longer offered: %w", err)
	}
	s.app.Status.Versions = versions
	if len(versions) == 0 {
		clearSelected(s.app)
	}
	return nil
}

// namedDigests returns the digests that instances name.
func namedDigests(instances []v1alpha1.AppInstance) map[string]bool {
	named := map[string]bool{}
	for i := range instances {
		for _, digest := range catalog.NamedDigests(&instances[i]) {
			named[digest] = digest != ""
		}
	}
	return named
}

func countKept(versions []v1alpha1.PublishedVersion, kept map[string]bool) int {
	count := 0
	for _, v := range versions {
		if kept[v.Version] {
			count++
		}
	}
	return count
}

// sortVersions sorts versions, the newest first.
func sortVersions(versions []v1alpha1.PublishedVersion) {
	slices.SortFunc(versions, func(a, b v1alpha1.PublishedVersion) int {
		x, errX := semver.NewVersion(a.Version)
		y, errY := semver.NewVersion(b.Version)
		if errX != nil || errY != nil {
			return 0
		}
		return y.Compare(x)
	})
}

// libraryType is the type of a library chart, which has no objects.
const libraryType = "library"

// reportServing sets the Ready condition to True with a message about the versions that the app
// serves.
func (r *Reconciler) reportServing(_ context.Context, s *scope) error {
	versions := s.app.Status.Versions
	if len(versions) == 0 {
		s.statusWriter.SetReady(v1alpha1.ReasonReady, "the source does not offer any version")
		return nil
	}
	message := "serving " + s.app.Status.SelectedVersion
	if n := len(versions); n > 1 {
		message += " and " + text.Count(n-1, "other version", "other versions")
	}
	if s.app.Status.Summary != nil && s.app.Status.Summary.Type == libraryType {
		message += "; the chart is a library for other charts and cannot be installed"
	}
	s.statusWriter.SetReady(v1alpha1.ReasonReady, message)
	return nil
}
