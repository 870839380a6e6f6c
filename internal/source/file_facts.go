package source

import (
	"io/fs"
	"math"
	"slices"
)

// fileFacts identifies the content of a file without reading it: writing to the file,
// replacing it and resetting its modification time each change one of the fields. Times are
// in nanoseconds. The change time of the inode (changed) is set only by the kernel.
type fileFacts struct {
	device, inode     uint64
	mode              uint32
	size              int64
	modified, changed int64
}

// unknownFacts is newer than any time, so that it is never reliable.
var unknownFacts = fileFacts{changed: math.MaxInt64}

// entryFacts holds the facts of an entry of a folder: of a file, of a folder with all its
// entries sorted by name, or of an ignored entry, of which only name and type are compared.
type entryFacts struct {
	name      string
	isIgnored bool
	file      fileFacts
	// entries contains the entries of a folder, and is nil for any other entry.
	entries []entryFacts
}

// isFolder reports whether the entry is a folder that was read.
func (e *entryFacts) isFolder() bool { return e.entries != nil }

// setIgnored sets the facts of an ignored entry.
func (e *entryFacts) setIgnored(found fs.DirEntry) {
	e.isIgnored, e.file = true, unknownFacts
	if info, err := found.Info(); err == nil {
		e.file = fileFacts{mode: fileType(fileFactsOf(info).mode)}
	}
}

// hasEntry reports whether the folder has an entry of a name.
func (e *entryFacts) hasEntry(name string) bool {
	return slices.ContainsFunc(e.entries, func(inner entryFacts) bool { return inner.name == name })
}

// countEntries returns the number of entries, including this one.
func (e *entryFacts) countEntries() int {
	count := 1
	for _, inner := range e.entries {
		count += inner.countEntries()
	}
	return count
}

// newestChange returns the latest time at which a file was changed.
func (e *entryFacts) newestChange() int64 {
	newest := max(e.file.modified, e.file.changed)
	for _, inner := range e.entries {
		newest = max(newest, inner.newestChange())
	}
	return newest
}
