package source

import (
	"os"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// TestChangeOfFolderIsSeen changes a folder in every way that there is. What is listed then
// is the same as without a cache, and is not read again.
func TestChangeOfFolderIsSeen(t *testing.T) {
	for why, change := range map[string]func(l *listedFolder){
		"another content":          func(l *listedFolder) { l.write("web/values.yaml", "a: 1000\n") },
		"another of the same size": func(l *listedFolder) { l.write("web/values.yaml", "a: 2\n") },
		"an archive": func(l *listedFolder) {
			l.write("shop.tgz", archiveOf(l.t, "shop/Chart.yaml", "name: shop\nversion: 2.0.0\n"))
		},
		"a chart's version":         func(l *listedFolder) { l.write("web/Chart.yaml", "name: web\nversion: 1.0.1\n") },
		"a file in a folder":        func(l *listedFolder) { l.write("web/templates/web.yaml", "kind: Job\n") },
		"one more file":             func(l *listedFolder) { l.write("web/templates/more.yaml", "") },
		"one more file at the end":  func(l *listedFolder) { l.write("web/zoo.yaml", "") },
		"one more folder":           func(l *listedFolder) { l.write("web/crds/more.yaml", "") },
		"one more chart":            func(l *listedFolder) { l.write("wiki/Chart.yaml", "name: wiki\nversion: 1.0.0\n") },
		"a folder becomes a chart":  func(l *listedFolder) { l.write("notes/Chart.yaml", "name: notes\nversion: 1.0.0\n") },
		"a chart is withdrawn":      func(l *listedFolder) { l.write("web/.suspend", "") },
		"a chart is marked removed": func(l *listedFolder) { l.write("web/.remove", "") },
		"an ignore file":            func(l *listedFolder) { l.write("web/.helmignore", "values.yaml\n") },
		"rules of an ignore file":   func(l *listedFolder) { l.write("blog/.helmignore", "*.baz\n") },
		"rules that ignore themselves": func(l *listedFolder) {
			l.write("blog/.helmignore", ".helmignore\n")
			l.list()
			l.tick("blog/.helmignore")
			l.write("blog/.helmignore", ".h*\n*.bak\n")
		},
		"an ignored folder that becomes a file, which is not ignored": func(l *listedFolder) {
			l.Expect(os.RemoveAll(l.at("blog/old"))).To(Succeed())
			l.write("blog/old", "")
		},
		"a mark that becomes another": func(l *listedFolder) {
			l.write("web/.suspend", "")
			l.list()
			l.Expect(os.Rename(l.at("web/.suspend"), l.at("web/.remove"))).To(Succeed())
		},
		"a file replaced by an empty folder": func(l *listedFolder) {
			l.Expect(os.Remove(l.at("web/values.yaml"))).To(Succeed())
			l.Expect(os.Mkdir(l.at("web/values.yaml"), 0o755)).To(Succeed())
		},
		"a modification time set back": func(l *listedFolder) {
			info, err := os.Lstat(l.at("web/values.yaml"))
			l.Expect(err).NotTo(HaveOccurred())
			l.write("web/values.yaml", "a: 3\n")
			l.Expect(os.Chtimes(l.at("web/values.yaml"), info.ModTime(), info.ModTime())).To(Succeed())
		},
		"another file renamed over it, as old and as large": func(l *listedFolder) {
			info, err := os.Lstat(l.at("web/values.yaml"))
			l.Expect(err).NotTo(HaveOccurred())
			l.write("web/other", "a: 4\n")
			l.Expect(os.Chtimes(l.at("web/other"), info.ModTime(), info.ModTime())).To(Succeed())
			l.Expect(os.Rename(l.at("web/other"), l.at("web/values.yaml"))).To(Succeed())
		},
		"two files that change places": func(l *listedFolder) {
			l.write("web/values-b.yaml", "a: 5\n")
			l.list()
			l.Expect(os.Rename(l.at("web/values.yaml"), l.at("web/c"))).To(Succeed())
			l.Expect(os.Rename(l.at("web/values-b.yaml"), l.at("web/values.yaml"))).To(Succeed())
			l.Expect(os.Rename(l.at("web/c"), l.at("web/values-b.yaml"))).To(Succeed())
		},
		"a file removed":    func(l *listedFolder) { l.Expect(os.Remove(l.at("web/values.yaml"))).To(Succeed()) },
		"a chart removed":   func(l *listedFolder) { l.Expect(os.RemoveAll(l.at("web"))).To(Succeed()) },
		"a chart no longer": func(l *listedFolder) { l.Expect(os.Remove(l.at("web/Chart.yaml"))).To(Succeed()) },
		"a chart moved":     func(l *listedFolder) { l.Expect(os.Rename(l.at("web"), l.at("web-1"))).To(Succeed()) },
		"a chart replaced by another of the same names": func(l *listedFolder) {
			l.Expect(os.Rename(l.at("web"), l.path+"-old")).To(Succeed())
			l.write("web/Chart.yaml", "name: web\nversion: 1.0.9\n")
			l.write("web/values.yaml", "a: 1\n")
			l.write("web/templates/web.yaml", "kind: Pod\n")
		},
		"charts that change places": func(l *listedFolder) {
			l.Expect(os.Rename(l.at("web"), l.at("x"))).To(Succeed())
			l.Expect(os.Rename(l.at("blog"), l.at("web"))).To(Succeed())
			l.Expect(os.Rename(l.at("x"), l.at("blog"))).To(Succeed())
		},
		"the whole folder replaced": func(l *listedFolder) {
			l.Expect(os.Rename(l.path, l.path+"-old")).To(Succeed())
			l.write("web/Chart.yaml", "name: web\nversion: 3.0.0\n")
		},
		"the whole folder replaced by a link to another": func(l *listedFolder) {
			l.Expect(os.Rename(l.path, l.path+"-old")).To(Succeed())
			l.write("../charts-new/web/Chart.yaml", "name: web\nversion: 4.0.0\n")
			l.Expect(os.Symlink(l.path+"-new", l.path)).To(Succeed())
		},
		"a file replaced by a link": func(l *listedFolder) {
			l.Expect(os.Rename(l.at("web/values.yaml"), l.path+"-values")).To(Succeed())
			l.Expect(os.Symlink(l.path+"-values", l.at("web/values.yaml"))).To(Succeed())
		},
		"a chart replaced by a link to it": func(l *listedFolder) {
			l.Expect(os.Rename(l.at("web"), l.path+"-web")).To(Succeed())
			l.Expect(os.Symlink(l.path+"-web", l.at("web"))).To(Succeed())
		},
		"a file replaced by a pipe": func(l *listedFolder) {
			l.Expect(os.Remove(l.at("web/values.yaml"))).To(Succeed())
			l.Expect(syscall.Mkfifo(l.at("web/values.yaml"), 0o600)).To(Succeed())
		},
		"a file that is too large now": func(l *listedFolder) {
			l.Expect(os.Truncate(l.at("web/values.yaml"), hydrate.MaxFileBytes+1)).To(Succeed())
		},
		"an archive that becomes a folder": func(l *listedFolder) {
			l.Expect(os.Remove(l.at("shop.tgz"))).To(Succeed())
			l.write("shop.tgz/Chart.yaml", "name: shop\nversion: 1.0.0\n")
		},
	} {
		t.Run(why, func(t *testing.T) {
			l := listFolder(t)
			first := l.last
			l.tick("notes/readme.md")
			change(l)
			l.list()
			l.expectCurrent(why)
			l.Expect(l.last.Revision).NotTo(Equal(first.Revision), "the change is one of the listing")
		})
	}
}

// TestFileWithoutAnotherContentIsRead has the kinds of changes after which the content is
// the same: it is read, and no longer after that.
func TestFileWithoutAnotherContentIsRead(t *testing.T) {
	for why, change := range map[string]func(l *listedFolder){
		"written again": func(l *listedFolder) { l.write("web/values.yaml", "a: 1\n") },
		"touched": func(l *listedFolder) {
			l.Expect(os.Chtimes(l.at("web/values.yaml"), time.Time{}, time.Now().Add(-time.Hour))).To(Succeed())
		},
		"another mode": func(l *listedFolder) { l.Expect(os.Chmod(l.at("web/values.yaml"), 0o640)).To(Succeed()) },
	} {
		t.Run(why, func(t *testing.T) {
			l := listFolder(t)
			first := l.last
			l.tick("notes/readme.md")
			change(l)
			l.Expect(l.list()).To(BeTrue())
			l.Expect(l.last).To(Equal(first))
			l.Expect(l.list()).To(BeFalse())
		})
	}
}

// TestFileThatChangesWhileItIsRead changes a file after its content was read and before the
// listing ends: the reading is of the facts from before.
func TestFileThatChangesWhileItIsRead(t *testing.T) {
	l := listFolder(t)
	root, err := os.OpenRoot(l.path)
	l.Expect(err).NotTo(HaveOccurred())
	defer root.Close()
	folder, err := root.Open(".")
	l.Expect(err).NotTo(HaveOccurred())
	defer folder.Close()
	found, err := readNames(root.FS(), ".", maxMembers)
	l.Expect(err).NotTo(HaveOccurred())
	web := found[len(found)-1]
	r := readMember(root, web)
	l.Expect(r.name).To(Equal("web"))
	r.at = l.cache.now()
	l.Expect(r.isCurrent(folder, r.at)).To(BeTrue())
	l.tick("notes/readme.md")
	l.write("web/values.yaml", "a: 7\n")
	l.Expect(r.isCurrent(folder, r.at)).To(BeFalse())
}
