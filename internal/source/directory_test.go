package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// writeFiles writes files into a folder. A name that ends with a slash is a folder.
func writeFiles(t *testing.T, root string, files map[string]string) {
	t.Helper()
	g := NewWithT(t)
	for name, data := range files {
		path := filepath.Join(root, name)
		g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		if strings.HasSuffix(name, "/") {
			g.Expect(os.MkdirAll(path, 0o755)).To(Succeed())
			continue
		}
		g.Expect(os.WriteFile(path, []byte(data), 0o644)).To(Succeed())
	}
}

func chartYAML(name, version string) string {
	return fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\nappVersion: \"7\"\n", name, version)
}

// packArchive returns an archive with one file.
func packArchive(t *testing.T, name, data string) string {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	g.Expect(files.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg})).To(Succeed())
	_, err := files.Write([]byte(data))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files.Close()).To(Succeed())
	g.Expect(zipped.Close()).To(Succeed())
	return out.String()
}

func openDirectory(t *testing.T, path string, allowed ...string) source.Source {
	t.Helper()
	opened, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: path, AllowedRoots: allowed}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func TestListDirectory(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	archive := packArchive(t, "cache/Chart.yaml", chartYAML("cache", "0.2.0"))
	writeFiles(t, root, map[string]string{
		"LICENSE":                "x",
		"empty/":                 "",
		"notes/readme.md":        "x",
		".git/Chart.yaml":        chartYAML("git", "1.0.0"),
		"web/Chart.yaml":         chartYAML("web", "1.0.0") + "deprecated: true\nurls: [x]\n",
		"web/templates/web.yaml": "x",
		"web/.suspend":           "",
		"web-2/Chart.yaml":       chartYAML("web", "2.0.0"),
		"web-double/Chart.yaml":  chartYAML("web", "2.0.0"),
		"old/Chart.yaml":         chartYAML("old", "1.0.0"),
		"old/.remove":            "",
		"cache-0.2.0.tgz":        archive,
	})
	opened := openDirectory(t, root, root)
	list, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	tree := func(files ...chart.File) string { return chart.TreeDigest(files) }
	second := tree(chart.File{Name: "Chart.yaml", Data: []byte(chartYAML("web", "2.0.0"))})
	first := []chart.File{
		{Name: "Chart.yaml", Data: []byte(chartYAML("web", "1.0.0") + "deprecated: true\nurls: [x]\n")},
		{Name: "templates/web.yaml", Data: []byte("x")},
	}
	g.Expect(list.Skipped).To(BeEmpty())
	g.Expect(list.Apps).To(Equal([]hydrate.App{
		{Name: "cache", Offers: []hydrate.Offer{{Version: "0.2.0", AppVersion: "7", URL: "cache-0.2.0.tgz", Digest: chart.Digest([]byte(archive))}}},
		{Name: "web", Withdrawn: true, Offers: []hydrate.Offer{
			{Version: "2.0.0", AppVersion: "7", URL: "web-2", Digest: second},
			{Version: "1.0.0", AppVersion: "7", URL: "web", Digest: tree(first...), Deprecated: true},
		}},
	}))

	payload, err := opened.Fetch(t.Context(), list.Apps[1].Offers[1])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(payload).To(Equal(hydrate.ChartContent{Files: first}), "without the marker files")
	payload, err = opened.Fetch(t.Context(), list.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(payload).To(Equal(hydrate.ChartContent{Archive: []byte(archive)}))
}

func TestListDirectoryNotModified(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"web/Chart.yaml": chartYAML("web", "1.0.0"), "web/values.yaml": "a: 1"})
	opened := openDirectory(t, root, root)
	first, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	mark := hydrate.Cursor{Revision: first.Revision}
	expect := func(notModified bool, why string) {
		list, err := opened.List(t.Context(), mark)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(list.NotModified).To(Equal(notModified), why)
	}
	expect(true, "nothing changed")
	writeFiles(t, root, map[string]string{"web/values.yaml": "a: 1"})
	expect(true, "a file was written again with the same content")
	writeFiles(t, root, map[string]string{"web/values.yaml": "a: 2"})
	expect(false, "one byte of a file changed")
	writeFiles(t, root, map[string]string{"web/values.yaml": "a: 1", "web/.suspend": ""})
	expect(false, "the app was withdrawn")
	g.Expect(os.Remove(filepath.Join(root, "web/.suspend"))).To(Succeed())
	expect(true, "the marker file was removed")
	writeFiles(t, root, map[string]string{"bad/Chart.yaml": "name: [\n"})
	expect(false, "an invalid chart was added")
}

func TestDirectoryInvalidCharts(t *testing.T) {
	outside := t.TempDir()
	writeFiles(t, outside, map[string]string{"Chart.yaml": chartYAML("x", "1.0.0"), "token": "s3cr3t"})
	link := func(target string) func(string) error {
		return func(path string) error { return os.Symlink(target, path) }
	}
	for _, test := range []struct {
		why    string
		files  map[string]string
		at     string
		make   func(path string) error
		reason string
		name   string
	}{
		{"not YAML", map[string]string{"x/Chart.yaml": "name: ["}, "", nil, v1alpha1.ReasonInvalidChart, "x"},
		{"not a mapping", map[string]string{"x/Chart.yaml": "name"}, "", nil, v1alpha1.ReasonInvalidChart, "x"},
		{"no version", map[string]string{"x/Chart.yaml": "name: x\n"}, "", nil, v1alpha1.ReasonInvalidChart, "x"},
		{"a name that is not valid for an object", map[string]string{"x/Chart.yaml": chartYAML("../X", "1.0.0")}, "", nil, v1alpha1.ReasonInvalidChart, "../X"},
		{"a Chart.yaml that is too large", map[string]string{"x/Chart.yaml": strings.Repeat("#\n", 1<<20)}, "", nil, v1alpha1.ReasonLimitExceeded, "x"},
		{"a file that is too large", map[string]string{"x/Chart.yaml": chartYAML("x", "1.0.0"), "x/f": strings.Repeat("x", chart.MaxFileBytes+1)}, "", nil, v1alpha1.ReasonLimitExceeded, "x"},
		{"folders that are too deep", map[string]string{"x/Chart.yaml": chartYAML("x", "1.0.0"), "x/" + strings.Repeat("d/", chart.MaxPathDepth) + "f": ""}, "", nil, v1alpha1.ReasonLimitExceeded, "x"},
		{"an invalid pattern in .helmignore", map[string]string{"x/Chart.yaml": chartYAML("x", "1.0.0"), "x/.helmignore": "["}, "", nil, v1alpha1.ReasonInvalidChart, "x"},
		{"a file that is not an archive", map[string]string{"x.tgz": "<html>"}, "", nil, v1alpha1.ReasonInvalidArchive, "x.tgz"},
		{"an archive without a chart", map[string]string{"x.tgz": packArchive(t, "Chart.yaml", chartYAML("x", "1.0.0"))}, "", nil, v1alpha1.ReasonInvalidArchive, "x.tgz"},
		{"an archive without a chart at its top level", map[string]string{"x.tgz": packArchive(t, "x/charts/Chart.yaml", chartYAML("x", "1.0.0"))}, "", nil, v1alpha1.ReasonInvalidArchive, "x.tgz"},
		{"an archive that is too large", map[string]string{"x.tgz": strings.Repeat("x", chart.MaxArchiveBytes+1)}, "", nil, v1alpha1.ReasonLimitExceeded, "x.tgz"},
		{"a link to another folder", nil, "x", link(outside), v1alpha1.ReasonNotAllowed, "x"},
		{"a link to a folder inside", nil, "x", link("good"), v1alpha1.ReasonNotAllowed, "x"},
		{"a link instead of an archive", nil, "x.tgz", link("/etc/hostname"), v1alpha1.ReasonNotAllowed, "x.tgz"},
		{"a link instead of a folder of a chart", map[string]string{"x/Chart.yaml": chartYAML("x", "1.0.0")}, "x/templates", link(outside), v1alpha1.ReasonNotAllowed, "x"},
		{"a link instead of Chart.yaml", map[string]string{"x/": ""}, "x/Chart.yaml", link(filepath.Join(outside, "Chart.yaml")), v1alpha1.ReasonNotAllowed, "x"},
		{"a link instead of .helmignore", map[string]string{"x/Chart.yaml": chartYAML("x", "1.0.0")}, "x/.helmignore", link("Chart.yaml"), v1alpha1.ReasonNotAllowed, "x"},
		{"a pipe", map[string]string{"x/Chart.yaml": chartYAML("x", "1.0.0")}, "x/pipe", makePipe, v1alpha1.ReasonNotAllowed, "x"},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			root := t.TempDir()
			writeFiles(t, root, map[string]string{"good/Chart.yaml": chartYAML("good", "1.0.0")})
			writeFiles(t, root, test.files)
			if test.make != nil {
				g.Expect(test.make(filepath.Join(root, test.at))).To(Succeed())
			}
			list, err := openDirectory(t, root, root).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(list.Apps).To(HaveLen(1), "the other chart is listed")
			g.Expect(list.Skipped).To(HaveLen(1))
			g.Expect(list.Skipped[0].Name).To(Equal(test.name))
			expectOutcome(g, list.Skipped[0].Err, true, test.reason)
		})
	}
}

func makePipe(path string) error { return syscall.Mkfifo(path, 0o644) }

func TestAllowedRoots(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"in/charts/": "", "in-too/": "", "out/": ""})
	at := func(name string) string { return filepath.Join(root, name) }
	NewWithT(t).Expect(os.Symlink(at("out"), at("in/escape"))).To(Succeed())
	NewWithT(t).Expect(os.Symlink(at("in"), at("alias"))).To(Succeed())
	for _, test := range []struct {
		why     string
		path    string
		allowed []string
		reason  string
	}{
		{"the root itself", at("in"), []string{at("in")}, ""},
		{"a folder in the root", at("in/charts"), []string{"/nowhere", at("in")}, ""},
		{"the root is a link", at("in/charts"), []string{at("alias")}, ""},
		{"the path is a link into the root", at("alias/charts"), []string{at("in")}, ""},
		{"no roots", at("in"), nil, v1alpha1.ReasonNotAllowed},
		{"a folder outside the root", at("out"), []string{at("in")}, v1alpha1.ReasonNotAllowed},
		{"a folder whose name begins with the name of the root", at("in-too"), []string{at("in")}, v1alpha1.ReasonNotAllowed},
		{"a parent folder", at("in/../out"), []string{at("in")}, v1alpha1.ReasonNotAllowed},
		{"a link out of the root", at("in/escape"), []string{at("in")}, v1alpha1.ReasonNotAllowed},
		{"a path that does not exist outside the root", at("out/missing"), []string{at("in")}, v1alpha1.ReasonNotAllowed},
		{"a path that does not exist in the root", at("in/missing"), []string{at("in")}, v1alpha1.ReasonNotFound},
		{"an empty root does not allow all folders", at("in"), []string{""}, v1alpha1.ReasonNotAllowed},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			opened := openDirectory(t, test.path, test.allowed...)
			_, err := opened.List(t.Context(), hydrate.Cursor{})
			if test.reason == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			expectOutcome(g, err, true, test.reason)
			_, err = opened.Fetch(t.Context(), hydrate.Offer{URL: "x"})
			expectOutcome(g, err, true, test.reason)
			if test.reason == v1alpha1.ReasonNotAllowed {
				g.Expect(err).To(MatchError(ContainSubstring("--allowed-directories")))
			}
		})
	}
}

func TestFetchInvalidName(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"in/web/Chart.yaml": chartYAML("web", "1.0.0"), "out.tgz": "s3cr3t"})
	NewWithT(t).Expect(os.Symlink("../out.tgz", filepath.Join(root, "in/link.tgz"))).To(Succeed())
	opened := openDirectory(t, filepath.Join(root, "in"), root)
	for url, reason := range map[string]string{
		"":               v1alpha1.ReasonNotFound,
		".":              v1alpha1.ReasonNotFound,
		"..":             v1alpha1.ReasonNotFound,
		"../out.tgz":     v1alpha1.ReasonNotFound,
		"/etc/passwd":    v1alpha1.ReasonNotFound,
		"web/Chart.yaml": v1alpha1.ReasonNotFound,
		"missing":        v1alpha1.ReasonNotFound,
		"link.tgz":       v1alpha1.ReasonNotAllowed,
	} {
		t.Run(url, func(t *testing.T) {
			_, err := opened.Fetch(t.Context(), hydrate.Offer{URL: url})
			expectOutcome(NewWithT(t), err, true, reason)
		})
	}
}

func TestDirectoryContextCanceled(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"web/Chart.yaml": chartYAML("web", "1.0.0")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := openDirectory(t, root, root).List(ctx, hydrate.Cursor{})
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}

func TestHelmIgnore(t *testing.T) {
	for _, test := range []struct {
		why    string
		ignore string
		want   string
	}{
		{"only the default rule of Helm", "# c\n\n", "a.bak d/a.bak d/e/f d/f f templates/a.bak"},
		{"a name in any folder", "*.bak", "d/e/f d/f f"},
		{"a name in the top-level folder", "/a.bak", "d/a.bak d/e/f d/f f templates/a.bak"},
		{"a path", "d/f", "a.bak d/a.bak d/e/f f templates/a.bak"},
		{"a folder", "d/", "a.bak f templates/a.bak"},
		{"a pattern for folders does not match a file", "f/", "a.bak d/a.bak d/e/f d/f f templates/a.bak"},
		{"a folder in another folder", "e", "a.bak d/a.bak d/f f templates/a.bak"},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			root := t.TempDir()
			writeFiles(t, filepath.Join(root, "x"), map[string]string{
				"Chart.yaml": chartYAML("x", "1.0.0"), ".helmignore": test.ignore,
				"a.bak": "", "f": "", "d/a.bak": "", "d/f": "", "d/e/f": "", "templates/.swp": "", "templates/a.bak": "",
			})
			payload, err := openDirectory(t, root, root).Fetch(t.Context(), hydrate.Offer{URL: "x"})
			g.Expect(err).NotTo(HaveOccurred())
			var names []string
			for _, file := range payload.Files {
				if file.Name != "Chart.yaml" && file.Name != ".helmignore" {
					names = append(names, file.Name)
				}
			}
			g.Expect(strings.Join(names, " ")).To(Equal(test.want))
		})
	}
}

// TestRealCatalog lists a folder of real charts twice.
func TestRealCatalog(t *testing.T) {
	catalog := os.Getenv("MARKET_CATALOG")
	if catalog == "" {
		t.Skip("MARKET_CATALOG is not set: skipping the test with real charts")
	}
	g := NewWithT(t)
	path, err := filepath.Abs(catalog)
	g.Expect(err).NotTo(HaveOccurred())
	opened := openDirectory(t, path, path)
	list, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list.Skipped).To(BeEmpty())
	g.Expect(len(list.Apps)).To(BeNumerically(">", 100))
	withdrawn := 0
	for _, app := range list.Apps {
		if app.Withdrawn {
			withdrawn++
		}
		payload, err := opened.Fetch(t.Context(), app.Offers[0])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(chart.TreeDigest(payload.Files)).To(Equal(app.Offers[0].Digest))
	}
	g.Expect(withdrawn).To(BeNumerically(">", 0))
	start := time.Now()
	again, err := opened.List(t.Context(), hydrate.Cursor{Revision: list.Revision})
	t.Logf("%d apps, %d of them withdrawn; listed again in %s", len(list.Apps), withdrawn, time.Since(start).Round(time.Millisecond))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.NotModified).To(BeTrue())
}
