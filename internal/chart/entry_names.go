package chart

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// checkName returns an error unless name is a valid path relative to a chart's folder.
func checkName(name string) error {
	if err := checkLetters(name); err != nil {
		return err
	}
	switch {
	case name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q points outside the chart's folder", name)
	case path.IsAbs(name):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is an absolute path", name)
	case isDrive(name):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q starts with a drive letter", name)
	case path.Clean(name) != name:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is not a clean relative path", name)
	case strings.Count(name, "/") >= MaxPathDepth:
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "entry %q is more than %d folders deep", name, MaxPathDepth)
	}
	return nil
}

// checkLetters returns an error unless every operating system reads the name as the same
// text.
func checkLetters(name string) error {
	switch {
	case name == "":
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry without a name")
	case len(name) > MaxPathBytes:
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "entry %q…: the name has %d bytes, at most %d are allowed", name[:60], len(name), MaxPathBytes)
	case !utf8.ValidString(name):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q: the name is not UTF-8", name)
	case strings.Contains(name, `\`):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q has a backslash in its name", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q has a control character in its name", name)
	}
	return nil
}

// isDrive reports whether Windows reads the name as a path on a drive.
func isDrive(name string) bool {
	return len(name) >= 2 && name[1] == ':' && unicode.IsLetter(rune(name[0]))
}

// nameSet detects names that are equal on a case-insensitive file system.
type nameSet struct {
	files   map[string]string
	folders map[string]bool
}

func newNames() *nameSet {
	return &nameSet{files: map[string]string{}, folders: map[string]bool{}}
}

func (n *nameSet) addFile(name string) error {
	key := strings.ToLower(name)
	switch other, ok := n.files[key]; {
	case ok && other == name:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q occurs twice", name)
	case ok:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entries %q and %q differ only in case", other, name)
	case n.folders[key]:
		return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is both a file and a folder", name)
	}
	n.files[key] = name
	return n.addFolder(parentFolder(name))
}

// addFolder adds a folder and its parent folders.
func (n *nameSet) addFolder(name string) error {
	for ; name != ""; name = parentFolder(name) {
		key := strings.ToLower(name)
		if n.folders[key] {
			return nil
		}
		if _, ok := n.files[key]; ok {
			return outcome.Stalledf(v1alpha1.ReasonInvalidArchive, "entry %q is both a file and a folder", name)
		}
		n.folders[key] = true
	}
	return nil
}

func parentFolder(name string) string {
	return name[:max(0, strings.LastIndexByte(name, '/'))]
}
