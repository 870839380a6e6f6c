package main

import (
	"archive/tar"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
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
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	. "github.com/onsi/gomega"
)

// programPath is the path of the operator in its image.
const programPath = "usr/local/bin/appmarket"

// built builds an image with two programs and their SBOMs, and returns its index.
func built(t *testing.T, folder string, flags ...string) v1.ImageIndex {
	t.Helper()
	g := NewWithT(t)
	args := []string{
		"build", "--output", folder, "--version", "1.2.3", "--revision", "abc",
		"--created", "2026-01-02T03:04:05+01:00", "--license", "../../LICENSE",
	}
	args = append(args, flags...)
	var programs []string
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		args = append(args, "--sbom", platform+"="+written(t, `{"bomFormat":"CycloneDX","of":"`+platform+`"}`))
		programs = append(programs, platform+"="+written(t, programFor(t, platform)))
	}
	g.Expect(run(t.Context(), append(args, programs...))).To(Succeed())
	indexes, artifacts, err := readLayout(folder)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(indexes).To(HaveLen(1))
	g.Expect(artifacts).To(HaveLen(2))
	return indexes[0].index
}

// programFor returns an executable for a Linux platform.
func programFor(t *testing.T, platform string) string {
	t.Helper()
	return elfProgram(t, machines[strings.TrimPrefix(platform, "linux/")], elf.PT_LOAD, "program for "+platform)
}

// written writes a text to a file and returns its name.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	NewWithT(t).Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
	return file
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
		g.Expect(string(files[programPath])).To(Equal(programFor(t, one.Platform.String())))
		g.Expect(files).To(HaveKey("tmp"))
		g.Expect(string(files[licensePath])).To(ContainSubstring("Apache License"))
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

// filesOf returns the contents of the files and folders of an image.
func filesOf(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	g := NewWithT(t)
	files := map[string][]byte{}
	flat := mutate.Extract(image)
	defer flat.Close()
	for r := tar.NewReader(flat); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(header.Uid).To(BeZero(), header.Name)
		files[header.Name], err = io.ReadAll(r)
		g.Expect(err).NotTo(HaveOccurred())
	}
}

// newRegistry starts a registry and returns its host and port.
func newRegistry(t *testing.T, options ...registry.Option) string {
	t.Helper()
	options = append(options, registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(registry.New(options...))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestPushPushesTheSameBytes(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	want := digestOf(t, built(t, folder))
	for given, tag := range map[string]string{"/appmarket:edge": "edge", "/appmarket": "1.2.3"} {
		host := newRegistry(t)
		g.Expect(run(t.Context(), []string{"push", folder, host + given})).To(Succeed())
		ref, err := name.NewTag(host + "/appmarket:" + tag)
		g.Expect(err).NotTo(HaveOccurred())
		pushed, err := remote.Index(ref)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(digestOf(t, pushed)).To(Equal(want))
		g.Expect(validate.Index(pushed)).To(Succeed(), "every blob was pushed")
		tags, err := remote.List(ref.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(tags).To(ContainElement(tag))
		g.Expect(tags).NotTo(ContainElement("latest"))
	}
}

func TestSBOMsAreReferrersOfTheImages(t *testing.T) {
	for support, options := range map[string][]registry.Option{
		"with the referrers API": {registry.WithReferrersSupport(true)},
		"with the fallback tag":  nil,
	} {
		t.Run(support, func(t *testing.T) {
			g := NewWithT(t)
			folder := t.TempDir()
			index := built(t, folder)
			target := newRegistry(t, options...) + "/appmarket"
			g.Expect(run(t.Context(), []string{"push", folder, target})).To(Succeed())
			repository, err := name.NewRepository(target)
			g.Expect(err).NotTo(HaveOccurred())
			manifest, err := index.IndexManifest()
			g.Expect(err).NotTo(HaveOccurred())
			for _, each := range manifest.Manifests {
				referrers, err := remote.Referrers(repository.Digest(each.Digest.String()))
				g.Expect(err).NotTo(HaveOccurred())
				found, err := referrers.IndexManifest()
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(found.Manifests).To(HaveLen(1))
				g.Expect(found.Manifests[0].ArtifactType).To(Equal(string(cycloneDX)))
				artifact, err := remote.Image(repository.Digest(found.Manifests[0].Digest.String()))
				g.Expect(err).NotTo(HaveOccurred())
				layers, err := artifact.Layers()
				g.Expect(err).NotTo(HaveOccurred())
				text, err := layers[0].Compressed()
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(io.ReadAll(text)).To(ContainSubstring(each.Platform.String()))
			}
		})
	}
}

func TestPushRefusesAFolderWithoutAnImage(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	g.Expect(run(t.Context(), []string{"push", folder, "127.0.0.1:1/x"})).To(MatchError(ContainSubstring("read " + folder)))
	g.Expect(writeLayout(folder, nil, nil)).To(Succeed())
	g.Expect(run(t.Context(), []string{"push", folder, "127.0.0.1:1/x"})).To(MatchError(ContainSubstring("no image found")))
}

func TestBuildRefusesWhatItCannotUse(t *testing.T) {
	program := written(t, programFor(t, "linux/amd64"))
	for name, c := range map[string]struct{ args, want string }{
		"no program":         {"--created 2026-01-02T03:04:05Z", "usage: at least one argument PLATFORM=PROGRAM is required"},
		"no time":            {"linux/amd64=x", "read --created"},
		"no platform":        {"--created 2026-01-02T03:04:05Z program", `invalid value "program": must have the form PLATFORM=FILE`},
		"a script":           {"--created 2026-01-02T03:04:05Z --license main.go linux/amd64=../dev.sh", "program ../dev.sh for linux/amd64"},
		"a missing license":  {"--created 2026-01-02T03:04:05Z --license /nosuch/license linux/amd64=main.go", "read license"},
		"a strange SBOM":     {"--created 2026-01-02T03:04:05Z --license main.go --sbom linux/arm64=main.go linux/amd64=PROGRAM64", "SBOM without a program for linux/arm64"},
		"a missing program":  {"--created 2026-01-02T03:04:05Z --license main.go linux/amd64=/nosuch/program", "no such file"},
		"a strange platform": {"--created 2026-01-02T03:04:05Z a/b/c/d=x", `parse platform "a/b/c/d"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			output := filepath.Join(t.TempDir(), "image")
			args := strings.ReplaceAll(c.args, "PROGRAM64", program)
			err := run(t.Context(), append([]string{"build", "--output", output}, strings.Fields(args)...))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(output).NotTo(BeADirectory())
		})
	}
}

func TestBuildRefusesAnImageThatIsTooLarge(t *testing.T) {
	g := NewWithT(t)
	program := "linux/amd64=" + written(t, programFor(t, "linux/amd64"))
	args := []string{"build", "--output", t.TempDir(), "--created", "2026-01-02T03:04:05Z", "--license", "../../LICENSE", "--max-mib"}
	g.Expect(run(t.Context(), append(args, "1", program))).To(Succeed())
	g.Expect(run(t.Context(), append(args, "0.001", program))).To(MatchError(ContainSubstring("more than the 0.0 MiB of --max-mib")))
}

func TestSamplesHaveAnImageForEveryImageOfTheCharts(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	args := []string{
		"samples", "--output", folder, "--charts", "../../config/samples/charts", "--license", "../../LICENSE",
		"--created", "2026-01-02T03:04:05Z",
	}
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		args = append(args, platform+"="+written(t, programFor(t, platform)))
	}
	g.Expect(run(t.Context(), args)).To(Succeed())
	host := newRegistry(t)
	g.Expect(run(t.Context(), []string{"push", folder, host + "/samples"})).To(Succeed())
	for image, platforms := range map[string]int{"hello:1.0": 2, "hello:1.1": 2, "board:1.0": 2, "clock:3.1": 1} {
		ref, err := name.NewTag(host + "/samples/" + image)
		g.Expect(err).NotTo(HaveOccurred())
		index, err := remote.Index(ref)
		g.Expect(err).NotTo(HaveOccurred(), image)
		g.Expect(validate.Index(index)).To(Succeed(), image)
		manifest, err := index.IndexManifest()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(manifest.Manifests).To(HaveLen(platforms), image)
		one, err := index.Image(manifest.Manifests[0].Digest)
		g.Expect(err).NotTo(HaveOccurred())
		config, err := one.ConfigFile()
		g.Expect(err).NotTo(HaveOccurred())
		app, version, _ := strings.Cut(image, ":")
		g.Expect(config.Config.Env).To(ContainElements("APP="+app, "APP_VERSION="+version))
		g.Expect(config.Config.Entrypoint).To(Equal([]string{"/usr/local/bin/sampleapp"}))
	}
}
