package chart_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// entry is one entry of an archive that a test writes.
type entry struct {
	name string
	data string
	kind byte
	link string
	pax  map[string]string
}

// tarOf returns a tar archive of the entries, valid or not.
func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		header := &tar.Header{
			Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: 0o644,
			Size: int64(len(e.data)), PAXRecords: e.pax,
		}
		switch e.kind {
		case 0:
			header.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			header = &tar.Header{Typeflag: e.kind, PAXRecords: e.pax}
		}
		g.Expect(w.WriteHeader(header)).To(Succeed())
		_, err := io.WriteString(w, e.data)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(w.Close()).To(Succeed())
	return out.Bytes()
}

func gzipData(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	NewWithT(t).Expect(errors.Join(err, w.Close())).To(Succeed())
	return out.Bytes()
}

// gzipStored returns gzip data without compression, which is faster in a fuzz target.
func gzipStored(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	NewWithT(t).Expect(errors.Join(err, w.Close())).To(Succeed())
	return out.Bytes()
}

func TestUnpack(t *testing.T) {
	entries := []entry{
		{name: "web", kind: tar.TypeDir},
		{name: "web/values.yaml", data: "a: 1\n"},
		{name: "web/templates/", kind: tar.TypeDir},
		{name: "web/templates/web.yaml", data: "kind: Pod\n"},
		{name: "web/Chart.yaml", data: "\ufeffname: web\n"},
	}
	want := []chart.File{
		{Name: "Chart.yaml", Data: []byte("\ufeffname: web\n")},
		{Name: "templates/web.yaml", Data: []byte("kind: Pod\n")},
		{Name: "values.yaml", Data: []byte("a: 1\n")},
	}
	windows := slices.Clone(entries)
	for i := range windows {
		windows[i].name = strings.ReplaceAll(windows[i].name, "/", `\`)
	}
	windows[2].kind = 0 // Such tools mark folders only by the end of the name.
	plain := tarOf(t, entries...)
	for _, c := range []struct {
		why     string
		archive []byte
	}{
		{"folders are skipped and files sorted", gzipData(t, plain)},
		{"git writes a global header", gzipData(t, append(tarOf(t, entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"comment": "x"}})[:1024], plain...))},
		{"what follows the archive is no part of it", append(gzipData(t, plain), "trailing words"...)},
		{"what follows the last entry is no part of it", gzipData(t, append(bytes.Clone(plain), "trailing words"...))},
		{"an archive may be compressed in several parts", append(gzipData(t, plain[:700]), gzipData(t, plain[700:])...)},
		{"an archive may lack tar's own end", gzipData(t, plain[:len(plain)-1024])},
		{"tools on Windows write backslashes", gzipData(t, tarOf(t, windows...))},
		{"some files may have backslashes and others slashes", gzipData(t, tarOf(t, entries[1], windows[3], entries[4]))},
		{"a name may say nothing in a part of it", gzipData(t, tarOf(t, entries[1], entry{name: "web/x/.././templates//web.yaml", data: entries[3].data}, entries[4]))},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			files, err := chart.Unpack(c.archive)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(files).To(Equal(want))
		})
	}
}

func TestUnpackLongNames(t *testing.T) {
	g := NewWithT(t)
	name := "templates/" + strings.Repeat("x", 200) + "-é.yaml"
	files, err := chart.Unpack(gzipData(t, tarOf(t, entry{name: "web/" + name, data: "x"})))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(HaveExactElements(chart.File{Name: name, Data: []byte("x")}))
}

// TestNoAnswerIsQuoted covers server responses that the reader of the message may have no
// access to.
func TestNoAnswerIsQuoted(t *testing.T) {
	for answer, says := range map[string]string{
		"\n <!DOCTYPE html><p>secret":   "the content looks like HTML or XML",
		`{"token": "secret"}`:           "the content looks like JSON",
		`["secret"]`:                    "the content looks like JSON",
		"secret_total 1\nother_total 2": "the content looks like text",
		"gehe\u00ef" + "m secret":       "the content looks like text",
		"PK\x03\x04secret":              "the content is a zip archive",
		"\x7fELF\xff\xfe\xfdsecret":     "the content has an unknown type",
	} {
		t.Run(says, func(t *testing.T) {
			_, err := chart.Unpack([]byte(answer))
			NewWithT(t).Expect(err).To(MatchError(And(HaveSuffix(says), Not(ContainSubstring("secret")))))
		})
	}
}

func TestUnpackRefuses(t *testing.T) {
	one := func(e entry) []byte { return gzipData(t, tarOf(t, entry{name: "web/Chart.yaml", data: "x"}, e)) }
	file := func(name string) []byte { return one(entry{name: name, data: "x"}) }
	good := file("web/a")
	for _, c := range []struct {
		why     string
		archive []byte
		reason  string
		says    string
	}{
		{"an error page", []byte("<html><body>404</body></html>"), v1alpha1.ReasonInvalidArchive, "looks like HTML"},
		{"nothing", nil, v1alpha1.ReasonInvalidArchive, "empty"},
		{"a plain tar", tarOf(t, entry{name: "web/a", data: "x"}), v1alpha1.ReasonInvalidArchive, "not a gzip archive"},
		{"gzip of something else", gzipData(t, bytes.Repeat([]byte("words "), 200)), v1alpha1.ReasonInvalidArchive, ""},
		{"an archive without entries", gzipData(t, tarOf(t)), v1alpha1.ReasonInvalidArchive, "no files"},
		{"an archive of folders", gzipData(t, tarOf(t, entry{name: "web/", kind: tar.TypeDir})), v1alpha1.ReasonInvalidArchive, "no files"},
		{"cut off", good[:len(good)-20], v1alpha1.ReasonInvalidArchive, "unexpected end of archive"},
		{"damaged", append(bytes.Clone(good[:len(good)-8]), 0, 0, 0, 0, 0, 0, 0, 0), v1alpha1.ReasonInvalidArchive, ""},
		{"traversal", file("web/../../etc/passwd"), v1alpha1.ReasonInvalidArchive, "../../etc/passwd"},
		{"traversal at once", file("../passwd"), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"traversal inside", file("web/a/../../b"), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"the parent itself", file("web/.."), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"an absolute name", file("/etc/passwd"), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"an absolute name below", file("web//etc/passwd"), v1alpha1.ReasonInvalidArchive, "absolute"},
		{"a name that is the folder", file("web/."), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"a slash and a backslash", file(`web/..\passwd`), v1alpha1.ReasonInvalidArchive, "both a slash and a backslash"},
		{"traversal with backslashes", file(`web\..\passwd`), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"traversal with backslashes at once", file(`..\passwd`), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"an absolute name with backslashes", file(`\etc\passwd`), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"an absolute name with backslashes below", file(`web\\etc\passwd`), v1alpha1.ReasonInvalidArchive, "absolute"},
		{"a drive with backslashes", file(`c:\passwd`), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"a drive with backslashes below", file(`web\c:\passwd`), v1alpha1.ReasonInvalidArchive, "drive"},
		{"a second folder with backslashes", file(`other\a`), v1alpha1.ReasonInvalidArchive, `"web"`},
		{"a name twice, with other separators", file(`web\Chart.yaml`), v1alpha1.ReasonInvalidArchive, "twice"},
		{"a drive", file("c:/passwd"), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"a drive below", file("web/c:/passwd"), v1alpha1.ReasonInvalidArchive, "drive"},
		{"a control character", file("web/a\nb"), v1alpha1.ReasonInvalidArchive, "control"},
		{"a name that is not UTF-8", file("web/a\xff"), v1alpha1.ReasonInvalidArchive, "UTF-8"},
		{"a second folder", file("other/a"), v1alpha1.ReasonInvalidArchive, `"web"`},
		{"a file outside the folder", file("README.md"), v1alpha1.ReasonInvalidArchive, "outside"},
		{"a file in the folder's place", file("web"), v1alpha1.ReasonInvalidArchive, "outside"},
		{"a symbolic link", one(entry{name: "web/a", kind: tar.TypeSymlink, link: "/etc/passwd"}), v1alpha1.ReasonInvalidArchive, "link"},
		{"a hard link", one(entry{name: "web/a", kind: tar.TypeLink, link: "web/Chart.yaml"}), v1alpha1.ReasonInvalidArchive, "link"},
		{"a device", one(entry{name: "web/a", kind: tar.TypeChar}), v1alpha1.ReasonInvalidArchive, "device"},
		{"a pipe", one(entry{name: "web/a", kind: tar.TypeFifo}), v1alpha1.ReasonInvalidArchive, "pipe"},
		{"a kind of its own", one(entry{name: "web/a", kind: 'Q'}), v1alpha1.ReasonInvalidArchive, "unsupported"},
		{"a sparse file", newSparseArchive(t), v1alpha1.ReasonInvalidArchive, "sparse"},
		{"a name twice", file("web/Chart.yaml"), v1alpha1.ReasonInvalidArchive, "twice"},
		{"names that differ in case", file("web/chart.yaml"), v1alpha1.ReasonInvalidArchive, "case"},
		{"a file that is a folder", file("web/Chart.yaml/a"), v1alpha1.ReasonInvalidArchive, "both"},
		{"a folder that is a file", one(entry{name: "web/Chart.yaml/", kind: tar.TypeDir}), v1alpha1.ReasonInvalidArchive, "both"},
		{"a folder of another chart", one(entry{name: "../x/", kind: tar.TypeDir}), v1alpha1.ReasonInvalidArchive, "points outside"},
		{"a name that is too long", file("web/" + strings.Repeat("x", 600)), v1alpha1.ReasonLimitExceeded, "512"},
		{"a name that is too deep", file("web/" + strings.Repeat("x/", 32) + "a"), v1alpha1.ReasonLimitExceeded, "deep"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			files, err := chart.Unpack(c.archive)
			g.Expect(files).To(BeNil())
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), err.Error())
		})
	}
}

// newSparseArchive returns an archive with one sparse file.
func newSparseArchive(t *testing.T) []byte {
	t.Helper()
	raw := tarOf(t, entry{name: "web/a", data: "1\n0\n1\n" + strings.Repeat("\x00", 506) + "x", pax: map[string]string{"VENDOR.sparse.a": "1", "VENDOR.sparse.b": "0"}})
	raw = bytes.ReplaceAll(raw, []byte("VENDOR.sparse.a"), []byte("GNU.sparse.majo"))
	return gzipData(t, bytes.ReplaceAll(raw, []byte("VENDOR.sparse.b"), []byte("GNU.sparse.mino")))
}

// TestUnpackBombs covers archives that unpack to too many bytes: the error must name a
// limit, and the memory used must stay near the limit.
func TestUnpackBombs(t *testing.T) {
	many := make([]entry, chart.MaxFiles+1)
	folders := make([]entry, chart.MaxFiles+1)
	for i := range many {
		many[i] = entry{name: fmt.Sprintf("web/%d", i)}
		folders[i] = entry{name: fmt.Sprintf("web/%d/", i), kind: tar.TypeDir}
	}
	big := strings.Repeat("\x00", chart.MaxFileBytes)
	var several []entry
	for i := range 14 {
		several = append(several, entry{name: fmt.Sprintf("web/%d", i), data: big})
	}
	for _, c := range []struct {
		why     string
		archive []byte
		mayTake uint64
	}{
		{"ratio of one file", gzipData(t, tarOf(t, entry{name: "web/a", data: big})), 16 << 20},
		{"ratio of many files", gzipData(t, tarOf(t, several...)), 32 << 20},
		{"a large file", gzipData(t, tarOf(t, entry{name: "web/a", data: big + "x"})), 4 << 20},
		{"files without end", gzipData(t, tarOf(t, many...)), 32 << 20},
		{"folders without end", gzipData(t, tarOf(t, folders...)), 32 << 20},
		{"nothing, after the last entry", gzipData(t, append(tarOf(t, entry{name: "web/a"}), big...)), 4 << 20},
		{"a long archive", make([]byte, chart.MaxArchiveBytes+1), 1 << 20},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := chart.Unpack(c.archive)
			runtime.ReadMemStats(&after)
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded), "%v", err)
			g.Expect(after.TotalAlloc - before.TotalAlloc).To(BeNumerically("<", c.mayTake))
		})
	}
}

func TestUnpackLyingSize(t *testing.T) {
	g := NewWithT(t)
	raw := tarOf(t, entry{name: "web/a", data: "x"})
	copy(raw[124:136], "77777777777\x00") // 8 GiB
	sum := uint32(8 * ' ')
	for i, b := range raw[:512] {
		if i < 148 || i >= 156 {
			sum += uint32(b)
		}
	}
	copy(raw[148:156], fmt.Sprintf("%06o\x00 ", sum))
	_, err := chart.Unpack(gzipData(t, raw))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded), "%v", err)
}

func TestCheckFiles(t *testing.T) {
	file := func(name string) chart.File { return chart.File{Name: name} }
	big := make([]byte, chart.MaxFileBytes)
	var heavy, many []chart.File
	for i := range 14 {
		heavy = append(heavy, chart.File{Name: fmt.Sprint(i), Data: big})
	}
	for i := range chart.MaxFiles + 1 {
		many = append(many, file(fmt.Sprint(i)))
	}
	for _, c := range []struct {
		why    string
		files  []chart.File
		reason string
	}{
		{"an ordinary chart", []chart.File{file("Chart.yaml"), file("templates/a.yaml"), file("templates/b.yaml")}, ""},
		{"no files", nil, v1alpha1.ReasonInvalidArchive},
		{"too many", many, v1alpha1.ReasonLimitExceeded},
		{"too much", heavy, v1alpha1.ReasonLimitExceeded},
		{"too large", []chart.File{{Name: "a", Data: append(big, 0)}}, v1alpha1.ReasonLimitExceeded},
		{"no name", []chart.File{file("")}, v1alpha1.ReasonInvalidArchive},
		{"traversal", []chart.File{file("../a")}, v1alpha1.ReasonInvalidArchive},
		{"absolute", []chart.File{file("/a")}, v1alpha1.ReasonInvalidArchive},
		{"twice", []chart.File{file("a"), file("a")}, v1alpha1.ReasonInvalidArchive},
		{"case", []chart.File{file("a"), file("A")}, v1alpha1.ReasonInvalidArchive},
		{"both", []chart.File{file("a/b"), file("a")}, v1alpha1.ReasonInvalidArchive},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			err := chart.CheckFiles(c.files)
			if c.reason == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), err.Error())
		})
	}
}

// FuzzUnpack checks that CheckFiles and Pack accept every set of files that Unpack returns,
// and that packing and unpacking returns the same files.
func FuzzUnpack(f *testing.F) {
	f.Add(tarOf(f, entry{name: "web/Chart.yaml", data: "name: web\n"}, entry{name: "web/templates/a.yaml"}))
	f.Add(tarOf(f, entry{name: "web/a", kind: tar.TypeSymlink, link: "b"}))
	f.Add(tarOf(f, entry{name: `web\a\.\b`, data: "x"}, entry{name: `web\c\`}))
	f.Add(tarOf(f, entry{name: "web/" + strings.Repeat("x", 150), data: "x", pax: map[string]string{"comment": "y"}}))
	f.Add(binary.LittleEndian.AppendUint64(nil, 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g := NewWithT(t)
		for _, archive := range [][]byte{raw, gzipStored(t, raw)} {
			files, err := chart.Unpack(archive)
			if err != nil {
				g.Expect(outcome.IsStalled(err)).To(BeTrue())
				continue
			}
			g.Expect(chart.CheckFiles(files)).To(Succeed())
			packed, err := chart.Pack("web", files)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(chart.Unpack(packed)).To(Equal(files))
		}
	})
}
