package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/chart"
)

// releaseFiles contains the parameters of the files of a release.
type releaseFiles struct {
	// root is the folder of the Git repository.
	root       string
	version    string
	image      string
	digest     string
	samplesURL string
}

// releaseFile is a file of a release.
type releaseFile struct {
	name string
	data []byte
}

// build returns the files of the release: the chart and three manifests.
func (r releaseFiles) build() ([]releaseFile, error) {
	files := []struct {
		name  string
		build func() ([]byte, error)
	}{
		{"appmarket-" + r.version + ".tgz", r.chart},
		{"install.yaml", r.install},
		{"crds.yaml", func() ([]byte, error) { return kustomize(filepath.Join(r.root, "config/crd")) }},
		{"samples.yaml", r.samples},
	}
	var built []releaseFile
	for _, each := range files {
		data, err := each.build()
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", each.name, err)
		}
		built = append(built, releaseFile{name: each.name, data: data})
	}
	return built, nil
}

// chart returns the archive of the chart with the version and the image of the release.
func (r releaseFiles) chart() ([]byte, error) {
	folder := os.DirFS(filepath.Join(r.root, "charts/appmarket"))
	var files []chart.File
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(folder, name)
		files = append(files, chart.File{Name: name, Data: data})
		return err
	})
	if err != nil {
		return nil, err
	}
	next, err := chartVersion(r.root)
	if err != nil {
		return nil, err
	}
	edits := map[string][][2]string{
		"Chart.yaml": {
			{"\nversion: " + next + "\n", "\nversion: " + r.version + "\n"},
			{"\nappVersion: " + next + "\n", "\nappVersion: " + r.version + "\n"},
			{" image: ghcr.io/appmarket/operator:" + next + "\n", " image: " + r.image + ":" + r.version + "@" + r.digest + "\n"},
		},
		"values.yaml": {
			{"\n  repository: ghcr.io/appmarket/operator\n", "\n  repository: " + r.image + "\n"},
			{"\n  digest: \"\"\n", "\n  digest: " + r.digest + "\n"},
		},
	}
	for i, file := range files {
		for _, edit := range edits[file.Name] {
			if files[i].Data, err = replaceOnce(files[i].Data, edit[0], edit[1]); err != nil {
				return nil, fmt.Errorf("%s: %w", file.Name, err)
			}
		}
	}
	return chart.Pack("appmarket", files)
}

// install returns the objects that run the operator in a cluster, without the CRDs.
func (r releaseFiles) install() (objects []byte, err error) {
	overlay, err := os.MkdirTemp(r.root, ".install-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(overlay)) }()
	text, err := yaml.Marshal(types.Kustomization{
		Resources: []string{"../config/default"},
		Images:    []types.Image{{Name: "appmarket", NewName: r.image, NewTag: r.version, Digest: r.digest}},
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	return kustomize(overlay)
}

// samples returns a market, a tenant and an install task. The URL of the source is public.
func (r releaseFiles) samples() ([]byte, error) {
	var all [][]byte
	for _, name := range []string{"marketsource.yaml", "tenant.yaml", "task-install-hello.yaml"} {
		text, err := os.ReadFile(filepath.Join(r.root, "config/samples", name))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes.TrimSpace(text))
	}
	text := append(bytes.Join(all, []byte("\n---\n")), '\n')
	header := "# The sample market: the charts of config/samples/charts, as a static Helm repository.\n"
	begin := bytes.Index(text, []byte("apiVersion:"))
	if begin < 0 {
		return nil, errors.New("marketsource.yaml has no apiVersion")
	}
	return replaceOnce(append([]byte(header), text[begin:]...), "http://127.0.0.1:8880", r.samplesURL)
}

// kustomize returns the objects of a kustomization.
func kustomize(folder string) ([]byte, error) {
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	return objects.AsYaml()
}

// replaceOnce replaces a text that must occur exactly once.
func replaceOnce(data []byte, from, to string) ([]byte, error) {
	if count := bytes.Count(data, []byte(from)); count != 1 {
		return nil, fmt.Errorf("%q occurs %d times, expected once", from, count)
	}
	return bytes.Replace(data, []byte(from), []byte(to), 1), nil
}

// imageIn returns the version and the digest of the only image in an OCI image layout.
func imageIn(folder string) (version, digest string, err error) {
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w; run make image first", folder, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", folder, err)
	}
	count := 0
	for _, each := range manifest.Manifests {
		if each.MediaType.IsIndex() {
			count++
			version, digest = each.Annotations["org.opencontainers.image.ref.name"], each.Digest.String()
		}
	}
	if count != 1 || version == "" {
		return "", "", fmt.Errorf("read %s: found %d images, expected one image with a version", folder, count)
	}
	return version, digest, nil
}
