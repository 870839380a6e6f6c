// Package platform selects the platform profile of a source, such as Helm or Olares, and the
// values that the platform supplies to the charts of that source.
//
// A source specifies its profile and further values in spec.platform. Hydration and the plan of
// an installation use the same profile, so that a chart is rendered with the same values as it
// was analyzed with.
package platform

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

// Profiles maps the names of platform profiles to their implementation.
type Profiles map[v1alpha1.PlatformProfile]hydrate.Profile

// ProfileFor returns the profile that a source specifies, and the values that the source adds to
// it.
func (p Profiles) ProfileFor(source *v1alpha1.MarketSource) (hydrate.Profile, map[string]any, error) {
	name := v1alpha1.ProfileHelm
	var raw *runtime.RawExtension
	if platform := source.Spec.Platform; platform != nil {
		name, raw = platform.Profile, platform.Values
	}
	profile, ok := p[name]
	if !ok {
		return nil, nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf("platform profile %q is not known", name))
	}
	added, err := values.DecodeField(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("spec.platform.values of source %s: %w", source.Name, err)
	}
	return profile, added, nil
}

// SystemVersion returns the version that the platform of a source reports, or "".
func (p Profiles) SystemVersion(source *v1alpha1.MarketSource) (string, error) {
	profile, added, err := p.ProfileFor(source)
	if err != nil {
		return "", err
	}
	version, _ := values.Overlay(profile.Values(nil, hydrate.InstallTarget{}), added)["sysVersion"].(string)
	return version, nil
}
