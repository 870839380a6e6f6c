package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// listedFolder is a folder with charts and archives that is listed with a cache.
type listedFolder struct {
	*WithT
	t     *testing.T
	path  string
	cache *FolderCache
	from  Source
	last  hydrate.Listing
}

// newListedFolder lists a folder with a clock that is an hour ahead, so that the facts of
// all files are reliable.
func newListedFolder(t *testing.T) *listedFolder {
	t.Helper()
	l := &listedFolder{WithT: NewWithT(t), t: t, path: filepath.Join(t.TempDir(), "charts")}
	l.cache = &FolderCache{now: func() time.Time { return time.Now().Add(maxReadingAge) }}
	l.writeFile("web/Chart.yaml", "name: web\nversion: 1.0.0\n")
	l.writeFile("web/values.yaml", "a: 1\n")
	l.writeFile("web/templates/web.yaml", "kind: Pod\n")
	l.writeFile("blog/Chart.yaml", "name: blog\nversion: 2.0.0\n")
	l.writeFile("blog/.helmignore", "*.bak\nold/\n")
	l.writeFile("blog/old/x", "")
	l.writeFile("blog/x.bak", "")
	l.writeFile("shop.tgz", archiveOf(t, "shop/Chart.yaml", "name: shop\nversion: 1.0.0\n"))
	l.writeFile("broken.tgz", "not an archive")
	l.writeFile("notes/readme.md", "no chart")
	l.openAgain()
	l.listCharts()
	return l
}

// archiveOf returns an archive of one file.
func archiveOf(t *testing.T, name, text string) string {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	g.Expect(files.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg})).To(Succeed())
	_, err := files.Write([]byte(text))
	g.Expect(errors.Join(err, files.Close(), zipped.Close())).To(Succeed())
	return out.String()
}

func (l *listedFolder) openAgain() {
	var err error
	l.from, err = Open(Config{Directory: &DirectoryConfig{Path: l.path, AllowedRoots: []string{filepath.Dir(l.path)}, Cache: l.cache}})
	l.Expect(err).NotTo(HaveOccurred())
}

func (l *listedFolder) pathOf(name string) string { return filepath.Join(l.path, name) }

func (l *listedFolder) writeFile(name, data string) {
	l.t.Helper()
	l.Expect(os.MkdirAll(filepath.Dir(l.pathOf(name)), 0o755)).To(Succeed())
	l.Expect(os.WriteFile(l.pathOf(name), []byte(data), 0o600)).To(Succeed())
}

// listCharts lists the folder, and reports whether a chart was read.
func (l *listedFolder) listCharts() (read bool) {
	l.t.Helper()
	ctx := hydrate.WithReading(l.t.Context(), func(context.Context, string) error {
		read = true
		return nil
	})
	var err error
	l.last, err = l.from.List(ctx, hydrate.Cursor{})
	l.Expect(err).NotTo(HaveOccurred())
	return read
}

// expectCurrent compares the listing with a listing without a cache.
func (l *listedFolder) expectCurrent(why string) {
	l.t.Helper()
	fresh, err := Open(Config{Directory: &DirectoryConfig{Path: l.path, AllowedRoots: []string{l.path}}})
	l.Expect(err).NotTo(HaveOccurred())
	want, err := fresh.List(l.t.Context(), hydrate.Cursor{})
	l.Expect(err).NotTo(HaveOccurred())
	l.Expect(l.last).To(Equal(want), why)
}

// waitForTick waits until a new file gets a later time than an existing one.
func (l *listedFolder) waitForTick(name string) {
	l.t.Helper()
	info, err := os.Lstat(l.pathOf(name))
	l.Expect(err).NotTo(HaveOccurred())
	before, probe := fileFactsOf(info).changed, l.path+"-probe"
	l.Eventually(func(g Gomega) {
		g.Expect(os.WriteFile(probe, nil, 0o600)).To(Succeed())
		info, err := os.Lstat(probe)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(fileFactsOf(info).changed).To(BeNumerically(">", before))
	}).WithPolling(time.Millisecond).Should(Succeed())
}

func TestUnchangedFolderIsNotRead(t *testing.T) {
	l := newListedFolder(t)
	first := l.last
	l.Expect(first.Apps).To(HaveLen(3))
	l.Expect(first.Skipped).To(HaveLen(1))
	l.Expect(l.listCharts()).To(BeFalse(), "no file has changed")
	l.Expect(l.last).To(Equal(first))

	l.cache = &FolderCache{now: l.cache.now}
	l.openAgain()
	l.Expect(l.listCharts()).To(BeTrue(), "a new cache is empty")
	l.Expect(l.last).To(Equal(first))
}

// TestRecentlyChangedFile lists a file at different times after it was changed.
func TestRecentlyChangedFile(t *testing.T) {
	for _, c := range []struct {
		why   string
		after time.Duration
		read  bool
	}{
		{"at the time of the change", 0, true},
		{"within the resolution of file times", racyTime, true},
		{"after the resolution of file times", racyTime + time.Nanosecond, false},
	} {
		l := newListedFolder(t)
		l.waitForTick("notes/readme.md")
		l.writeFile("web/values.yaml", "a: 8\n")
		info, err := os.Lstat(l.pathOf("web/values.yaml"))
		l.Expect(err).NotTo(HaveOccurred())
		l.cache = &FolderCache{now: func() time.Time { return time.Unix(0, fileFactsOf(info).changed).Add(c.after) }}
		l.openAgain()
		l.listCharts()
		l.Expect(l.listCharts()).To(Equal(c.read), c.why)
	}
}

func TestMaxReadingAge(t *testing.T) {
	l := newListedFolder(t)
	now := time.Now().Add(maxReadingAge)
	l.cache.now = func() time.Time { return now }
	l.listCharts()
	for _, c := range []struct {
		why  string
		at   time.Time
		read bool
	}{
		{"a minute later", now.Add(time.Minute), false},
		{"after the clock was set back", now.Add(-10 * time.Minute), true},
		{"less than an hour later", now.Add(-10*time.Minute + maxReadingAge - time.Second), false},
		{"an hour later", now.Add(-10*time.Minute + maxReadingAge), true},
	} {
		l.cache.now = func() time.Time { return c.at }
		l.Expect(l.listCharts()).To(Equal(c.read), c.why)
	}
	l.cache.now = func() time.Time { return now }
	l.Expect(os.Chtimes(l.pathOf("web/values.yaml"), time.Time{}, now.Add(time.Hour))).To(Succeed())
	l.listCharts()
	l.Expect(l.listCharts()).To(BeTrue(), "a file with a time in the future is read by every listing")
}

// TestBoundOfFolderCache fills the cache with charts of many files.
func TestBoundOfFolderCache(t *testing.T) {
	g := NewWithT(t)
	var cache FolderCache
	many := func(prefix string) []*cachedChart {
		var all []*cachedChart
		for i := range 30 {
			all = append(all, &cachedChart{
				directoryEntry: directoryEntry{name: fmt.Sprint(prefix, i)}, at: time.Now(),
				facts: &entryFacts{entries: make([]entryFacts, chart.MaxFiles-1)},
			})
		}
		return all
	}
	begin := time.Now()
	cache.storeCharts("a", many("a"), begin)
	g.Expect(cache.cachedCharts("a")).To(HaveLen(20))
	cache.storeCharts("b", many("b"), begin)
	g.Expect(cache.cachedCharts("b")).To(BeEmpty(), "the cache is full")
	cache.storeCharts("a", many("a")[:5], begin)
	cache.storeCharts("b", many("b"), begin)
	g.Expect(cache.cachedCharts("b")).To(HaveLen(15))
	cache.storeCharts("c", many("c"), begin.Add(maxReadingAge))
	g.Expect(cache.cachedCharts("c")).To(HaveLen(20), "folders that were not listed for an hour are removed")
	g.Expect(cache.cachedCharts("a")).To(BeEmpty())
	g.Expect(cache.entries).To(Equal(20 * chart.MaxFiles))
}

// TestFoldersWithOneCache lists two folders, and some charts of one of them, with one cache.
func TestFoldersWithOneCache(t *testing.T) {
	l := newListedFolder(t)
	other := *l
	other.path = filepath.Join(t.TempDir(), "charts")
	other.writeFile("web/Chart.yaml", "name: web\nversion: 5.0.0\n")
	other.openAgain()
	l.Expect(other.listCharts()).To(BeTrue())
	part, err := Open(Config{Include: []string{"w*"}, Directory: &DirectoryConfig{Path: l.path, AllowedRoots: []string{l.path}, Cache: l.cache}})
	l.Expect(err).NotTo(HaveOccurred())
	list, err := part.List(t.Context(), hydrate.Cursor{})
	l.Expect(err).NotTo(HaveOccurred())
	l.Expect(list.Apps).To(HaveLen(1))
	for _, folder := range []*listedFolder{l, &other} {
		l.Expect(folder.listCharts()).To(BeFalse())
		folder.expectCurrent(strings.Clone(folder.path))
	}
}
