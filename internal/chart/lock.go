package chart

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/yamlfault"
)

// Names of the files with the exact versions of dependencies. A chart with apiVersion v1 has the
// second one.
const (
	lockFile   = "Chart.lock"
	v1LockFile = "requirements.lock"
)

// readDependencies reads Chart.yaml and, for a chart with apiVersion v1, requirements.yaml.
func readDependencies(files []File) (Metadata, error) {
	meta, err := ReadMetadata(files)
	if err != nil {
		return meta, err
	}
	text, ok := FindFile(files, requirementsFile)
	if !ok || meta.APIVersion != chart.APIVersionV1 {
		return meta, nil
	}
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", requirementsFile, yamlfault.Locate(text, err))
	}
	if err := meta.Validate(); err != nil {
		return meta, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "%s: %w", requirementsFile, err)
	}
	return meta, nil
}

// vendoredCharts returns the versions of the charts in the folder charts by name. It opens
// archives only if the names of the files do not show that all dependencies exist. A chart that
// cannot be read has the version of its file name or "unknown"; Helm reports its errors.
func vendoredCharts(files []File, wanted []*chart.Dependency) map[string]string {
	found := map[string]string{}
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name, "charts/")
		if !ok {
			continue
		}
		if match := packedChart.FindStringSubmatch(name); match != nil {
			found[match[1]] = strings.TrimSuffix(strings.TrimPrefix(name, match[1]+"-"), ".tgz")
		} else if folder, file, _ := strings.Cut(name, "/"); file == MetadataFile {
			var meta Metadata
			if yaml.Unmarshal(f.Data, &meta) == nil {
				found[cmp.Or(meta.Name, folder)] = cmp.Or(meta.Version, "unknown")
			}
		}
	}
	if !slices.ContainsFunc(wanted, func(d *chart.Dependency) bool { return found[d.Name] == "" }) {
		return found
	}
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name, "charts/")
		if !ok || strings.Contains(name, "/") || !strings.HasSuffix(name, ".tgz") {
			continue
		}
		content, err := Unpack(f.Data)
		if err != nil {
			continue
		}
		if meta, err := ReadMetadata(content); err == nil {
			found[meta.Name] = meta.Version
		}
	}
	return found
}

// lockedDependencies returns the dependencies of a chart with the versions and repositories in
// its lock file, and whether it has one. The lock file must belong to the dependencies.
func lockedDependencies(files []File, meta Metadata) (wanted []*chart.Dependency, hasLock bool, err error) {
	name := lockFile
	text, ok := FindFile(files, name)
	if !ok && meta.APIVersion == chart.APIVersionV1 {
		name = v1LockFile
		text, ok = FindFile(files, name)
	}
	if !ok {
		return meta.Dependencies, false, nil
	}
	var lock chart.Lock
	if err := yaml.Unmarshal(text, &lock); err != nil {
		return nil, true, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", name, yamlfault.Locate(text, err))
	}
	if !isLockOf(lock, meta) {
		return nil, true, outcome.Stalledf(v1alpha1.ReasonInvalidChart,
			`%s does not belong to the dependencies of chart %q: run "helm dependency update" and publish the chart again`, name, meta.Name)
	}
	return lock.Dependencies, true, nil
}

// isLockOf reports whether a lock file was written for the dependencies of a chart.
func isLockOf(lock chart.Lock, meta Metadata) bool {
	if len(lock.Dependencies) != len(meta.Dependencies) {
		return false
	}
	for i, d := range lock.Dependencies {
		if d == nil || d.Name != meta.Dependencies[i].Name {
			return false
		}
	}
	if digest, err := lockDigest(meta.Dependencies, lock.Dependencies); err == nil && digest == lock.Digest {
		return true
	}
	// Helm 2 computed the digest without the versions in the lock file.
	text, err := json.Marshal(map[string][]*chart.Dependency{"dependencies": meta.Dependencies})
	return meta.APIVersion == chart.APIVersionV1 && err == nil && Digest(text) == lock.Digest
}

// lockDigest returns the digest that Helm writes to a lock file.
func lockDigest(wanted, locked []*chart.Dependency) (string, error) {
	text, err := json.Marshal([2][]*chart.Dependency{wanted, locked})
	return Digest(text), err
}

// newLockFile returns the lock file of a chart. It has no time, so that the same versions result
// in the same file.
func newLockFile(meta Metadata, locked []*chart.Dependency) (File, error) {
	digest, err := lockDigest(meta.Dependencies, locked)
	if err != nil {
		return File{}, fmt.Errorf("encode dependencies: %w", err)
	}
	text, err := yaml.Marshal(chart.Lock{Digest: digest, Dependencies: locked})
	if err != nil {
		return File{}, fmt.Errorf("encode lock file: %w", err)
	}
	name := lockFile
	if meta.APIVersion == chart.APIVersionV1 {
		name = v1LockFile
	}
	return File{Name: name, Data: text}, nil
}
