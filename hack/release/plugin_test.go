package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/Masterminds/semver/v3"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// packedPlugin runs `release plugin` for two programs and returns the folder with its files.
func packedPlugin(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	folder := t.TempDir()
	for _, platform := range []string{"linux-amd64", "windows-arm64"} {
		g.Expect(os.WriteFile(filepath.Join(folder, "kubectl-market-"+platform), []byte("program for "+platform), 0o755)).To(Succeed())
	}
	g.Expect(run([]string{"plugin", "--root", root, "--output", folder, "--version", "1.2.3"}, io.Discard)).To(Succeed())
	return folder
}

// TestKrewManifest checks the manifest by the rules of Krew v0.4: internal/index/validation.
func TestKrewManifest(t *testing.T) {
	g := NewWithT(t)
	folder := packedPlugin(t)
	text, err := os.ReadFile(filepath.Join(folder, "appmarket.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var manifest krewPlugin
	g.Expect(yaml.UnmarshalStrict(text, &manifest)).To(Succeed())
	g.Expect(manifest.APIVersion).To(Equal("krew.googlecontainertools.github.com/v1alpha2"))
	g.Expect(manifest.Kind).To(Equal("Plugin"))
	g.Expect(manifest.Metadata.Name).To(MatchRegexp(`^[\w-]+$`))
	g.Expect(manifest.Spec.ShortDescription).To(MatchRegexp(`^[^\r\n]{1,50}$`), "the table of kubectl krew search is narrow")
	g.Expect(manifest.Spec.Version).To(HavePrefix("v"))
	_, err = semver.StrictNewVersion(manifest.Spec.Version[1:])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manifest.Spec.Platforms).To(HaveLen(2))
	for _, platform := range manifest.Spec.Platforms {
		g.Expect(platform.URI).To(HavePrefix("https://github.com/appmarket/operator/releases/download/v1.2.3/"))
		g.Expect(platform.SHA256).To(MatchRegexp(`^[a-f0-9]{64}$`))
		for label := range platform.Selector.MatchLabels {
			g.Expect([]string{"os", "arch"}).To(ContainElement(label))
		}
		archive, err := os.ReadFile(filepath.Join(folder, path.Base(platform.URI)))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(fmt.Sprintf("%x", sha256.Sum256(archive))).To(Equal(platform.SHA256))
		files := readArchive(t, archive)
		g.Expect(files).To(HaveKeyWithValue(platform.Bin, HavePrefix("program for "+platform.Selector.MatchLabels["os"])))
		g.Expect(files).To(HaveKey("LICENSE"), "the index of Krew requires a license file")
	}
}

// readArchive returns the files of an archive.
func readArchive(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	g := NewWithT(t)
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	g.Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for reader := tar.NewReader(zipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		g.Expect(err).NotTo(HaveOccurred())
		text, err := io.ReadAll(reader)
		g.Expect(err).NotTo(HaveOccurred())
		files[header.Name] = string(text)
	}
}

func TestPluginArchivesHaveTheSameBytes(t *testing.T) {
	first, err := os.ReadFile(filepath.Join(packedPlugin(t), "kubectl-market_linux_amd64.tar.gz"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	second, err := os.ReadFile(filepath.Join(packedPlugin(t), "kubectl-market_linux_amd64.tar.gz"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(second).To(Equal(first))
}

func TestPluginNeedsProgramsAndAVersion(t *testing.T) {
	g := NewWithT(t)
	g.Expect(run([]string{"plugin", "--output", t.TempDir(), "--version", "1.2.3"}, io.Discard)).To(MatchError(ContainSubstring("make plugins")))
	g.Expect(run([]string{"plugin"}, io.Discard)).To(MatchError("--version is required"))
}

// TestReleasePublishesThePlugin checks that the workflow builds and publishes the files of the plugin.
func TestReleasePublishesThePlugin(t *testing.T) {
	g := NewWithT(t)
	commands := ""
	for _, job := range readWorkflow(t).Jobs {
		for _, step := range job.Steps {
			commands += step.Run + "\n"
		}
	}
	g.Expect(commands).To(MatchRegexp(`make image [\w ]*\bplugins\b`))
	files := regexp.MustCompile(`files=\(([^)]*)\)`).FindStringSubmatch(commands)
	g.Expect(files).To(HaveLen(2))
	g.Expect(files[1]).To(And(ContainSubstring("kubectl-market_*.tar.gz"), ContainSubstring("appmarket.yaml")))
}

// TestKrewInstallsTheArchive does what kubectl krew install does with --manifest and --archive: it compares the
// digest, unpacks the archive into a folder of the version, and links the program by the name of the plugin.
func TestKrewInstallsTheArchive(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	g.Expect(os.WriteFile(filepath.Join(folder, "kubectl-market-linux-amd64"), []byte("#!/bin/sh\necho \"${0##*/} $*\"\n"), 0o755)).To(Succeed())
	g.Expect(run([]string{"plugin", "--root", root, "--output", folder, "--version", "1.2.3"}, io.Discard)).To(Succeed())
	text, err := os.ReadFile(filepath.Join(folder, "appmarket.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var manifest krewPlugin
	g.Expect(yaml.UnmarshalStrict(text, &manifest)).To(Succeed())
	platform := manifest.Spec.Platforms[0]
	archive, err := os.ReadFile(filepath.Join(folder, path.Base(platform.URI)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(fmt.Sprintf("%x", sha256.Sum256(archive))).To(Equal(platform.SHA256))

	store, programs := filepath.Join(folder, "store", manifest.Metadata.Name, manifest.Spec.Version), filepath.Join(folder, "bin")
	g.Expect(os.MkdirAll(store, 0o755)).To(Succeed())
	g.Expect(os.MkdirAll(programs, 0o755)).To(Succeed())
	unpack := exec.CommandContext(t.Context(), "tar", "-xzf", "-", "-C", store)
	unpack.Stdin = bytes.NewReader(archive)
	g.Expect(unpack.Run()).To(Succeed())
	link := filepath.Join(programs, "kubectl-"+manifest.Metadata.Name)
	g.Expect(os.Symlink(filepath.Join(store, platform.Bin), link)).To(Succeed())
	for _, program := range []string{link, filepath.Join(store, platform.Bin)} {
		out, err := exec.CommandContext(t.Context(), program, "version").Output()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(out)).To(Equal(filepath.Base(program) + " version\n"))
	}
}
