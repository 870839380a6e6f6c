package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// certificatesPath is the first path at which Go looks for root certificates.
	certificatesPath = "etc/ssl/certs/ca-certificates.crt"
	// licensePath is a path at which image scanners look for licenses.
	licensePath = "licenses/LICENSE"
	// user is the ID of the user and the group that programs run as.
	user = 65532
)

// file is a file of a layer, or a folder if its name ends with a slash.
type file struct {
	name string
	mode int64
	data []byte
}

// baseLayer returns the layer below the program: root certificates, the user, a folder for
// temporary files, and the license from a file.
func baseLayer(license string) (v1.Layer, error) {
	text, err := os.ReadFile(license)
	if err != nil {
		return nil, fmt.Errorf("read license: %w", err)
	}
	return newLayer([]file{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", user)},
		{name: "etc/nsswitch.conf", mode: 0o644, data: []byte("hosts: files dns\n")},
		{name: "etc/passwd", mode: 0o644, data: fmt.Appendf(nil,
			"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/tmp:/sbin/nologin\n", user, user)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: certificatesPath, mode: 0o644, data: rootCertificates()},
		{name: "licenses/", mode: 0o755},
		{name: licensePath, mode: 0o644, data: text},
		{name: "tmp/", mode: 0o1777},
	})
}

// rootCertificates returns the certificates that Mozilla trusts, in the version of go.mod.
// Certificates with constraints are omitted, because a PEM file cannot express the constraints.
func rootCertificates() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			all.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return all.Bytes()
}

// programLayer returns a layer with a program.
func programLayer(name string, program []byte) (v1.Layer, error) {
	files := []file{{name: name, mode: 0o755, data: program}}
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		files = append([]file{{name: folder + "/", mode: 0o755}}, files...)
	}
	return newLayer(files)
}

// newLayer returns a layer of files that are owned by root and have no timestamps, so that equal
// files result in equal digests.
func newLayer(files []file) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if f.name[len(f.name)-1] == '/' {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
}
