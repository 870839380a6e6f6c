package source

import (
	"errors"
	"fmt"
	"path"
)

// listingOptions determines which apps and how many versions of each are listed.
type listingOptions struct {
	names nameFilter
	keep  int
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
