package airgap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/plugin/hydration"
	"github.com/appmarket/operator/plugin/repository"
)

// files is a repository with files by path.
type files map[string]string

func (f files) Get(_ context.Context, limit int64, path ...string) ([]byte, error) {
	content, exists := f[strings.Join(path, "/")]
	switch {
	case !exists:
		return nil, fmt.Errorf("not found: %w", fs.ErrNotExist)
	case int64(len(content)) > limit:
		return nil, repository.ErrTooLarge
	}
	return []byte(content), nil
}

// hexDigest returns 64 hexadecimal digits for a text.
func hexDigest(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// add adds a version of an app of the source samples, and returns the app.
func (f files) add(app, version, images, manifest string) *v1alpha1.AppInfo {
	archive := "archive of " + app + " " + version
	report := hexDigest("reports of " + app + " " + version)
	f["market/samples/charts/"+app+"-"+version+".tgz"] = archive
	f["reports/"+report+"/images.json"] = images
	f["reports/"+report+"/app.json"] = manifest
	info := &v1alpha1.AppInfo{Spec: v1alpha1.AppInfoSpec{App: app, SourceRef: v1alpha1.LocalObjectReference{Name: "samples"}}}
	info.Namespace, info.Name = "market", "samples."+app
	info.Status.Versions = []v1alpha1.PublishedVersion{{Version: version, Digest: "sha256:" + hexDigest(archive), ReportURL: "http://market.example/reports/" + report}}
	return info
}

// collect collects an app, whose dependencies are the given apps.
func (f files) collect(t *testing.T, app *v1alpha1.AppInfo, others ...*v1alpha1.AppInfo) (*Content, error) {
	t.Helper()
	c := Collector{Repository: f, Report: func(string, string) {}, Find: func(_ context.Context, _ *v1alpha1.AppInfo, name string) (*v1alpha1.AppInfo, error) {
		for _, other := range others {
			if other.Spec.App == name {
				return other, nil
			}
		}
		return nil, errors.New("not found")
	}}
	return c.Collect(t.Context(), []Request{{App: app}})
}

func TestSizeOfImages(t *testing.T) {
	g := NewWithT(t)
	repository := files{}
	web := repository.add("web", "1.0.0", detailedList("web", "db", "tool"), "{\"Needs\": [{\"Name\": \"store\", \"Type\": \"application\", \"Mandatory\": true}]}")
	store := repository.add("store", "1.0.0", detailedList("db", "cache"), none)
	report := "reports/" + hexDigest("reports of web 1.0.0") + "/layers.json"
	layers := func(numbers ...byte) (all []images.Layer) {
		for _, number := range numbers {
			all = append(all, images.Layer{Digest: images.LayerDigest{number}, Bytes: 1 << number})
		}
		return all
	}
	image := func(name string, platforms map[string][]images.Layer) images.ImageLayers {
		return images.ImageLayers{Name: "r.io/" + name + ":1", Digest: "sha256:" + hexDigest(name), Platforms: platforms}
	}
	text, err := images.EncodeLayers([]images.ImageLayers{
		image("web", map[string][]images.Layer{"linux/amd64": layers(0, 1), "linux/arm64": layers(0, 2)}), image("db", map[string][]images.Layer{"linux/amd64": layers(1, 3)}),
		{Name: "r.io/tool:1", Digest: "sha256:" + hexDigest("another"), Platforms: map[string][]images.Layer{"linux/amd64": layers(9)}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	repository[report] = string(text)
	content, err := repository.collect(t, web, store)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Images).To(HaveLen(4))
	g.Expect(content.ImageBytes).To(BeEquivalentTo(1+2+4+8), "each layer once, for all platforms")
	g.Expect(content.Unsized).To(Equal(2), "an image of a version without a report, and one with another digest")
	repository[report] = "<html>"
	_, err = repository.collect(t, web, store)
	g.Expect(err).To(MatchError(ContainSubstring("layers.json")))
}

func TestImagesOfOtherValues(t *testing.T) {
	g := NewWithT(t)
	repository := files{}
	web := repository.add("web", "1.0.0", imageList("r.io/web:1"), "{\"Needs\": [{\"Name\": \"store\", \"Type\": \"application\", \"Mandatory\": true}]}")
	store := repository.add("store", "1.0.0", imageList("r.io/proxy:1"), none)
	rendered := map[string][]hydration.ValuesImages{
		"web": {
			{File: "ci/a-values.yaml", Images: []images.Image{{Name: "r.io/web:1"}, {Name: "r.io/proxy:1"}, {Name: "r.io/cache:1"}}},
			{File: "ci/b-values.yaml", Problem: "values\nare \x1b[31mred"},
			{File: "ci/c-values.yaml", Images: []images.Image{{Name: "r.io/cache:1"}}},
		},
	}
	c := Collector{Repository: repository, Report: func(string, string) {},
		Find: func(context.Context, *v1alpha1.AppInfo, string) (*v1alpha1.AppInfo, error) { return store, nil },
		FindImages: func(_ context.Context, fetched *Chart) ([]hydration.ValuesImages, error) {
			return rendered[fetched.App], nil
		},
	}
	content, err := c.Collect(t.Context(), []Request{{App: web}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.ImageList()).To(Equal("r.io/cache:1\nr.io/proxy:1\nr.io/web:1\n"))
	g.Expect(content.Images[0].Values).To(Equal([]string{"web: ci/a-values.yaml", "web: ci/c-values.yaml"}))
	g.Expect(content.Images[1].Values).To(BeEmpty(), "another app uses it with its default values")
	g.Expect(content.Images[2].Values).To(BeEmpty())
	g.Expect(content.Readme()).To(And(ContainSubstring("r.io/cache:1\n       web: ci/a-values.yaml, web: ci/c-values.yaml\n"), ContainSubstring("web: ci/b-values.yaml: values are"),
		Not(ContainSubstring("\x1b"))))
	rendered["web"][0].Images[0].Name = "../web"
	_, err = c.Collect(t.Context(), []Request{{App: web}})
	g.Expect(err).To(MatchError(ContainSubstring("is not the full reference")))
}

// detailedList returns a report of images with digests.
func detailedList(names ...string) string {
	var list []string
	for _, name := range names {
		list = append(list, fmt.Sprintf(`{"name":"r.io/%s:1","detail":{"digest":"sha256:%s"}}`, name, hexDigest(name)))
	}
	return "[" + strings.Join(list, ",") + "]"
}

const none = "null"

func imageList(names ...string) string {
	var list []string
	for _, name := range names {
		list = append(list, fmt.Sprintf("{%q:%q}", "name", name))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestHostileNamesAreRejected(t *testing.T) {
	for _, c := range []struct {
		why, name, want string
	}{
		{"a command", "registry.example/web:1;rm", "not the full reference"},
		{"a substitution", "$(reboot).example/web:1", "not the full reference"},
		{"a quote", "registry.example/we'b:1", "not the full reference"},
		{"a quote in the registry", "regi'stry.example/web:1", "not the full reference"},
		{"a line", "registry.example/web:1\necho", "not the full reference"},
		{"an option", "--help", "not the full reference"},
		{"a folder", "registry.example/../web:1", "not the full reference"},
		{"a short name", "nginx", "not the full reference"},
		{"no name", "", "not the full reference"},
		{"a path", "registry.example/" + strings.Repeat("a", 900) + ":1", "not the full reference"},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := files{}
			_, err := f.collect(t, f.add("web", "1.0.0", imageList(c.name), none))
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

func TestHostileVersionsAreRejected(t *testing.T) {
	for _, c := range []struct {
		why, want string
		change    func(files, *v1alpha1.AppInfo)
	}{
		{"a path as version", "cannot be the name of a file", func(_ files, app *v1alpha1.AppInfo) { app.Status.Versions[0].Version = "../../etc/cron.d/1" }},
		{"a path as app", "cannot be the name of a file", func(_ files, app *v1alpha1.AppInfo) { app.Spec.App = "../web" }},
		{"a path as source", "cannot be the name of a file", func(_ files, app *v1alpha1.AppInfo) { app.Spec.SourceRef.Name = ".." }},
		{"no digest", "has no SHA-256 digest", func(_ files, app *v1alpha1.AppInfo) { app.Status.Versions[0].Digest = "" }},
		{"no reports", "has no reports", func(_ files, app *v1alpha1.AppInfo) { app.Status.Versions[0].ReportURL = "http://elsewhere.example/x" }},
		{"another archive", "has the digest", func(f files, _ *v1alpha1.AppInfo) { f["market/samples/charts/web-1.0.0.tgz"] = "another archive" }},
		{"a large archive", "larger than the limit", func(f files, _ *v1alpha1.AppInfo) {
			f["market/samples/charts/web-1.0.0.tgz"] = strings.Repeat("a", 17<<20)
		}},
		{"no archive", "not found", func(f files, _ *v1alpha1.AppInfo) { delete(f, "market/samples/charts/web-1.0.0.tgz") }},
		{"no version", "has no served version", func(_ files, app *v1alpha1.AppInfo) { app.Status.Versions = nil }},
		{"a report that is no JSON", "read report images.json", func(f files, _ *v1alpha1.AppInfo) {
			f["reports/"+hexDigest("reports of web 1.0.0")+"/images.json"] = "<html>"
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := files{}
			app := f.add("web", "1.0.0", "[]", none)
			c.change(f, app)
			_, err := f.collect(t, app)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

func TestDependenciesAreCollectedOnce(t *testing.T) {
	g := NewWithT(t)
	f := files{}
	needs := func(apps ...string) string {
		var list []string
		for _, app := range apps {
			list = append(list, fmt.Sprintf(`{"Name":%q,"Type":"application","Version":">=1.0.0","Mandatory":true}`, app))
		}
		return `{"Needs":[` + strings.Join(append(list, `{"Name":"olares","Type":"system","Mandatory":true}`, `{"Name":"later","Type":"application"}`), ",") + `]}`
	}
	app := f.add("web", "1.0.0", imageList("registry.example/web:1"), needs("db", "cache"))
	db := f.add("db", "2.0.0", imageList("registry.example/db:2", "registry.example/web:1"), needs("cache"))
	cache := f.add("cache", "1.5.0", "null", needs("web"))
	content, err := f.collect(t, app, db, cache, app)
	g.Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, c := range content.Charts {
		names = append(names, c.FileName()+" for "+c.RequiredBy)
	}
	g.Expect(names).To(Equal([]string{"web-1.0.0.tgz for ", "db-2.0.0.tgz for web", "cache-1.5.0.tgz for web"}))
	g.Expect(content.ImageList()).To(Equal("registry.example/db:2\nregistry.example/web:1\n"))
	_, err = f.collect(t, app, db)
	g.Expect(err).To(MatchError(`app "web" requires app "cache": not found`))
	old := f.add("db", "0.9.0", "[]", none)
	_, err = f.collect(t, app, old, cache)
	g.Expect(err).To(MatchError(`app "db" has no served version that matches ">=1.0.0"`))
}

func TestNumbersAreLimited(t *testing.T) {
	g := NewWithT(t)
	f := files{}
	var many []string
	for i := range MaxImages + 1 {
		many = append(many, fmt.Sprintf("registry.example/web:%d", i))
	}
	_, err := f.collect(t, f.add("web", "1.0.0", imageList(many...), none))
	g.Expect(err).To(MatchError(ContainSubstring("more than 5000 images")))
	var chain []*v1alpha1.AppInfo
	for i := range MaxApps + 1 {
		chain = append(chain, f.add(fmt.Sprintf("app%d", i), "1.0.0", "[]", fmt.Sprintf(`{"Needs":[{"Name":"app%d","Type":"application","Mandatory":true}]}`, i+1)))
	}
	_, err = f.collect(t, chain[0], chain...)
	g.Expect(err).To(MatchError(ContainSubstring("more than 100 apps")))
}

// newContent returns the content of a folder with three kinds of images.
func newContent(t *testing.T) *Content {
	t.Helper()
	content := &Content{Charts: []Chart{{Namespace: "market", Source: "samples", App: "web", Version: "1.0.0", Digest: "sha256:1", Archive: []byte("archive")}}}
	digest := "sha256:" + hexDigest("image")
	for _, of := range [][2]string{{"docker.io/library/nginx:1.27", digest}, {"registry.example:5000/team/db:2", ""}, {"quay.io/tools/job@" + digest, ""}} {
		image, err := newImage(of[0], of[1])
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		content.Images = append(content.Images, image)
	}
	return content
}

// TestScriptCopiesEachImage runs the script with programs that print their arguments.
func TestScriptCopiesEachImage(t *testing.T) {
	g := NewWithT(t)
	folder := filepath.Join(t.TempDir(), "bundle")
	g.Expect(newContent(t).Write(folder, false)).To(Succeed())
	digest := hexDigest("image")
	run := func(program string, arguments ...string) (string, error) {
		programs := t.TempDir()
		g.Expect(os.WriteFile(filepath.Join(programs, program), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755)).To(Succeed())
		script := exec.CommandContext(t.Context(), "/bin/sh", append([]string{filepath.Join(folder, "mirror.sh")}, arguments...)...)
		script.Env = []string{"PATH=" + programs}
		out, err := script.CombinedOutput()
		return string(out), err
	}
	out, err := run("crane", "mirror.example/copies/")
	g.Expect(err).NotTo(HaveOccurred(), out)
	g.Expect(out).To(Equal("copy docker.io/library/nginx@sha256:" + digest + " mirror.example/copies/docker.io/library/nginx:1.27\n" +
		"copy registry.example:5000/team/db:2 mirror.example/copies/registry.example-5000/team/db:2\n" +
		"copy quay.io/tools/job@sha256:" + digest + " mirror.example/copies/quay.io/tools/job:sha256-" + digest + "\n"))
	out, err = run("skopeo", "mirror.example")
	g.Expect(err).NotTo(HaveOccurred(), out)
	g.Expect(out).To(HavePrefix("copy --all --preserve-digests docker://docker.io/library/nginx@sha256:" + digest + " docker://mirror.example/docker.io/library/nginx:1.27\n"))
	for _, arguments := range [][]string{nil, {""}, {"a", "b"}} {
		out, err = run("crane", arguments...)
		g.Expect(err).To(HaveOccurred())
		g.Expect(out).To(HavePrefix("usage: "))
	}
	out, err = run("other", "mirror.example")
	g.Expect(err).To(HaveOccurred())
	g.Expect(out).To(Equal("mirror.sh requires crane or skopeo\n"))
}

func TestFolder(t *testing.T) {
	g := NewWithT(t)
	content := newContent(t)
	parent := t.TempDir()
	folder := filepath.Join(parent, "bundle")
	g.Expect(content.Write(folder, false)).To(Succeed())
	g.Expect(content.Write(folder, false)).To(MatchError(ErrExists))

	t.Log("--force replaces the files, keeps others, and follows no link")
	outside := filepath.Join(parent, "outside")
	g.Expect(os.MkdirAll(filepath.Join(outside, "charts"), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(outside, "charts", "kept.txt"), nil, 0o644)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("mine"), 0o644)).To(Succeed())
	g.Expect(os.RemoveAll(filepath.Join(folder, "charts"))).To(Succeed())
	g.Expect(os.Symlink(filepath.Join(outside, "charts"), filepath.Join(folder, "charts"))).To(Succeed())
	g.Expect(content.Write(folder, true)).To(Succeed())
	g.Expect(filepath.Join(outside, "charts", "web-1.0.0.tgz")).NotTo(BeAnExistingFile())
	g.Expect(filepath.Join(outside, "charts", "kept.txt")).To(BeAnExistingFile())
	g.Expect(filepath.Join(folder, "notes.txt")).To(BeAnExistingFile())
	g.Expect(os.ReadFile(filepath.Join(folder, "charts", "web-1.0.0.tgz"))).To(BeEquivalentTo("archive"))
	about, err := os.Lstat(filepath.Join(folder, "charts"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(about.IsDir()).To(BeTrue())
	g.Expect(os.ReadFile(filepath.Join(folder, "README.txt"))).To(And(ContainSubstring("web-1.0.0.tgz"), ContainSubstring("registry.example:5000/team/db:2")))

	t.Log("a failure leaves nothing behind")
	broken := &Content{Charts: []Chart{{App: "../../web", Version: "1"}}}
	g.Expect(broken.Write(filepath.Join(parent, "broken"), false)).NotTo(Succeed())
	left, err := os.ReadDir(parent)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(HaveLen(2), "the folder and outside")
}
