package source

import (
	"io/fs"
	"math"
	"path"
	"slices"

	"github.com/appmarket/operator/hydrate"
)

// fileFacts identify the content of a file without reading it: writing to the file,
// replacing it and setting its modification time back each change one of them. Times are
// in nanoseconds; changed is the time of the inode, which only the kernel sets.
type fileFacts struct {
	device, inode     uint64
	mode              fs.FileMode
	size              int64
	modified, changed int64
}

// unknownFacts are newer than any time, so that they are never trusted.
var unknownFacts = fileFacts{changed: math.MaxInt64}

// entryFacts are the facts of an entry of a folder: a file, a folder with all its entries
// sorted by name, or an entry that is left out, of which only name and type count.
type entryFacts struct {
	name    string
	kind    fs.FileMode
	leftOut bool
	file    fileFacts
	entries []entryFacts
}

// has reports whether a folder has an entry of a name.
func (e entryFacts) has(name string) bool {
	return slices.ContainsFunc(e.entries, func(inner entryFacts) bool { return inner.name == name })
}

// count returns the number of entries, this one included.
func (e entryFacts) count() int {
	count := 1
	for _, inner := range e.entries {
		count += inner.count()
	}
	return count
}

// newest returns the latest time at which a file was changed.
func (e entryFacts) newest() int64 {
	newest := max(e.file.modified, e.file.changed)
	for _, inner := range e.entries {
		newest = max(newest, inner.newest())
	}
	return newest
}

// holds reports whether the entry that is found at a path is the one of the facts, without
// opening a file: in folders no entry was added or removed, and none that counts changed.
func (e entryFacts) holds(root fs.FS, at string, found fs.DirEntry) bool {
	if found.Name() != e.name || found.Type() != e.kind {
		return false
	}
	if e.leftOut {
		return true
	}
	if found.IsDir() {
		return e.holdsInFolder(root, at)
	}
	info, err := found.Info()
	return err == nil && factsOf(info) == e.file
}

func (e entryFacts) holdsInFolder(root fs.FS, at string) bool {
	found, err := readNames(root, at, hydrate.MaxFiles)
	if err != nil || len(found) != len(e.entries) {
		return false
	}
	for i, inner := range e.entries {
		if !inner.holds(root, path.Join(at, inner.name), found[i]) {
			return false
		}
	}
	return true
}
