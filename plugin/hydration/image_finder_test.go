package hydration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/plugin/hydration"
)

// TestMain runs the tests, or serves as the render worker that a test starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == hydration.WorkerCommand {
		if err := hydration.ServeWorker(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// switchedTemplate uses the image proxy only if a value is set, and fails with another one.
const switchedTemplate = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: \"r.io/web:{{ .Values.tag }}\"}\n" +
	"{{ if .Values.proxy }}  - {name: proxy, image: r.io/proxy:1}\n{{ end }}{{ if .Values.broken }}{{ fail \"broken\" }}{{ end }}"

// packSwitched returns a chart with these files in addition to its template.
func packSwitched(t *testing.T, more map[string]string) []byte {
	t.Helper()
	files := []chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, {Name: "values.yaml", Data: []byte("tag: 1\nproxy: false\n")},
		{Name: "templates/pod.yaml", Data: []byte(switchedTemplate)},
	}
	for name, content := range more {
		files = append(files, chart.File{Name: name, Data: []byte(content)})
	}
	archive, err := chart.Pack("web", files)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

func imageNames(list []images.Image) []string {
	names := []string{}
	for _, image := range list {
		names = append(names, image.Name)
	}
	return names
}

func TestImagesOfOtherValues(t *testing.T) {
	g := NewWithT(t)
	archive := packSwitched(t, map[string]string{
		"ci/proxy-values.yaml": "proxy: true\n", "ci/broken-values.yaml": "broken: true\n", "ci/default-values.yaml": "", "ci/invalid-values.yaml": "[\n",
		"ci/README.md": "x", "ci/values.yaml": "tag: 9\n", "ci/more/a-values.yaml": "tag: 8\n",
	})
	own := filepath.Join(t.TempDir(), "own.yaml")
	g.Expect(os.WriteFile(own, []byte("tag: 2\nproxy: true\n"), 0o600)).To(Succeed())
	finder, err := hydration.NewImageFinder([]string{own}, true)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(finder.Close)
	found, err := finder.Find(t.Context(), archive, true)
	g.Expect(err).NotTo(HaveOccurred())
	var got []string
	for _, values := range found {
		got = append(got, fmt.Sprintf("%s %v %t", filepath.Base(values.File), imageNames(values.Images), values.Problem == ""))
	}
	g.Expect(got).To(Equal([]string{
		"own.yaml [r.io/proxy:1 r.io/web:2] true",
		"broken-values.yaml [] false",
		"default-values.yaml [r.io/web:1] true",
		"invalid-values.yaml [] false",
		"proxy-values.yaml [r.io/proxy:1 r.io/web:1] true",
	}))
	required, err := finder.Find(t.Context(), archive, false)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(required).To(HaveLen(4), "the file of the user applies to the requested app only")

	g.Expect(os.WriteFile(own, []byte("broken: true\n"), 0o600)).To(Succeed())
	failing, err := hydration.NewImageFinder([]string{own}, false)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(failing.Close)
	_, err = failing.Find(t.Context(), archive, true)
	g.Expect(err).To(MatchError(And(ContainSubstring("own.yaml"), ContainSubstring("broken"))))
	_, err = failing.Find(t.Context(), []byte("no archive"), true)
	g.Expect(err).To(HaveOccurred())
	_, err = hydration.NewImageFinder([]string{own + ".missing"}, false)
	g.Expect(err).To(MatchError(ContainSubstring("not found")))
}

// TestValuesOfTestsAreLimited renders a chart with many files.
func TestValuesOfTestsAreLimited(t *testing.T) {
	g := NewWithT(t)
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("ci/%02d-values.yaml", i)] = fmt.Sprintf("tag: %d\n", i)
	}
	finder, err := hydration.NewImageFinder(nil, true)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(finder.Close)
	found, err := finder.Find(t.Context(), packSwitched(t, files), true)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(31))
	g.Expect(found[29].Images).To(HaveLen(1))
	g.Expect(found[30].Problem).To(Equal("only 30 files with values are used"))
}

// TestImagesOfTestValuesOfRealCharts prints how many images of real charts only the values of their tests use. It
// takes each fourth chart, or all if MARKET_CATALOG_WHOLE is true.
func TestImagesOfTestValuesOfRealCharts(t *testing.T) {
	root := os.Getenv("MARKET_PLAIN")
	if root == "" {
		t.Skip("skipped: MARKET_PLAIN is not set")
	}
	g := NewWithT(t)
	charts, err := filepath.Glob(filepath.Join(root, "*", "charts", "*.tgz"))
	g.Expect(err).NotTo(HaveOccurred())
	plain, err := hydration.NewImageFinder([]string{os.DevNull}, true)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(plain.Close)
	step := 4
	if os.Getenv("MARKET_CATALOG_WHOLE") == "true" {
		step = 1
	}
	files, failed, additional, read := 0, 0, 0, 0
	for i := 0; i < len(charts); i += step {
		path := charts[i]
		read++
		archive, err := os.ReadFile(path)
		g.Expect(err).NotTo(HaveOccurred())
		found, err := plain.Find(t.Context(), archive, false)
		g.Expect(err).NotTo(HaveOccurred(), path)
		known := map[string]bool{}
		if defaults, err := plain.Find(t.Context(), withoutTests(t, archive), true); err == nil {
			for _, image := range defaults[0].Images {
				known[image.Name] = true
			}
		}
		for _, values := range found {
			files++
			if values.Problem != "" {
				failed++
				t.Logf("%s %s: %s", filepath.Base(path), values.File, values.Problem)
			}
			for _, image := range values.Images {
				if !known[image.Name] {
					known[image.Name] = true
					additional++
					t.Logf("%s: %s with %s", filepath.Base(path), image.Name, values.File)
				}
			}
		}
	}
	t.Logf("%d charts with %d files: %d files do not render, %d images are used with these files only", read, files, failed, additional)
	g.Expect(failed).To(BeNumerically("<", files))
}

// withoutTests returns a chart without the values of its tests.
func withoutTests(t *testing.T, archive []byte) []byte {
	t.Helper()
	g := NewWithT(t)
	files, err := chart.Unpack(archive)
	g.Expect(err).NotTo(HaveOccurred())
	meta, err := chart.ReadMetadata(files)
	g.Expect(err).NotTo(HaveOccurred())
	files = slices.DeleteFunc(files, func(f chart.File) bool { return strings.HasPrefix(f.Name, "ci/") })
	packed, err := chart.Pack(meta.Name, files)
	g.Expect(err).NotTo(HaveOccurred())
	return packed
}
