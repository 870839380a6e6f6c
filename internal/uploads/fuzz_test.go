package uploads

import (
	"path"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// FuzzManifest parses any manifest that a client pushes. Only digests that can be the name of a file are
// accepted.
func FuzzManifest(f *testing.F) {
	digest := DigestOf(nil)
	f.Add([]byte(`{"schemaVersion":2,"config":{"mediaType":"` + mediaTypeConfig + `","digest":"` + digest + `","size":2},"layers":[{"mediaType":"` + mediaTypeArchive + `","digest":"` + digest + `","size":9}]}`))
	f.Add([]byte(`{"config":{"mediaType":"` + mediaTypeConfig + `","digest":"sha256:../../x"},"layers":[{"mediaType":"` + mediaTypeArchive + `","digest":"sha512:00","size":-1},null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := NewWithT(t)
		found, err := parseManifest(data)
		if err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			return
		}
		for _, part := range []*Blob{found.archive, found.config, found.provenance} {
			if part != nil {
				g.Expect(path.Dir(blobPath(hydrate.Owner{Namespace: "a", Source: "b"}, part.Digest))).To(Equal("charts/a/b/blobs"))
			}
		}
	})
}

// FuzzRecord decodes any record of an uploaded chart.
func FuzzRecord(f *testing.F) {
	good, err := encodeChart(Chart{App: "web", Version: "1.0.0", Archive: Blob{Digest: DigestOf(nil)}, Config: Blob{Digest: DigestOf(nil)}, Manifest: Blob{Digest: DigestOf(nil)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"app":"web","version":"1.0.0","provenance":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := decodeChart("web", "1.0.0", data)
		if err != nil {
			return
		}
		for _, each := range found.blobs() {
			NewWithT(t).Expect(IsDigest(each.Digest)).To(BeTrue())
		}
	})
}

// FuzzFileName splits any name of an uploaded file. Each name of a chart must be able to be part of a path.
func FuzzFileName(f *testing.F) {
	f.Add("web-1.0.0.tgz")
	f.Add("a-1.0.0-2.0.0+b.tgz")
	f.Add("../web-1.0.0.tgz")
	f.Fuzz(func(t *testing.T, file string) {
		for _, each := range splitFileName(file) {
			if each.App+"-"+each.Version+archiveSuffix != file || strings.ContainsAny(each.App+each.Version, "/\\\x00") {
				t.Fatalf("%q is split into %q and %q", file, each.App, each.Version)
			}
		}
	})
}
