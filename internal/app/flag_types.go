package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// stringList is a flag with comma-separated values that can be repeated.
type stringList []string

func (l *stringList) String() string { return strings.Join(*l, ",") }

// Set adds values to the list.
func (l *stringList) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		if item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

// stringMap is a flag of the form name=value that can be repeated.
type stringMap map[string]string

func (p *stringMap) String() string { return fmt.Sprint(map[string]string(*p)) }

// Set adds a pair.
func (p *stringMap) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found || name == "" || value == "" {
		return errors.New("must have the form <registry>=<url>")
	}
	if *p == nil {
		*p = stringMap{}
	}
	(*p)[name] = value
	return nil
}

// directory is a directory that sources of type Directory can use: the sources of a
// namespace, or of all markets if the namespace is empty.
type directory struct{ namespace, path string }

// directories is a flag with comma-separated directories, each in the form path or
// namespace=path.
type directories []directory

func (d *directories) String() string {
	var texts []string
	for _, each := range *d {
		text := each.path
		if each.namespace != "" {
			text = each.namespace + "=" + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}

// Set adds directories to the list.
func (d *directories) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		each := directory{path: item}
		if namespace, path, found := strings.Cut(item, "="); found && !strings.Contains(namespace, "/") {
			each = directory{namespace, path}
		}
		if !filepath.IsAbs(each.path) {
			return errors.New("must be an absolute path or have the form <namespace>=<path>")
		}
		*d = append(*d, each)
	}
	return nil
}

// rootsFor returns the directories that the sources of a namespace can use.
func (d directories) rootsFor(namespace string) []string {
	var roots []string
	for _, each := range d {
		if each.namespace == "" || each.namespace == namespace {
			roots = append(roots, each.path)
		}
	}
	return roots
}
