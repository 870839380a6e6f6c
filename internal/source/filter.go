package source

import (
	"errors"
	"fmt"
	"path"
)

// selection says what of a source is listed.
type listingOptions struct {
	names nameFilter
	keep  int
}

// filter chooses apps by name.
type nameFilter struct {
	include []string
	exclude []string
}

func newNameFilter(include, exclude []string) (nameFilter, error) {
	if err := errors.Join(checkGlobs("spec.include", include), checkGlobs("spec.exclude", exclude)); err != nil {
		return nameFilter{}, err
	}
	return nameFilter{include: include, exclude: exclude}, nil
}

func checkGlobs(field string, globs []string) error {
	for i, glob := range globs {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf(`%s[%d]: %q is not a pattern: close the bracket "[", and put a backslash only before another character`, field, i, glob)
		}
	}
	return nil
}

func (f nameFilter) matchesName(name string) bool {
	return (len(f.include) == 0 || matchesAny(f.include, name)) && !matchesAny(f.exclude, name)
}

// matchesAny relies on newFilter having tried every glob.
func matchesAny(globs []string, name string) bool {
	for _, glob := range globs {
		if ok, err := path.Match(glob, name); err == nil && ok {
			return true
		}
	}
	return false
}
