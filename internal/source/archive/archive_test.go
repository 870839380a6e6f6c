package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/archive"
)

// entry is an entry of an archive. The default type is a file.
type entry struct {
	name, content string
	kind          byte
	size          int64
}

// packFiles returns an archive. Without a name, each entry ends the archive.
func packFiles(t *testing.T, entries ...entry) []byte {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	in := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.content)), Mode: 0o755}
		if e.kind == 0 {
			header.Typeflag = tar.TypeReg
		}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			header.Linkname, header.Size = "/etc/passwd", 0
		}
		if e.size > 0 {
			header.Size = e.size
		}
		g.Expect(in.WriteHeader(header)).To(Succeed())
		if e.size > 0 {
			for block := make([]byte, 1<<20); header.Size > 0; header.Size -= int64(len(block)) {
				_, err := in.Write(block[:min(header.Size, int64(len(block)))])
				g.Expect(err).NotTo(HaveOccurred())
			}
		} else if header.Size > 0 {
			_, err := in.Write([]byte(e.content))
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	g.Expect(in.Close()).To(Succeed())
	g.Expect(zipped.Close()).To(Succeed())
	return out.Bytes()
}

// unpackFiles unpacks an archive, and returns the names of the files that were written.
func unpackFiles(t *testing.T, data []byte, folder string) ([]string, error) {
	t.Helper()
	g := NewWithT(t)
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	g.Expect(err).NotTo(HaveOccurred())
	defer root.Close()
	failed := archive.Unpack(t.Context(), bytes.NewReader(data), folder, root)
	var names []string
	g.Expect(fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})).To(Succeed())
	return names, failed
}

func TestUnpackFindsCharts(t *testing.T) {
	web := entry{name: "web/Chart.yaml", content: "name: web"}
	for _, c := range []struct {
		why     string
		entries []entry
		folder  string
		want    []string
	}{
		{"folders with a Chart.yaml", []entry{{name: "README.md"}, {name: "web/", kind: tar.TypeDir}, web, {name: "web/templates/a.yaml", content: "a"}, {name: "docs/a.md"}}, "", []string{"web/Chart.yaml", "web/templates/a.yaml"}},
		{"a Chart.yaml at the end", []entry{{name: "web/templates/a.yaml"}, {name: "web/values.yaml"}, web}, ".", []string{"web/Chart.yaml", "web/templates/a.yaml", "web/values.yaml"}},
		{"names that begin with a dot and a slash", []entry{{name: "./", kind: tar.TypeDir}, {name: "./web/Chart.yaml"}}, "", []string{"web/Chart.yaml"}},
		{"archives", []entry{{name: "web-1.0.0.tgz", content: "x"}, {name: "web/deep.tgz"}}, "", []string{"web-1.0.0.tgz"}},
		{"a folder", []entry{{name: "charts/web/Chart.yaml"}, {name: "charts-old/web/Chart.yaml"}, web}, "charts/", []string{"web/Chart.yaml"}},
		{"a nested folder", []entry{{name: "a/b/web/Chart.yaml"}, {name: "a/c/web/Chart.yaml"}}, "./a/b", []string{"web/Chart.yaml"}},
		{"a chart that is the folder", []entry{web, {name: "web/charts/db/Chart.yaml"}, {name: "db/Chart.yaml"}}, "web", []string{"chart/Chart.yaml", "chart/charts/db/Chart.yaml"}},
		{"a chart that is the root", []entry{{name: "Chart.yaml"}, {name: "values.yaml"}}, "", []string{"chart/Chart.yaml", "chart/values.yaml"}},
		{"hidden folders", []entry{{name: ".github/Chart.yaml"}, web}, "", []string{"web/Chart.yaml"}},
		{"an empty folder", []entry{{name: "charts/", kind: tar.TypeDir}}, "charts", nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := unpackFiles(t, packFiles(t, c.entries...), c.folder)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(c.want))
		})
	}
}

// TestUnpackHostileArchives has archives that must be rejected, or whose entries must not be used.
func TestUnpackHostileArchives(t *testing.T) {
	chart := entry{name: "web/Chart.yaml", content: "name: web"}
	large := make([]entry, 17)
	for i := range large {
		large[i] = entry{name: fmt.Sprintf("bombs/%d", i), size: archive.MaxFileBytes}
	}
	many := make([]entry, archive.MaxEntries+1)
	for i := range many {
		many[i] = entry{name: fmt.Sprintf("f/%d", i)}
	}
	for _, c := range []struct {
		why     string
		entries []entry
		raw     []byte
		reason  string
		says    string
	}{
		{why: "not gzip", raw: []byte("s3cr3t"), reason: v1alpha1.ReasonInvalidIndex, says: "not a gzip archive"},
		{why: "empty", raw: []byte{}, reason: v1alpha1.ReasonInvalidIndex, says: "not a gzip archive"},
		{why: "truncated", raw: packFiles(t, chart)[:40], reason: v1alpha1.ReasonInvalidIndex, says: "truncated"},
		{why: "a name that leaves the folder", entries: []entry{chart, {name: "web/../../x"}}, reason: v1alpha1.ReasonInvalidIndex, says: "not allowed"},
		{why: "an absolute name", entries: []entry{{name: "/etc/cron.d/x"}}, reason: v1alpha1.ReasonInvalidIndex, says: "not allowed"},
		{why: "a backslash", entries: []entry{{name: `web\..\..\x`}}, reason: v1alpha1.ReasonInvalidIndex, says: "not allowed"},
		{why: "a file twice", entries: []entry{chart, chart}, reason: v1alpha1.ReasonInvalidIndex, says: "twice"},
		{why: "a file and a folder", entries: []entry{chart, {name: "web/a"}, {name: "web/a/b"}}, reason: v1alpha1.ReasonInvalidIndex, says: "twice"},
		{why: "a file below a link", entries: []entry{chart, {name: "web/a", kind: tar.TypeSymlink}, {name: "web/a/b"}}, reason: v1alpha1.ReasonInvalidIndex, says: "twice"},
		{why: "a long name", entries: []entry{{name: strings.Repeat("a/", 600) + "b"}}, reason: v1alpha1.ReasonLimitExceeded, says: "a name with 1201 bytes"},
		{why: "nested folders", entries: []entry{{name: strings.Repeat("a/", 65) + "b"}}, reason: v1alpha1.ReasonLimitExceeded, says: "nested more than 64"},
		{why: "a large file", entries: []entry{{name: "a", size: archive.MaxFileBytes + 1}}, reason: v1alpha1.ReasonLimitExceeded, says: "larger than 16777216 bytes"},
		{why: "many large files", entries: large, reason: v1alpha1.ReasonLimitExceeded, says: "268435456 bytes in total"},
		{why: "many files", entries: many, reason: v1alpha1.ReasonLimitExceeded, says: "more than 100000 files"},
		{why: "no such folder", entries: []entry{{name: "README.md"}}, reason: v1alpha1.ReasonNotFound, says: `no folder "charts"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			if c.raw == nil {
				c.raw = packFiles(t, c.entries...)
			}
			folder := ""
			if c.reason == v1alpha1.ReasonNotFound {
				folder = "charts"
			}
			_, err := unpackFiles(t, c.raw, folder)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(err.Error()).NotTo(ContainSubstring("s3cr3t"))
		})
	}
}

func TestUnpackWritesLinksToNothing(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	g.Expect(err).NotTo(HaveOccurred())
	defer root.Close()
	data := packFiles(t, entry{name: "web/Chart.yaml"}, entry{name: "web/link", kind: tar.TypeSymlink}, entry{name: "web/hard", kind: tar.TypeLink}, entry{name: "web/device", kind: tar.TypeChar})
	g.Expect(archive.Unpack(t.Context(), bytes.NewReader(data), "", root)).To(Succeed())
	for _, name := range []string{"link", "hard", "device"} {
		target, err := os.Readlink(dir + "/web/" + name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(target).To(Equal(name + ".target"))
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("x"), "charts")
	f.Fuzz(func(t *testing.T, tarball []byte, folder string) {
		var zipped bytes.Buffer
		out := gzip.NewWriter(&zipped)
		if _, err := out.Write(tarball); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := archive.Unpack(t.Context(), bytes.NewReader(zipped.Bytes()), folder, root); err != nil && outcome.Reason(err, "") == "" {
			t.Fatalf("error without a reason: %v", err)
		}
	})
}
