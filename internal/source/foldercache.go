package source

import (
	"os"
	"sync"
	"time"
)

const (
	// racyTime is how long before it was read a file must have been changed last for its
	// facts to be trusted. Within the resolution of its times, which is 2 s on some file
	// systems, a file can change twice and look the same.
	racyTime = 2 * time.Second
	// readingTime is how long a reading is trusted, whatever the file system says.
	readingTime = time.Hour
	// maxKeptEntries bounds the files and folders whose facts are kept, which take about
	// 150 bytes each.
	maxKeptEntries = 200_000
)

// FolderCache keeps what was read of the charts of folders while the facts of their files
// stay the same, so that an unchanged folder is listed without reading a file. It is safe
// for use by several goroutines. A nil FolderCache keeps nothing.
//
// A chart that changed less than two seconds before it was read is read again next time,
// as git does with the files of its index, and every chart is read once an hour, for file
// systems whose times do not follow their contents.
type FolderCache struct {
	// now is the clock; nil is that of the system.
	now func() time.Time

	mu      sync.Mutex
	folders map[string]keptFolder
	entries int
}

// keptFolder is the last listing of a folder.
type keptFolder struct {
	charts  map[string]*reading
	entries int
	at      time.Time
}

// reading is a chart as it was read, and when that began.
type reading struct {
	member
	facts *entryFacts
	at    time.Time
}

func (c *FolderCache) clock() time.Time {
	if c == nil || c.now == nil {
		return time.Now()
	}
	return c.now()
}

// charts returns the readings of a folder by the names of the charts, which are not to be
// changed.
func (c *FolderCache) charts(path string) map[string]*reading {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.folders[path].charts
}

// put replaces the readings of a folder by those of a listing that began at a time, as far
// as they can be trusted later and there is room.
func (c *FolderCache) put(path string, readings []*reading, begin time.Time) {
	if c == nil {
		return
	}
	kept := keptFolder{charts: map[string]*reading{}, at: begin}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, folder := range c.folders {
		if name == path || begin.Sub(folder.at) >= readingTime {
			c.entries -= folder.entries
			delete(c.folders, name)
		}
	}
	for _, r := range readings {
		if !r.canBeTrusted() {
			continue
		}
		if entries := r.facts.count(); c.entries+kept.entries+entries <= maxKeptEntries {
			kept.charts[r.name] = r
			kept.entries += entries
		}
	}
	if c.folders == nil {
		c.folders = map[string]keptFolder{}
	}
	c.folders[path] = kept
	c.entries += kept.entries
}

// canBeTrusted reports whether the same facts at a later time mean that nothing changed.
func (r *reading) canBeTrusted() bool {
	return r.facts != nil && r.facts.newest() < r.at.Add(-racyTime).UnixNano()
}

// isCurrent reports whether the chart in a folder that is open is still as it was read.
func (r *reading) isCurrent(folder *os.File, now time.Time) bool {
	return r != nil && !now.Before(r.at) && now.Sub(r.at) < readingTime &&
		r.facts.holds(int(folder.Fd()), make([]byte, direntBytes))
}
