package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// root is the folder of the Git repository.
const root = "../.."

// written runs `release manifests` for an image of version 1.2.3 and returns its files by name, and
// the digest of the image.
func written(t *testing.T) (map[string]string, string) {
	t.Helper()
	g := NewWithT(t)
	image, output := t.TempDir(), t.TempDir()
	path, err := layout.Write(image, empty.Index)
	g.Expect(err).NotTo(HaveOccurred())
	index, err := random.Index(64, 1, 1)
	g.Expect(err).NotTo(HaveOccurred())
	name := map[string]string{"org.opencontainers.image.ref.name": "1.2.3"}
	g.Expect(path.AppendIndex(index, layout.WithAnnotations(name))).To(Succeed())
	digest, err := index.Digest()
	g.Expect(err).NotTo(HaveOccurred())
	args := []string{"manifests", "--root", root, "--layout", image, "--output", output}
	g.Expect(run(args, io.Discard)).To(Succeed())
	files := map[string]string{}
	entries, err := os.ReadDir(output)
	g.Expect(err).NotTo(HaveOccurred())
	for _, each := range entries {
		text, err := os.ReadFile(filepath.Join(output, each.Name()))
		g.Expect(err).NotTo(HaveOccurred())
		files[each.Name()] = string(text)
	}
	return files, digest.String()
}

// kindsOf returns the number of objects of each kind in a manifest.
func kindsOf(t *testing.T, manifest string) map[string]int {
	t.Helper()
	kinds := map[string]int{}
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		var object struct{ Kind string }
		NewWithT(t).Expect(yaml.Unmarshal([]byte(document), &object)).To(Succeed())
		kinds[object.Kind]++
	}
	return kinds
}

func TestManifestsNameTheImageByDigest(t *testing.T) {
	g := NewWithT(t)
	files, digest := written(t)
	image := "ghcr.io/appmarket/operator:1.2.3@" + digest
	g.Expect(files["install.yaml"]).To(ContainSubstring("image: " + image + "\n"))
	g.Expect(strings.Count(files["install.yaml"], "image: ")).To(Equal(1))
	g.Expect(kindsOf(t, files["install.yaml"])).To(And(HaveKeyWithValue("Deployment", 1), HaveKeyWithValue("Namespace", 1),
		Not(HaveKey("CustomResourceDefinition"))), "deleting the operator must not delete the CRDs")
	g.Expect(kindsOf(t, files["crds.yaml"])).To(Equal(map[string]int{"CustomResourceDefinition": 4}))

	chart, err := chart.Unpack([]byte(files["appmarket-1.2.3.tgz"]))
	g.Expect(err).NotTo(HaveOccurred())
	texts := map[string]string{}
	for _, file := range chart {
		texts[file.Name] = string(file.Data)
	}
	g.Expect(texts["Chart.yaml"]).To(And(ContainSubstring("\nversion: 1.2.3\n"), ContainSubstring("\nappVersion: 1.2.3\n"),
		ContainSubstring(" image: "+image+"\n")))
	g.Expect(texts["values.yaml"]).To(And(
		ContainSubstring("\n  repository: ghcr.io/appmarket/operator\n"), ContainSubstring("\n  digest: "+digest+"\n")))
	g.Expect(texts).To(And(HaveKey("crds/appmarket.io_appinfos.yaml"), HaveKey("README.md"), HaveKey("LICENSE")))
}

func TestSamplesNameASourceThatEveryClusterReaches(t *testing.T) {
	g := NewWithT(t)
	files, _ := written(t)
	g.Expect(files["samples.yaml"]).To(ContainSubstring("    url: https://appmarket.github.io/operator/samples\n"))
	g.Expect(files["samples.yaml"]).NotTo(Or(ContainSubstring("127.0.0.1"), ContainSubstring("go run")))
	g.Expect(kindsOf(t, files["samples.yaml"])).To(Equal(map[string]int{
		"Namespace": 2, "MarketSource": 1, "ServiceAccount": 1, "RoleBinding": 1, "AppInstallTask": 1,
	}))
}

func TestManifestsLeaveNoTemporaryFolder(t *testing.T) {
	g := NewWithT(t)
	written(t)
	g.Expect(filepath.Glob(filepath.Join(root, ".install-*"))).To(BeEmpty())
}

func TestManifestsNeedAnImage(t *testing.T) {
	g := NewWithT(t)
	g.Expect(run([]string{"manifests", "--layout", t.TempDir()}, io.Discard)).To(MatchError(ContainSubstring("make image")))
	none := t.TempDir()
	_, err := layout.Write(none, empty.Index)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(run([]string{"manifests", "--layout", none}, io.Discard)).To(MatchError(ContainSubstring("0 images")))
}

func TestCheckComparesTagChartAndChanges(t *testing.T) {
	const unreleased = "# Changes\n\n## Unreleased\n\n- Something new.\n"
	const released = "# Changes\n\n## 0.1.0 (2026-12-01)\n\n- All of it.\n\n## 0.0.9\n\n- Less.\n"
	for name, c := range map[string]struct{ version, appVersion, changes, tag, want string }{
		"no tag yet":                {"0.1.0", "0.1.0", unreleased, "", ""},
		"released":                  {"0.1.0", "0.1.0", released, "v0.1.0", ""},
		"after a release":           {"0.1.0", "0.1.0", released, "", ""},
		"no section for a tag":      {"0.1.0", "0.1.0", unreleased, "v0.1.0", `no section "## 0.1.0"`},
		"an empty section":          {"0.1.0", "0.1.0", "## 0.1.0\n\n## 0.0.9\n\n- Less.\n", "v0.1.0", `no section "## 0.1.0"`},
		"another tag":               {"0.1.0", "0.1.0", released, "v0.2.0", `tag "v0.2.0" is not v0.1.0`},
		"a tag without v":           {"0.1.0", "0.1.0", released, "0.1.0", `tag "0.1.0" is not v0.1.0`},
		"versions that differ":      {"0.1.0", "0.1.1", released, "", "differ"},
		"a version that is no such": {"1.0", "1.0", released, "", `version "1.0"`},
		"no section at all":         {"0.1.1", "0.1.1", released, "", "neither a section Unreleased nor one for 0.1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			folder := t.TempDir()
			g.Expect(os.MkdirAll(filepath.Join(folder, "charts/appmarket"), 0o755)).To(Succeed())
			chart := "name: appmarket\nversion: \"" + c.version + "\"\nappVersion: \"" + c.appVersion + "\"\n"
			g.Expect(os.WriteFile(filepath.Join(folder, "charts/appmarket/Chart.yaml"), []byte(chart), 0o600)).To(Succeed())
			g.Expect(os.WriteFile(filepath.Join(folder, "CHANGELOG.md"), []byte(c.changes), 0o600)).To(Succeed())
			err := check(folder, c.tag)
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

func TestNotesAreTheSectionOfTheVersion(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	changes := "# Changes\n\n## Unreleased\n\n## 0.1.0 (2026-12-01)\n\n### Added\n\n- All of it.\n\n## 0.0.9\n\n- Less.\n"
	g.Expect(os.WriteFile(filepath.Join(folder, "CHANGELOG.md"), []byte(changes), 0o600)).To(Succeed())
	g.Expect(notesFor(folder, "0.1.0")).To(Equal("### Added\n\n- All of it.\n"))
	g.Expect(notesFor(folder, "0.0.9")).To(Equal("- Less.\n"))
	g.Expect(notesFor(folder, "0.0.8")).Error().To(HaveOccurred())
}
