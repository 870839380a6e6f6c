package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// programPath is where the operator is in the image.
	programPath = "usr/local/bin/appmarket"
	// certificatesPath is where Go looks for root certificates first.
	certificatesPath = "etc/ssl/certs/ca-certificates.crt"
	// user is the id of the user and the group that the operator runs as.
	user = 65532
)

// file is a file of a layer, or a folder if its name ends with a slash.
type file struct {
	name string
	mode int64
	data []byte
}

// baseLayer returns the layer below the program.
func baseLayer() (v1.Layer, error) {
	return layerOf([]file{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", user)},
		{name: "etc/nsswitch.conf", mode: 0o644, data: []byte("hosts: files dns\n")},
		{name: "etc/passwd", mode: 0o644, data: fmt.Appendf(nil,
			"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/tmp:/sbin/nologin\n", user, user)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: certificatesPath, mode: 0o644, data: rootCertificates()},
		{name: "tmp/", mode: 0o1777},
	})
}

// rootCertificates returns those that Mozilla trusts, of the version in go.mod. Those
// that it trusts only in part are left out: a file of certificates cannot say so.
func rootCertificates() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writing to a buffer never fails.
			_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return all.Bytes()
}

// programLayer returns the layer of the operator's program.
func programLayer(program []byte) (v1.Layer, error) {
	files := []file{{name: programPath, mode: 0o755, data: program}}
	for folder := path.Dir(programPath); folder != "."; folder = path.Dir(folder) {
		files = append([]file{{name: folder + "/", mode: 0o755}}, files...)
	}
	return layerOf(files)
}

// layerOf returns a layer that depends on nothing but its files: they belong to root
// and have no times.
func layerOf(files []file) (v1.Layer, error) {
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
