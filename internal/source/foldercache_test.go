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

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// listedFolder is a folder with charts and archives that is listed with one cache.
type listedFolder struct {
	*WithT
	t     *testing.T
	path  string
	cache *FolderCache
	from  Source
	last  hydrate.Listing
}

// listFolder lists a folder with a clock that is an hour ahead, so that no file of it is
// too new to be trusted.
func listFolder(t *testing.T) *listedFolder {
	t.Helper()
	l := &listedFolder{WithT: NewWithT(t), t: t, path: filepath.Join(t.TempDir(), "charts")}
	l.cache = &FolderCache{now: func() time.Time { return time.Now().Add(readingTime) }}
	l.write("web/Chart.yaml", "name: web\nversion: 1.0.0\n")
	l.write("web/values.yaml", "a: 1\n")
	l.write("web/templates/web.yaml", "kind: Pod\n")
	l.write("blog/Chart.yaml", "name: blog\nversion: 2.0.0\n")
	l.write("blog/.helmignore", "*.bak\nold/\n")
	l.write("blog/old/x", "")
	l.write("blog/x.bak", "")
	l.write("shop.tgz", archiveOf(t, "shop/Chart.yaml", "name: shop\nversion: 1.0.0\n"))
	l.write("broken.tgz", "not an archive")
	l.write("notes/readme.md", "no chart")
	l.reopen()
	l.list()
	return l
}

// archiveOf is an archive of one file.
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

func (l *listedFolder) reopen() {
	var err error
	l.from, err = Open(Config{Directory: &DirectoryConfig{Path: l.path, AllowedRoots: []string{filepath.Dir(l.path)}, Cache: l.cache}})
	l.Expect(err).NotTo(HaveOccurred())
}

func (l *listedFolder) at(name string) string { return filepath.Join(l.path, name) }

func (l *listedFolder) write(name, data string) {
	l.t.Helper()
	l.Expect(os.MkdirAll(filepath.Dir(l.at(name)), 0o755)).To(Succeed())
	l.Expect(os.WriteFile(l.at(name), []byte(data), 0o600)).To(Succeed())
}

// list lists the folder, and reports whether any of it was read.
func (l *listedFolder) list() (read bool) {
	l.t.Helper()
	ctx := hydrate.WithReading(l.t.Context(), func(context.Context, string) error {
		read = true
		return nil
	})
	var err error
	l.last, err = l.from.List(ctx, hydrate.Mark{})
	l.Expect(err).NotTo(HaveOccurred())
	return read
}

// expectCurrent compares the listing with one that reads everything.
func (l *listedFolder) expectCurrent(why string) {
	l.t.Helper()
	fresh, err := Open(Config{Directory: &DirectoryConfig{Path: l.path, AllowedRoots: []string{l.path}}})
	l.Expect(err).NotTo(HaveOccurred())
	want, err := fresh.List(l.t.Context(), hydrate.Mark{})
	l.Expect(err).NotTo(HaveOccurred())
	l.Expect(l.last).To(Equal(want), why)
}

// tick waits until the file system gives a new file another time than it gave to one that
// exists.
func (l *listedFolder) tick(name string) {
	l.t.Helper()
	info, err := os.Lstat(l.at(name))
	l.Expect(err).NotTo(HaveOccurred())
	before, probe := factsOf(info).changed, l.path+"-probe"
	l.Eventually(func(g Gomega) {
		g.Expect(os.WriteFile(probe, nil, 0o600)).To(Succeed())
		info, err := os.Lstat(probe)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(factsOf(info).changed).To(BeNumerically(">", before))
	}).WithPolling(time.Millisecond).Should(Succeed())
}

func TestUnchangedFolderIsNotRead(t *testing.T) {
	l := listFolder(t)
	first := l.last
	l.Expect(first.Apps).To(HaveLen(3))
	l.Expect(first.Skipped).To(HaveLen(1))
	l.Expect(l.list()).To(BeFalse(), "nothing has changed")
	l.Expect(l.last).To(Equal(first))

	l.cache = &FolderCache{now: l.cache.now}
	l.reopen()
	l.Expect(l.list()).To(BeTrue(), "another process has read nothing yet")
	l.Expect(l.last).To(Equal(first))
}

// TestFileThatIsTooNew lists a file that changed just before, with a clock that is set to
// times after that change.
func TestFileThatIsTooNew(t *testing.T) {
	for _, c := range []struct {
		why   string
		after time.Duration
		read  bool
	}{
		{"in the same tick of the file system", 0, true},
		{"within the resolution of file systems", racyTime, true},
		{"after it", racyTime + time.Nanosecond, false},
	} {
		l := listFolder(t)
		l.tick("notes/readme.md")
		l.write("web/values.yaml", "a: 8\n")
		info, err := os.Lstat(l.at("web/values.yaml"))
		l.Expect(err).NotTo(HaveOccurred())
		l.cache = &FolderCache{now: func() time.Time { return time.Unix(0, factsOf(info).changed).Add(c.after) }}
		l.reopen()
		l.list()
		l.Expect(l.list()).To(Equal(c.read), c.why)
	}
}

func TestReadingsAreTrusted(t *testing.T) {
	l := listFolder(t)
	now := time.Now().Add(readingTime)
	l.cache.now = func() time.Time { return now }
	l.list()
	for _, c := range []struct {
		why  string
		at   time.Time
		read bool
	}{
		{"for a while", now.Add(time.Minute), false},
		{"no longer when the clock is set back", now.Add(-10 * time.Minute), true},
		{"for an hour", now.Add(-10*time.Minute + readingTime - time.Second), false},
		{"and not longer", now.Add(-10*time.Minute + readingTime), true},
	} {
		l.cache.now = func() time.Time { return c.at }
		l.Expect(l.list()).To(Equal(c.read), c.why)
	}
	l.cache.now = func() time.Time { return now }
	l.Expect(os.Chtimes(l.at("web/values.yaml"), time.Time{}, now.Add(time.Hour))).To(Succeed())
	l.list()
	l.Expect(l.list()).To(BeTrue(), "a file of the future is read each time")
}

// TestBoundOfFolderCache fills the cache with readings of many files.
func TestBoundOfFolderCache(t *testing.T) {
	g := NewWithT(t)
	var cache FolderCache
	many := func(prefix string) []*reading {
		var all []*reading
		for i := range 30 {
			all = append(all, &reading{
				member: member{name: fmt.Sprint(prefix, i)}, at: time.Now(),
				facts: &entryFacts{entries: make([]entryFacts, hydrate.MaxFiles-1)},
			})
		}
		return all
	}
	begin := time.Now()
	cache.put("a", many("a"), begin)
	g.Expect(cache.charts("a")).To(HaveLen(20))
	cache.put("b", many("b"), begin)
	g.Expect(cache.charts("b")).To(BeEmpty(), "there is no room")
	cache.put("a", many("a")[:5], begin)
	cache.put("b", many("b"), begin)
	g.Expect(cache.charts("b")).To(HaveLen(15))
	cache.put("c", many("c"), begin.Add(readingTime))
	g.Expect(cache.charts("c")).To(HaveLen(20), "others were not listed for an hour")
	g.Expect(cache.charts("a")).To(BeEmpty())
	g.Expect(cache.entries).To(Equal(20 * hydrate.MaxFiles))
}

// TestFoldersWithOneCache lists two folders, and a part of one of them, with one cache.
func TestFoldersWithOneCache(t *testing.T) {
	l := listFolder(t)
	other := *l
	other.path = filepath.Join(t.TempDir(), "charts")
	other.write("web/Chart.yaml", "name: web\nversion: 5.0.0\n")
	other.reopen()
	l.Expect(other.list()).To(BeTrue())
	part, err := Open(Config{Include: []string{"w*"}, Directory: &DirectoryConfig{Path: l.path, AllowedRoots: []string{l.path}, Cache: l.cache}})
	l.Expect(err).NotTo(HaveOccurred())
	list, err := part.List(t.Context(), hydrate.Mark{})
	l.Expect(err).NotTo(HaveOccurred())
	l.Expect(list.Apps).To(HaveLen(1))
	for _, folder := range []*listedFolder{l, &other} {
		l.Expect(folder.list()).To(BeFalse())
		folder.expectCurrent(strings.Clone(folder.path))
	}
}
