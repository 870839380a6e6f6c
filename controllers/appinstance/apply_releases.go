package appinstance

import (
	"context"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/text"
)

// plannedRelease is one release to install or upgrade.
type plannedRelease struct {
	name string
	unit hydrate.Unit
}

// planReleases returns the plans for an app, one for each chart unit.
func planReleases(instance *v1alpha1.AppInstance, draft *hydrate.Draft) []plannedRelease {
	var plans []plannedRelease
	for _, unit := range draft.Units {
		plans = append(plans, plannedRelease{name: hydrate.ReleaseName(instance.Name, draft.Chart.Name, unit.Name), unit: unit})
	}
	return plans
}

// addPlannedReleases adds the releases to status before they are installed, so that they are found
// after an interruption. It keeps releases that the app no longer has, because they are
// still to be removed.
func addPlannedReleases(known []v1alpha1.Release, plans []plannedRelease) []v1alpha1.Release {
	for _, p := range plans {
		if !slices.ContainsFunc(known, func(k v1alpha1.Release) bool { return k.Name == p.name }) {
			known = append(known, v1alpha1.Release{Name: p.name, Unit: p.unit.Dir})
		}
	}
	return known
}

// installReleases installs or upgrades every release in order, and then removes the releases that the
// app no longer has.
func installReleases(ctx context.Context, s *scope, plans []plannedRelease) error {
	var made []v1alpha1.Release
	var objects []v1alpha1.ObjectReference
	for i, p := range plans {
		rel, err := installRelease(ctx, s, release.Spec{
			Name: p.name, Labels: releaseLabels(s.instance), Render: s.rendererFor(p, i > 0), Values: p.unit.Values,
			MaxHistory: int(s.instance.Spec.RevisionHistoryLimit), Timeout: operationTimeout(s.instance), Resumed: isResumingOperation(s.instance),
		})
		if err != nil {
			return err
		}
		made = append(made, toReleaseStatus(rel, p.unit.Dir))
		objects = append(objects, rel.Objects...)
	}
	if err := uninstallOtherReleases(ctx, s, made); err != nil {
		return err
	}
	s.instance.Status.Releases = copyRecords(s.instance, made)
	s.instance.Status.Inventory = newInventory(objects)
	return nil
}

// uninstallOtherReleases uninstalls the known releases that are not in the given list.
func uninstallOtherReleases(ctx context.Context, s *scope, made []v1alpha1.Release) error {
	for _, known := range s.instance.Status.Releases {
		if slices.ContainsFunc(made, func(m v1alpha1.Release) bool { return m.Name == known.Name }) {
			continue
		}
		if err := uninstallRelease(ctx, s, known.Name); err != nil {
			return fmt.Errorf("uninstall release %q: %w", known.Name, err)
		}
	}
	return nil
}

// releaseLabels returns the labels of the releases of the instance.
func releaseLabels(instance *v1alpha1.AppInstance) map[string]string {
	return map[string]string{v1alpha1.InstanceLabel: instance.Name}
}

// isOwnRelease reports whether a release belongs to the instance.
func isOwnRelease(instance *v1alpha1.AppInstance, rel *release.Release) bool {
	return rel.Labels[v1alpha1.InstanceLabel] == instance.Name
}

// uninstallRelease removes a release if it belongs to the instance. Its PersistentVolumeClaims are
// kept.
func uninstallRelease(ctx context.Context, s *scope, name string) error {
	have, err := s.helm.Get(ctx, name)
	if err != nil || have == nil || !isOwnRelease(s.instance, have) {
		return err
	}
	return s.helm.Uninstall(ctx, release.Removal{
		Name: name, Timeout: operationTimeout(s.instance),
		SkipHooks: s.instance.Annotations[v1alpha1.SkipDeleteHooksAnnotation] == "true",
	})
}

// installRelease installs a release, or upgrades it if it exists.
func installRelease(ctx context.Context, s *scope, spec release.Spec) (*release.Release, error) {
	if slices.Contains(s.unrecorded, spec.Name) {
		spec.Unrecorded = true
		return s.helm.Install(ctx, spec)
	}
	have, err := s.helm.Get(ctx, spec.Name)
	switch {
	case err != nil:
		return nil, err
	case have == nil:
		return s.helm.Install(ctx, spec)
	case !isOwnRelease(s.instance, have):
		return nil, outcome.Stalled(v1alpha1.ReasonInstallFailed, fmt.Errorf(
			"Helm release %q already exists in namespace %q; set spec.adoptionPolicy to Adopt, remove the release with helm uninstall, or use another name for the instance",
			spec.Name, s.instance.Namespace))
	case have.Pending:
		if err := s.helm.Unlock(ctx, spec.Name); err != nil {
			return nil, err
		}
	}
	return s.helm.Upgrade(ctx, spec)
}

func toReleaseStatus(rel *release.Release, unit string) v1alpha1.Release {
	return v1alpha1.Release{
		Name: rel.Name, Unit: unit, Revision: int32(rel.Revision), Status: rel.Status, Chart: text.Limit(rel.ChartName+"-"+rel.ChartVersion, 512),
	}
}

// maxInventory is the maximum number of objects that status lists.
const maxInventory = 200

func newInventory(objects []v1alpha1.ObjectReference) *v1alpha1.Inventory {
	return &v1alpha1.Inventory{Total: int32(len(objects)), Objects: objects[:min(len(objects), maxInventory)]}
}
