package samplemarket

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/chart"
)

// sampleChart is one version of a chart.
type sampleChart struct {
	meta    chart.Metadata
	files   []chart.File
	archive []byte
}

func (c sampleChart) fileName() string {
	return fmt.Sprintf("charts/%s-%s.tgz", c.meta.Name, c.meta.Version)
}

// readCharts reads and packs the chart of every folder, sorted by name and then
// by version, newest first.
func readCharts(dir string) ([]sampleChart, error) {
	folders, err := filepath.Glob(filepath.Join(dir, "*", "Chart.yaml"))
	if err != nil {
		return nil, fmt.Errorf("look for charts: %w", err)
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("look for charts: no folder with a Chart.yaml in %q", dir)
	}
	var charts []sampleChart
	for _, folder := range folders {
		c, err := readChart(filepath.Dir(folder))
		if err != nil {
			return nil, fmt.Errorf("read chart in %q: %w", filepath.Base(filepath.Dir(folder)), err)
		}
		charts = append(charts, c)
	}
	slices.SortFunc(charts, func(a, b sampleChart) int {
		return cmp.Or(cmp.Compare(a.meta.Name, b.meta.Name), -compareVersions(a.meta.Version, b.meta.Version))
	})
	for i := 1; i < len(charts); i++ {
		if charts[i].fileName() == charts[i-1].fileName() {
			return nil, fmt.Errorf("read charts: two folders hold %s %s", charts[i].meta.Name, charts[i].meta.Version)
		}
	}
	return charts, nil
}

func readChart(folder string) (sampleChart, error) {
	files, err := readFiles(os.DirFS(folder))
	if err != nil {
		return sampleChart{}, err
	}
	return packFiles(files)
}

// packFiles packs and gzips the files of a chart.
func packFiles(files []chart.File) (sampleChart, error) {
	meta, err := chart.ReadMetadata(files)
	if err != nil {
		return sampleChart{}, err
	}
	archive, err := chart.Pack(meta.Name, files)
	if err != nil {
		return sampleChart{}, err
	}
	return sampleChart{meta: meta, files: files, archive: archive}, nil
}

func readFiles(root fs.FS) ([]chart.File, error) {
	var files []chart.File
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		data, err := fs.ReadFile(root, name)
		files = append(files, chart.File{Name: name, Data: data})
		return err
	})
	return files, err
}

// compareVersions compares two semantic versions. ReadMetadata has rejected invalid ones.
func compareVersions(a, b string) int {
	left, errA := semver.NewVersion(a)
	right, errB := semver.NewVersion(b)
	if errors.Join(errA, errB) != nil {
		return cmp.Compare(a, b)
	}
	return left.Compare(right)
}

// indexOf returns the index.yaml of a Helm repository.
func indexOf(charts []sampleChart) ([]byte, error) {
	type entry struct {
		chart.Metadata
		Created time.Time `json:"created"`
		Digest  string    `json:"digest"`
		URLs    []string  `json:"urls"`
	}
	entries := map[string][]entry{}
	for _, c := range charts {
		entries[c.meta.Name] = append(entries[c.meta.Name], entry{
			Metadata: c.meta,
			Created:  creationTime,
			Digest:   fmt.Sprintf("%x", sha256.Sum256(c.archive)),
			URLs:     []string{c.fileName()},
		})
	}
	index, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "generated": creationTime, "entries": entries})
	if err != nil {
		return nil, fmt.Errorf("write index: %w", err)
	}
	return index, nil
}
