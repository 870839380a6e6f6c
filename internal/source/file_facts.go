package source

import (
	"io/fs"
	"math"
	"slices"
)

// fileFacts identify the content of a file without reading it: writing to the file,
// replacing it and setting its modification time back each change one of them. Times are
// in nanoseconds; changed is the time of the inode, which only the kernel sets.
type fileFacts struct {
	device, inode     uint64
	mode              uint32
	size              int64
	modified, changed int64
}

// unknownFacts are newer than any time, so that they are never trusted.
var unknownFacts = fileFacts{changed: math.MaxInt64}

// entryFacts are the facts of an entry of a folder: of a file, of a folder with all its
// entries sorted by name, or of an entry that is left out, of which only name and type count.
type entryFacts struct {
	name      string
	isIgnored bool
	file      fileFacts
	// entries are those of a folder, and nil for all others.
	entries []entryFacts
}

// isFolder reports whether the facts are those of a folder that was read.
func (e *entryFacts) isFolder() bool { return e.entries != nil }

// leaveOut sets the facts of an entry that is left out.
func (e *entryFacts) setIgnored(found fs.DirEntry) {
	e.isIgnored, e.file = true, unknownFacts
	if info, err := found.Info(); err == nil {
		e.file = fileFacts{mode: fileType(fileFactsOf(info).mode)}
	}
}

// has reports whether a folder has an entry of a name.
func (e *entryFacts) hasEntry(name string) bool {
	return slices.ContainsFunc(e.entries, func(inner entryFacts) bool { return inner.name == name })
}

// count returns the number of entries, this one included.
func (e *entryFacts) countEntries() int {
	count := 1
	for _, inner := range e.entries {
		count += inner.countEntries()
	}
	return count
}

// newest returns the latest time at which a file was changed.
func (e *entryFacts) newestChange() int64 {
	newest := max(e.file.modified, e.file.changed)
	for _, inner := range e.entries {
		newest = max(newest, inner.newestChange())
	}
	return newest
}
