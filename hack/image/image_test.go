package main

import (
	"archive/tar"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	. "github.com/onsi/gomega"
)

// built builds an image of two programs and returns its index.
func built(t *testing.T, folder string, flags ...string) v1.ImageIndex {
	t.Helper()
	g := NewWithT(t)
	args := []string{"build", "--output", folder, "--version", "1.2.3", "--revision", "abc", "--created", "2026-01-02T03:04:05+01:00"}
	args = append(args, flags...)
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		file := filepath.Join(t.TempDir(), "program")
		g.Expect(os.WriteFile(file, []byte("program of "+platform), 0o600)).To(Succeed())
		args = append(args, platform+"="+file)
	}
	g.Expect(run(t.Context(), args)).To(Succeed())
	index, err := layout.ImageIndexFromPath(folder)
	g.Expect(err).NotTo(HaveOccurred())
	return index
}

func digestOf(t *testing.T, index v1.ImageIndex) string {
	t.Helper()
	digest, err := index.Digest()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return digest.String()
}

func TestBuildTwiceGivesTheSameBytes(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	first := digestOf(t, built(t, folder))
	g.Expect(digestOf(t, built(t, folder))).To(Equal(first), "into the folder of an earlier build")
	g.Expect(digestOf(t, built(t, t.TempDir()))).To(Equal(first), "into another folder")
	g.Expect(digestOf(t, built(t, t.TempDir(), "--version", "1.2.4"))).NotTo(Equal(first), "of another version")
}

func TestImageHasWhatTheOperatorNeeds(t *testing.T) {
	g := NewWithT(t)
	index := built(t, t.TempDir())
	g.Expect(validate.Index(index)).To(Succeed())
	manifest, err := index.IndexManifest()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manifest.Annotations).To(HaveKeyWithValue("org.opencontainers.image.version", "1.2.3"))
	g.Expect(manifest.Manifests).To(HaveLen(2))
	for _, one := range manifest.Manifests {
		image, err := index.Image(one.Digest)
		g.Expect(err).NotTo(HaveOccurred())
		config, err := image.ConfigFile()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(config.Config.User).To(Equal("65532:65532"), "runAsNonRoot needs a number")
		g.Expect(config.Config.Entrypoint).To(Equal([]string{"/usr/local/bin/appmarket"}))
		g.Expect(config.Config.Labels).To(HaveKeyWithValue("org.opencontainers.image.revision", "abc"))
		g.Expect(config.Config.Labels).To(HaveKeyWithValue("org.opencontainers.image.created", "2026-01-02T02:04:05Z"))
		g.Expect(config.Platform().String()).To(Equal(one.Platform.String()))

		files := filesOf(t, image)
		g.Expect(string(files[programPath])).To(Equal("program of " + one.Platform.String()))
		g.Expect(files).To(HaveKey("tmp"))
		g.Expect(string(files["etc/passwd"])).To(ContainSubstring("nonroot:x:65532:65532:"))
		count := 0
		for block, rest := pem.Decode(files[certificatesPath]); block != nil; block, rest = pem.Decode(rest) {
			_, err := x509.ParseCertificate(block.Bytes)
			g.Expect(err).NotTo(HaveOccurred())
			count++
		}
		g.Expect(count).To(BeNumerically(">", 50))
	}
}

// filesOf returns the contents of the files of an image, and its folders.
func filesOf(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	g := NewWithT(t)
	files := map[string][]byte{}
	flat := mutate.Extract(image)
	defer flat.Close()
	for r := tar.NewReader(flat); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(header.Uid).To(BeZero(), header.Name)
		files[header.Name], err = io.ReadAll(r)
		g.Expect(err).NotTo(HaveOccurred())
	}
}

func TestPushPushesTheSameBytes(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	folder := t.TempDir()
	want := digestOf(t, built(t, folder))

	reference := strings.TrimPrefix(server.URL, "http://") + "/appmarket:1.2.3"
	g.Expect(run(t.Context(), []string{"push", folder, reference})).To(Succeed())
	ref, err := name.ParseReference(reference)
	g.Expect(err).NotTo(HaveOccurred())
	pushed, err := remote.Index(ref)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(digestOf(t, pushed)).To(Equal(want))
	g.Expect(validate.Index(pushed)).To(Succeed(), "every blob was pushed")
}

func TestBuildRefusesWhatItCannotUse(t *testing.T) {
	for name, c := range map[string]struct{ args, want string }{
		"no program":         {"--created 2026-01-02T03:04:05Z", "no program is given"},
		"no time":            {"linux/amd64=x", "read --created"},
		"no platform":        {"--created 2026-01-02T03:04:05Z program", `"program" is not PLATFORM=PROGRAM`},
		"a missing program":  {"--created 2026-01-02T03:04:05Z linux/amd64=/nosuch/program", "no such file"},
		"a strange platform": {"--created 2026-01-02T03:04:05Z a/b/c/d=x", `read platform "a/b/c/d"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			output := filepath.Join(t.TempDir(), "image")
			err := run(t.Context(), append([]string{"build", "--output", output}, strings.Fields(c.args)...))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(output).NotTo(BeADirectory())
		})
	}
}
