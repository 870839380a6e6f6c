package source

import (
	"errors"
	"fmt"
	"path"

	"github.com/Masterminds/semver/v3"
)

// listingOptions determines which apps and versions are listed, and how many versions of each app.
type listingOptions struct {
	names    nameFilter
	versions versionFilter
	keep     int
}

// newListingOptions validates the filter of a Config.
func newListingOptions(cfg Config) (listingOptions, error) {
	names, namesErr := newNameFilter(cfg.Include, cfg.Exclude)
	versions, versionsErr := newVersionFilter(cfg.Versions, cfg.Prereleases)
	if err := errors.Join(namesErr, versionsErr); err != nil {
		return listingOptions{}, err
	}
	keep := cfg.MaxVersions
	if keep <= 0 {
		keep = DefaultMaxVersions
	}
	return listingOptions{names: names, versions: versions, keep: keep}, nil
}

// versionFilter selects versions of apps. The zero value selects all.
type versionFilter struct {
	// allowed is nil if all versions are allowed.
	allowed *semver.Constraints
	// withoutPrereleases excludes prereleases even if allowed contains them.
	withoutPrereleases bool
}

// newVersionFilter returns the filter for a range of versions, which may be empty.
func newVersionFilter(allowed string, prereleases *bool) (versionFilter, error) {
	filter := versionFilter{withoutPrereleases: prereleases != nil && !*prereleases}
	if allowed == "" {
		return filter, nil
	}
	constraint, err := semver.NewConstraint(allowed)
	if err != nil {
		return versionFilter{}, fmt.Errorf("spec.filter.versions: %q is not a range of versions: %w", allowed, err)
	}
	constraint.IncludePrerelease = prereleases != nil && *prereleases
	filter.allowed = constraint
	return filter, nil
}

// matchesVersion reports whether a version is listed.
func (f versionFilter) matchesVersion(version *semver.Version) bool {
	if f.withoutPrereleases && version.Prerelease() != "" {
		return false
	}
	return f.allowed == nil || f.allowed.Check(version)
}

// nameFilter selects apps by name.
type nameFilter struct {
	include []string
	exclude []string
}

func newNameFilter(include, exclude []string) (nameFilter, error) {
	if err := errors.Join(checkGlobs("spec.filter.include", include), checkGlobs("spec.filter.exclude", exclude)); err != nil {
		return nameFilter{}, err
	}
	return nameFilter{include: include, exclude: exclude}, nil
}

// checkGlobs returns an error if a pattern of a field of the spec is invalid.
func checkGlobs(field string, globs []string) error {
	for i, glob := range globs {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf(`%s[%d]: %q is not a pattern: close the bracket "[", and put a backslash only before another character`, field, i, glob)
		}
	}
	return nil
}

// matchesName reports whether an app is listed.
func (f nameFilter) matchesName(name string) bool {
	return (len(f.include) == 0 || matchesAny(f.include, name)) && !matchesAny(f.exclude, name)
}

// matchesAny reports whether a pattern matches. newNameFilter has validated all patterns.
func matchesAny(globs []string, name string) bool {
	for _, glob := range globs {
		if ok, err := path.Match(glob, name); err == nil && ok {
			return true
		}
	}
	return false
}
