package source

import (
	"os"
	"sync"
	"time"
)

const (
	// racyTime is the minimum time between the last change of a file and the time at which
	// it was read for its facts to be reliable. Within the resolution of file times, which
	// is 2 s on some file systems, a file can change twice without a change of its facts.
	racyTime = 2 * time.Second
	// maxReadingAge is the time after which a chart is read again even if its facts have not
	// changed.
	maxReadingAge = time.Hour
	// maxCachedEntries is the maximum number of files and folders whose facts are cached.
	// Each takes about 150 bytes.
	maxCachedEntries = 200_000
)

// FolderCache caches the charts of folders as long as the facts of their files do not
// change, so that an unchanged folder is listed without reading a file. It is safe for
// concurrent use. A nil FolderCache caches nothing.
//
// A chart that was changed less than two seconds before it was read is read again by the
// next listing, as git does with the files of its index. Every chart is read again after an
// hour, for file systems that do not update the times of changed files.
type FolderCache struct {
	// now returns the current time. Defaults to time.Now.
	now func() time.Time

	mu      sync.Mutex
	folders map[string]cachedFolder
	entries int
}

// cachedFolder holds the charts of the last listing of a folder.
type cachedFolder struct {
	charts  map[string]*cachedChart
	entries int
	at      time.Time
}

// cachedChart is a chart with the facts of its files and the start time of the listing that
// read it.
type cachedChart struct {
	directoryEntry
	facts *entryFacts
	at    time.Time
}

// currentTime returns the current time of the clock.
func (c *FolderCache) currentTime() time.Time {
	if c == nil || c.now == nil {
		return time.Now()
	}
	return c.now()
}

// cachedCharts returns the charts of a folder by their names in the folder. The caller must
// not change them.
func (c *FolderCache) cachedCharts(path string) map[string]*cachedChart {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.folders[path].charts
}

// storeCharts replaces the cached charts of a folder by the charts of a listing that began at
// a time. It omits charts whose facts are not reliable, and charts that exceed the limit.
func (c *FolderCache) storeCharts(path string, charts []*cachedChart, begin time.Time) {
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
	for _, r := range charts {
		if !r.isReliable() {
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

// isReliable reports whether unchanged facts prove that the chart has not changed.
func (r *cachedChart) isReliable() bool {
	return r.facts != nil && r.facts.newestChange() < r.at.Add(-racyTime).UnixNano()
}

// isCurrent reports whether the chart in an open folder has not changed since it was read.
func (r *cachedChart) isCurrent(folder *os.File, now time.Time) bool {
	return r != nil && !now.Before(r.at) && now.Sub(r.at) < maxReadingAge &&
		r.facts.isUnchanged(int(folder.Fd()), make([]byte, direntBytes))
}
