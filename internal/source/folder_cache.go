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
	maxReadingAge = time.Hour
	// maxKeptEntries bounds the files and folders whose facts are kept, which take about
	// 150 bytes each.
	maxCachedEntries = 200_000
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
	folders map[string]cachedFolder
	entries int
}

// keptFolder is the last listing of a folder.
type cachedFolder struct {
	charts  map[string]*cachedChart
	entries int
	at      time.Time
}

// reading is a chart as it was read, and when that began.
type cachedChart struct {
	directoryEntry
	facts *entryFacts
	at    time.Time
}

func (c *FolderCache) currentTime() time.Time {
	if c == nil || c.now == nil {
		return time.Now()
	}
	return c.now()
}

// charts returns the readings of a folder by the names of the charts, which are not to be
// changed.
func (c *FolderCache) cachedCharts(path string) map[string]*cachedChart {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.folders[path].charts
}

// put replaces the readings of a folder by those of a listing that began at a time, as far
// as they can be trusted later and there is room.
func (c *FolderCache) storeCharts(path string, readings []*cachedChart, begin time.Time) {
	if c == nil {
		return
	}
	kept := cachedFolder{charts: map[string]*cachedChart{}, at: begin}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, folder := range c.folders {
		if name == path || begin.Sub(folder.at) >= maxReadingAge {
			c.entries -= folder.entries
			delete(c.folders, name)
		}
	}
	for _, r := range readings {
		if !r.canBeTrusted() {
			continue
		}
		if entries := r.facts.countEntries(); c.entries+kept.entries+entries <= maxCachedEntries {
			kept.charts[r.name] = r
			kept.entries += entries
		}
	}
	if c.folders == nil {
		c.folders = map[string]cachedFolder{}
	}
	c.folders[path] = kept
	c.entries += kept.entries
}

// canBeTrusted reports whether the same facts at a later time mean that nothing changed.
func (r *cachedChart) canBeTrusted() bool {
	return r.facts != nil && r.facts.newestChange() < r.at.Add(-racyTime).UnixNano()
}

// isCurrent reports whether the chart in a folder that is open is still as it was read.
func (r *cachedChart) isCurrent(folder *os.File, now time.Time) bool {
	return r != nil && !now.Before(r.at) && now.Sub(r.at) < maxReadingAge &&
		r.facts.isUnchanged(int(folder.Fd()), make([]byte, direntBytes))
}
