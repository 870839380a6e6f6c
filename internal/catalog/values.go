package catalog

import (
	"encoding/json"
	"errors"
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
	values, err := DecodeValues(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("spec.platform.values of source %s: %w", source.Name, err)
	}
	return profile, values, nil
}

// SystemVersion returns the version that the platform of an app reports, or "".
func (c *Catalog) SystemVersion(app *App) (string, error) {
	profile, platform, err := c.Profiles.ProfileFor(app.Source)
	if err != nil {
		return "", err
	}
	version, _ := values.Overlay(profile.Values(nil, hydrate.InstallTarget{}), platform)["sysVersion"].(string)
	return version, nil
}

// DecodeValues parses the values in a field of an object. Numbers become float64, as when Helm
// parses a values.yaml.
func DecodeValues(raw *runtime.RawExtension) (map[string]any, error) {
	if raw == nil || len(raw.Raw) == 0 {
		return nil, nil
	}
	decoded := map[string]any{}
	if err := json.Unmarshal(raw.Raw, &decoded); err != nil {
		if !json.Valid(raw.Raw) {
			return nil, outcome.Stalled(v1alpha1.ReasonInvalidValues, errors.New("not JSON"))
		}
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidValues, errors.New(values.ParseProblem(err)))
	}
	if decoded == nil { // null
		decoded = map[string]any{}
	}
	return decoded, nil
}

// maxValueEntries is the maximum number of keys and list items in the values of an
// installation. Helm copies each entry several times, and so does the transfer to a worker,
// so that 1 MB of values with many short entries takes seconds of CPU time.
const maxValueEntries = 1 << 17

// checkEntries returns an error if values have too many entries.
func checkEntries(values map[string]any) error {
	if count := countEntries(values); count > maxValueEntries {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
			"spec.values and spec.valuesFrom have %d keys and list items together, and may have %d: give fewer, such as one text for a list", count, maxValueEntries))
	}
	return nil
}

func countEntries(value any) int {
	count := 0
	switch value := value.(type) {
	case map[string]any:
		for _, item := range value {
			count += 1 + countEntries(item)
		}
	case []any:
		for _, item := range value {
			count += 1 + countEntries(item)
		}
	}
	return count
}
