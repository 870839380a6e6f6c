package chart_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func chartFiles() []chart.File {
	return []chart.File{
		{Name: ".helmignore", Data: []byte("*.tmp\n")},
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		{Name: "templates/" + strings.Repeat("long/", 24) + "é.yaml", Data: bytes.Repeat([]byte("kind: Pod\n"), 2000)},
		{Name: "values.yaml", Data: []byte{}},
	}
}

func TestPackBytes(t *testing.T) {
	g := NewWithT(t)
	packed, err := chart.Pack("web", chartFiles())
	g.Expect(err).NotTo(HaveOccurred())
	// A different Go release may compress differently. If this digest changes, raise
	// Revision too: otherwise published charts are not renewed.
	g.Expect(chart.Digest(packed)).To(Equal("sha256:ef534a4098401cef40ae85af3e284ce76877f99432ad3bf23c84b0552a068879"))

	for range 20 {
		files := chartFiles()
		rand.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		before := slices.Clone(files)
		previous := runtime.GOMAXPROCS(1 + rand.IntN(4))
		again, err := chart.Pack("web", files)
		runtime.GOMAXPROCS(previous)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(again).To(Equal(packed))
		g.Expect(files).To(Equal(before), "the given order stays")
	}
}

func TestPackContent(t *testing.T) {
	g := NewWithT(t)
	packed, err := chart.Pack("web", chartFiles())
	g.Expect(err).NotTo(HaveOccurred())
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(zipped.Header).To(Equal(gzip.Header{OS: 255}), "nothing of the machine in it")

	var names []string
	reader := tar.NewReader(zipped)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		g.Expect(err).NotTo(HaveOccurred())
		names = append(names, header.Name)
		g.Expect(header.Typeflag).To(Equal(byte(tar.TypeReg)))
		g.Expect(header.Mode).To(BeEquivalentTo(0o644))
		g.Expect(header.ModTime).To(BeTemporally("==", time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)))
		g.Expect([]string{header.Uname, header.Gname}).To(HaveEach(""))
	}
	g.Expect(names).To(HaveLen(4))
	g.Expect(names[:2]).To(Equal([]string{"web/Chart.yaml", "web/.helmignore"}), "Chart.yaml first")

	g.Expect(chart.Unpack(packed)).To(Equal(chartFiles()))
}

func TestPackRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		name   string
		files  []chart.File
		reason string
	}{
		{"no name", "", chartFiles(), v1alpha1.ReasonInvalidArchive},
		{"a name that is a path", "a/b", chartFiles(), v1alpha1.ReasonInvalidArchive},
		{"a name that leads elsewhere", "..", chartFiles(), v1alpha1.ReasonInvalidArchive},
		{"no files", "web", nil, v1alpha1.ReasonInvalidArchive},
		{"a file elsewhere", "web", []chart.File{{Name: "../a"}}, v1alpha1.ReasonInvalidArchive},
		{"what would unpack to too much", "web", []chart.File{{Name: "a", Data: make([]byte, 4<<20)}}, v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := chart.Pack(c.name, c.files)
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
		})
	}
}
