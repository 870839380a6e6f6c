package app

import (
	"fmt"
	"path/filepath"
	"strings"
)

// list is a flag of values separated by commas.
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

// pairs is a flag of the form name=value that may be repeated.
type stringMap map[string]string

func (p *stringMap) String() string { return fmt.Sprint(map[string]string(*p)) }

// Set adds a pair.
func (p *stringMap) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found || name == "" || value == "" {
		return fmt.Errorf("want name=value, got %q", text)
	}
	if *p == nil {
		*p = stringMap{}
	}
	(*p)[name] = value
	return nil
}

// directory is a folder in which sources of type Directory may lie: those of a namespace,
// or of every market where the namespace is empty.
type directory struct{ namespace, path string }

// directories is a flag of folders, separated by commas, each as path or namespace=path.
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

// Set adds folders to the list.
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
			return fmt.Errorf("want an absolute path, or namespace=path with one, got %q", item)
		}
		*d = append(*d, each)
	}
	return nil
}

// rootsFor returns the folders that sources of a namespace may be in.
func (d directories) rootsFor(namespace string) []string {
	var roots []string
	for _, each := range d {
		if each.namespace == "" || each.namespace == namespace {
			roots = append(roots, each.path)
		}
	}
	return roots
}
