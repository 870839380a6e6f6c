package uploads_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

var team = hydrate.Owner{Namespace: "market", Source: "team"}

// reader reads charts as a worker does.
type reader struct{}

func (reader) ReadMetadata(_ context.Context, _ string, archive []byte) (chart.Metadata, error) {
	files, err := chart.Unpack(archive)
	if err != nil {
		return chart.Metadata{}, err
	}
	return chart.ReadMetadata(files)
}

// newArchive returns the archive of a chart, whose content differs by the text.
func newArchive(t testing.TB, name, version, text string) []byte {
	t.Helper()
	archive, err := chart.Pack(name, []chart.File{
		{Name: "Chart.yaml", Data: fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\nappVersion: one\n", name, version)},
		{Name: "templates/a.yaml", Data: []byte("# " + text + "\n")},
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

// newTar returns a gzipped tar.
func newTar(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	writer := tar.NewWriter(zipped)
	for _, header := range headers {
		NewWithT(t).Expect(writer.WriteHeader(&header)).To(Succeed())
		_, err := writer.Write(make([]byte, header.Size))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	}
	NewWithT(t).Expect(writer.Close()).To(Succeed())
	NewWithT(t).Expect(zipped.Close()).To(Succeed())
	return out.Bytes()
}

func openStore(t testing.TB, dir string, options uploads.Options) *uploads.Store {
	t.Helper()
	options.Reader = reader{}
	store, err := uploads.Open(dir, options)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// receive receives content, and returns its digest.
func receive(store *uploads.Store, owner hydrate.Owner, content []byte) (string, error) {
	session, err := store.StartSession(context.Background(), owner, uploads.NewSessionID(), func() {})
	if err != nil {
		return "", err
	}
	defer func() { _ = session.Close() }()
	if err := session.Receive(bytes.NewReader(content)); err != nil {
		return "", err
	}
	blob, err := session.Complete("")
	return blob.Digest, err
}

// upload receives and accepts an archive.
func upload(store *uploads.Store, owner hydrate.Owner, limits uploads.Limits, archive []byte) (uploads.Chart, bool, error) {
	digest, err := receive(store, owner, archive)
	if err != nil {
		return uploads.Chart{}, false, err
	}
	return store.AcceptArchive(context.Background(), owner, limits, digest, uploads.Expectation{})
}

// names returns the file names and contents of the charts of a source.
func names(t testing.TB, store *uploads.Store, owner hydrate.Owner) []string {
	t.Helper()
	g := NewWithT(t)
	charts, damaged, err := store.List(owner)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(damaged).To(BeEmpty())
	all := []string{}
	for _, c := range charts {
		archive, err := store.Archive(owner, c.Archive.Digest)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(archive).To(HaveLen(int(c.Archive.Size)))
		all = append(all, c.FileName())
	}
	return all
}

// readFiles returns the files below a folder with their sizes.
func readFiles(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	files := map[string]int64{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		files[strings.TrimPrefix(name, dir+"/")] = info.Size()
		return err
	})
	if !os.IsNotExist(err) {
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	}
	return files
}

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }
