package source

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
)

// TestFolderChanges changes a folder in many ways. The listing must be equal to a listing
// without a cache.
func TestFolderChanges(t *testing.T) {
	for why, change := range map[string]func(l *listedFolder){
		"new content":            func(l *listedFolder) { l.writeFile("web/values.yaml", "a: 1000\n") },
		"new content, same size": func(l *listedFolder) { l.writeFile("web/values.yaml", "a: 2\n") },
		"a changed archive": func(l *listedFolder) {
			l.writeFile("shop.tgz", archiveOf(l.t, "shop/Chart.yaml", "name: shop\nversion: 2.0.0\n"))
		},
		"a chart's version":          func(l *listedFolder) { l.writeFile("web/Chart.yaml", "name: web\nversion: 1.0.1\n") },
		"a file in a folder":         func(l *listedFolder) { l.writeFile("web/templates/web.yaml", "kind: Job\n") },
		"one more file":              func(l *listedFolder) { l.writeFile("web/templates/more.yaml", "") },
		"one more file at the end":   func(l *listedFolder) { l.writeFile("web/zoo.yaml", "") },
		"one more folder":            func(l *listedFolder) { l.writeFile("web/crds/more.yaml", "") },
		"one more chart":             func(l *listedFolder) { l.writeFile("wiki/Chart.yaml", "name: wiki\nversion: 1.0.0\n") },
		"a folder becomes a chart":   func(l *listedFolder) { l.writeFile("notes/Chart.yaml", "name: notes\nversion: 1.0.0\n") },
		"a chart is withdrawn":       func(l *listedFolder) { l.writeFile("web/.suspend", "") },
		"a chart is marked removed":  func(l *listedFolder) { l.writeFile("web/.remove", "") },
		"a new .helmignore":          func(l *listedFolder) { l.writeFile("web/.helmignore", "values.yaml\n") },
		"other rules in .helmignore": func(l *listedFolder) { l.writeFile("blog/.helmignore", "*.baz\n") },
		"a .helmignore that ignores itself": func(l *listedFolder) {
			l.writeFile("blog/.helmignore", ".helmignore\n")
			l.listCharts()
			l.waitForTick("blog/.helmignore")
			l.writeFile("blog/.helmignore", ".h*\n*.bak\n")
		},
		"an ignored folder that becomes a file, which is not ignored": func(l *listedFolder) {
			l.Expect(os.RemoveAll(l.pathOf("blog/old"))).To(Succeed())
			l.writeFile("blog/old", "")
		},
		"a marker file renamed to the other one": func(l *listedFolder) {
			l.writeFile("web/.suspend", "")
			l.listCharts()
			l.Expect(os.Rename(l.pathOf("web/.suspend"), l.pathOf("web/.remove"))).To(Succeed())
		},
		"a file replaced by an empty folder": func(l *listedFolder) {
			l.Expect(os.Remove(l.pathOf("web/values.yaml"))).To(Succeed())
			l.Expect(os.Mkdir(l.pathOf("web/values.yaml"), 0o755)).To(Succeed())
		},
		"a modification time set back": func(l *listedFolder) {
			info, err := os.Lstat(l.pathOf("web/values.yaml"))
			l.Expect(err).NotTo(HaveOccurred())
			l.writeFile("web/values.yaml", "a: 3\n")
			l.Expect(os.Chtimes(l.pathOf("web/values.yaml"), info.ModTime(), info.ModTime())).To(Succeed())
		},
		"a file replaced by another of the same time and size": func(l *listedFolder) {
			info, err := os.Lstat(l.pathOf("web/values.yaml"))
			l.Expect(err).NotTo(HaveOccurred())
			l.writeFile("web/other", "a: 4\n")
			l.Expect(os.Chtimes(l.pathOf("web/other"), info.ModTime(), info.ModTime())).To(Succeed())
			l.Expect(os.Rename(l.pathOf("web/other"), l.pathOf("web/values.yaml"))).To(Succeed())
		},
		"two files with swapped names": func(l *listedFolder) {
			l.writeFile("web/values-b.yaml", "a: 5\n")
			l.listCharts()
			l.Expect(os.Rename(l.pathOf("web/values.yaml"), l.pathOf("web/c"))).To(Succeed())
			l.Expect(os.Rename(l.pathOf("web/values-b.yaml"), l.pathOf("web/values.yaml"))).To(Succeed())
			l.Expect(os.Rename(l.pathOf("web/c"), l.pathOf("web/values-b.yaml"))).To(Succeed())
		},
		"a file removed":       func(l *listedFolder) { l.Expect(os.Remove(l.pathOf("web/values.yaml"))).To(Succeed()) },
		"a chart removed":      func(l *listedFolder) { l.Expect(os.RemoveAll(l.pathOf("web"))).To(Succeed()) },
		"a Chart.yaml removed": func(l *listedFolder) { l.Expect(os.Remove(l.pathOf("web/Chart.yaml"))).To(Succeed()) },
		"a chart moved":        func(l *listedFolder) { l.Expect(os.Rename(l.pathOf("web"), l.pathOf("web-1"))).To(Succeed()) },
		"a chart replaced by another of the same names": func(l *listedFolder) {
			l.Expect(os.Rename(l.pathOf("web"), l.path+"-old")).To(Succeed())
			l.writeFile("web/Chart.yaml", "name: web\nversion: 1.0.9\n")
			l.writeFile("web/values.yaml", "a: 1\n")
			l.writeFile("web/templates/web.yaml", "kind: Pod\n")
		},
		"two charts with swapped names": func(l *listedFolder) {
			l.Expect(os.Rename(l.pathOf("web"), l.pathOf("x"))).To(Succeed())
			l.Expect(os.Rename(l.pathOf("blog"), l.pathOf("web"))).To(Succeed())
			l.Expect(os.Rename(l.pathOf("x"), l.pathOf("blog"))).To(Succeed())
		},
		"the whole folder replaced": func(l *listedFolder) {
			l.Expect(os.Rename(l.path, l.path+"-old")).To(Succeed())
			l.writeFile("web/Chart.yaml", "name: web\nversion: 3.0.0\n")
		},
		"the whole folder replaced by a link to another": func(l *listedFolder) {
			l.Expect(os.Rename(l.path, l.path+"-old")).To(Succeed())
			l.writeFile("../charts-new/web/Chart.yaml", "name: web\nversion: 4.0.0\n")
			l.Expect(os.Symlink(l.path+"-new", l.path)).To(Succeed())
		},
		"a file replaced by a link": func(l *listedFolder) {
			l.Expect(os.Rename(l.pathOf("web/values.yaml"), l.path+"-values")).To(Succeed())
			l.Expect(os.Symlink(l.path+"-values", l.pathOf("web/values.yaml"))).To(Succeed())
		},
		"a chart replaced by a link to it": func(l *listedFolder) {
			l.Expect(os.Rename(l.pathOf("web"), l.path+"-web")).To(Succeed())
			l.Expect(os.Symlink(l.path+"-web", l.pathOf("web"))).To(Succeed())
		},
		"a file replaced by a pipe": func(l *listedFolder) {
			l.Expect(os.Remove(l.pathOf("web/values.yaml"))).To(Succeed())
			l.Expect(syscall.Mkfifo(l.pathOf("web/values.yaml"), 0o600)).To(Succeed())
		},
		"a file that becomes too large": func(l *listedFolder) {
			l.Expect(os.Truncate(l.pathOf("web/values.yaml"), chart.MaxFileBytes+1)).To(Succeed())
		},
		"an archive that becomes a folder": func(l *listedFolder) {
			l.Expect(os.Remove(l.pathOf("shop.tgz"))).To(Succeed())
			l.writeFile("shop.tgz/Chart.yaml", "name: shop\nversion: 1.0.0\n")
		},
	} {
		t.Run(why, func(t *testing.T) {
			l := newListedFolder(t)
			first := l.last
			l.waitForTick("notes/readme.md")
			change(l)
			l.listCharts()
			l.expectCurrent(why)
			l.Expect(l.last.Revision).NotTo(Equal(first.Revision), "the listing must have changed")
		})
	}
}

// TestChangesWithoutNewContent changes a file without changing its content. It is read by
// the next listing, and not by the listing after that.
func TestChangesWithoutNewContent(t *testing.T) {
	for why, change := range map[string]func(l *listedFolder){
		"a file written again": func(l *listedFolder) { l.writeFile("web/values.yaml", "a: 1\n") },
		"an older modification time": func(l *listedFolder) {
			l.Expect(os.Chtimes(l.pathOf("web/values.yaml"), time.Time{}, time.Now().Add(-time.Hour))).To(Succeed())
		},
		"another file mode": func(l *listedFolder) { l.Expect(os.Chmod(l.pathOf("web/values.yaml"), 0o640)).To(Succeed()) },
	} {
		t.Run(why, func(t *testing.T) {
			l := newListedFolder(t)
			first := l.last
			l.waitForTick("notes/readme.md")
			change(l)
			l.Expect(l.listCharts()).To(BeTrue())
			l.Expect(l.last).To(Equal(first))
			l.Expect(l.listCharts()).To(BeFalse())
		})
	}
}

// TestFileChangedWhileReading changes a file after its content was read and before the
// listing ends. The cached facts must be the facts from before the reading.
func TestFileChangedWhileReading(t *testing.T) {
	l := newListedFolder(t)
	root, err := os.OpenRoot(l.path)
	l.Expect(err).NotTo(HaveOccurred())
	defer root.Close()
	folder, err := root.Open(".")
	l.Expect(err).NotTo(HaveOccurred())
	defer folder.Close()
	found, err := readFolderEntries(root.FS(), ".", maxDirectoryEntries)
	l.Expect(err).NotTo(HaveOccurred())
	web := found[len(found)-1]
	r := readDirectoryEntry(root, web)
	l.Expect(r.name).To(Equal("web"))
	r.at = l.cache.now()
	l.Expect(r.isCurrent(folder, r.at)).To(BeTrue())
	l.waitForTick("notes/readme.md")
	l.writeFile("web/values.yaml", "a: 7\n")
	l.Expect(r.isCurrent(folder, r.at)).To(BeFalse())
}
