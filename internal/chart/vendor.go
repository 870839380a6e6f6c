package chart

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v3/pkg/chart"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxDependencies is the maximum number of dependencies of one chart, and of charts that
	// are fetched for one app.
	MaxDependencies = 64
	// MaxDependencyDepth is the maximum number of levels of dependencies below an app.
	MaxDependencyDepth = 5
)

// Dependency identifies a chart that must be fetched because another chart depends on it.
type Dependency struct {
	Name string
	// Version is a semantic version, or a range of versions if the chart has no lock file.
	Version string
	// Repository is a URL with the scheme http, https, oci or file. It is empty for a chart of
	// the source that the app is from.
	Repository string
	// Base is the location in the source to which a file URL is relative.
	Base string
}

// String returns the dependency for messages.
func (d Dependency) String() string { return fmt.Sprintf("dependency %q %s", d.Name, d.Version) }

// FetchedDependency is a chart that was fetched for a dependency. Either Archive or Files is
// set.
type FetchedDependency struct {
	For     Dependency
	Archive []byte
	Files   []File
	// Base is the location of the chart in the source of the app. It is empty for a chart that
	// is from elsewhere.
	Base string
}

// Vendoring specifies which dependencies are added to an app.
type Vendoring struct {
	// Base is the location of the app in its source.
	Base string
	// Dirs are the folders of the app with charts that are installed separately.
	Dirs []string
	// Fetched are the charts that were fetched.
	Fetched []FetchedDependency
}

// AddDependencies adds to the files of an app the charts that its charts depend on and that are
// not in their folder charts, as "helm dependency build" does, and a lock file if there is
// none. The result depends only on the files and on the fetched charts. Missing are the charts
// that must be fetched first; files is incomplete then. Every error is Stalled.
func (v Vendoring) AddDependencies(files []File) (complete []File, missing []Dependency, err error) {
	work := vendorer{fetched: map[Dependency]FetchedDependency{}, complete: map[string][]byte{}}
	for _, each := range v.Fetched {
		work.fetched[each.For] = each
	}
	root := chain{chartSource{tree: files, base: v.Base, digest: TreeDigest(files)}}
	if files, err = work.completeChart(files, root); err != nil {
		return nil, nil, err
	}
	for _, dir := range v.Dirs {
		unit := root[0]
		unit.dir, unit.digest = dir, TreeDigest(filesBelow(files, dir))
		completed, err := work.completeChart(filesBelow(files, dir), chain{unit})
		if err != nil {
			return nil, nil, err
		}
		files = replaceBelow(files, dir, completed)
	}
	return files, work.missing, nil
}

// chartSource describes where a chart is from: the folder dir in a tree of files, which is at
// the location base of the source.
type chartSource struct {
	tree      []File
	dir, base string
	name      string
	digest    string
}

// chain contains a chart that is completed, and before it the charts that depend on it.
type chain []chartSource

// vendorer adds dependencies to the charts of one app.
type vendorer struct {
	fetched map[Dependency]FetchedDependency
	missing []Dependency
	// complete contains the archives with all dependencies by the digest of the chart without
	// them.
	complete map[string][]byte
}

// completeChart returns the files of the last chart in the chain with its dependencies.
func (v *vendorer) completeChart(files []File, parents chain) ([]File, error) {
	meta, err := readDependencies(files)
	if err != nil || len(meta.Dependencies) == 0 {
		return files, err
	}
	if len(meta.Dependencies) > MaxDependencies {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "chart %q has %d dependencies, at most %d are allowed", meta.Name, len(meta.Dependencies), MaxDependencies)
	}
	vendored := vendoredCharts(files, meta.Dependencies)
	needed := slices.ContainsFunc(meta.Dependencies, func(d *chart.Dependency) bool { return vendored[d.Name] == "" })
	if !needed {
		return files, nil
	}
	parents[len(parents)-1].name = meta.Name
	if len(parents) > MaxDependencyDepth {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "dependencies are nested more than %d levels deep: %s", MaxDependencyDepth, parents.describePath())
	}
	wanted, hasLock, err := lockedDependencies(files, meta)
	if err != nil {
		return nil, err
	}
	locked, incomplete := make([]*chart.Dependency, len(wanted)), len(v.missing)
	for i, dependency := range wanted {
		version := vendored[dependency.Name]
		if version == "" {
			var archive File
			if archive, version, err = v.addChart(dependency, parents); err != nil {
				return nil, err
			}
			files = withFile(files, archive)
		}
		locked[i] = &chart.Dependency{Name: dependency.Name, Version: version, Repository: dependency.Repository}
	}
	if len(v.missing) > incomplete || hasLock {
		return files, nil
	}
	lock, err := newLockFile(meta, locked)
	return withFile(files, lock), err
}

// addChart returns the archive of a dependency with its own dependencies, and its version. The
// file has no name if the chart is missing.
func (v *vendorer) addChart(wanted *chart.Dependency, parents chain) (File, string, error) {
	files, archive, from, err := v.findChart(wanted, parents)
	if err != nil || files == nil {
		return File{}, "", err
	}
	meta, err := ReadMetadata(files)
	if err == nil {
		err = checkVersion(wanted, meta)
	}
	if err != nil {
		return File{}, "", fmt.Errorf("dependency %q: %w", wanted.Name, err)
	}
	name := "charts/" + meta.Name + "-" + meta.Version + ".tgz"
	from.name, from.digest = meta.Name, TreeDigest(files)
	if done, ok := v.complete[from.digest]; ok {
		return File{Name: name, Data: done}, meta.Version, nil
	}
	if slices.ContainsFunc(parents, func(p chartSource) bool { return p.digest == from.digest }) {
		return File{}, "", outcome.Stalledf(v1alpha1.ReasonInvalidChart, "dependencies form a cycle: %s → %s; remove one of them", parents.describePath(), meta.Name)
	}
	before := len(v.missing)
	completed, err := v.completeChart(files, append(slices.Clone(parents), from))
	if err != nil || len(v.missing) > before {
		return File{}, "", err
	}
	if archive == nil || len(completed) != len(files) {
		if archive, err = Pack(meta.Name, completed); err != nil {
			return File{}, "", fmt.Errorf("dependency %q: %w", wanted.Name, err)
		}
	}
	v.complete[from.digest] = archive
	return File{Name: name, Data: archive}, meta.Version, nil
}

// findChart returns the files of a dependency, its archive if it has one, and where it is from.
// If the chart has not been fetched, the files are nil, and it is added to the missing charts.
func (v *vendorer) findChart(wanted *chart.Dependency, parents chain) ([]File, []byte, chartSource, error) {
	parent := parents[len(parents)-1]
	request := Dependency{Name: wanted.Name, Version: wanted.Version, Repository: strings.TrimSuffix(wanted.Repository, "/")}
	if folder, isFile := strings.CutPrefix(wanted.Repository, "file://"); isFile {
		dir := path.Join(parent.dir, filepath.ToSlash(folder))
		if filepath.IsLocal(dir) && !path.IsAbs(folder) {
			return findInTree(wanted, parent, dir)
		}
		if path.IsAbs(folder) || parent.base == "" {
			return nil, nil, chartSource{}, outcome.Stalledf(v1alpha1.ReasonNotAllowed,
				"dependency %q: repository %q is outside of the chart and of its source: use the URL of a repository, or add the chart to the folder charts", wanted.Name, wanted.Repository)
		}
		request.Repository, request.Base = "file://"+dir, parent.base
	}
	if err := checkRepository(wanted); err != nil {
		return nil, nil, chartSource{}, err
	}
	fetched, ok := v.fetched[request]
	if !ok {
		if !slices.Contains(v.missing, request) {
			v.missing = append(v.missing, request)
		}
		return nil, nil, chartSource{}, nil
	}
	files, err := fetched.Files, CheckFiles(fetched.Files)
	if fetched.Archive != nil {
		files, err = Unpack(fetched.Archive)
	}
	if err != nil {
		return nil, nil, chartSource{}, fmt.Errorf("dependency %q: %w", wanted.Name, err)
	}
	return files, fetched.Archive, chartSource{tree: files, base: fetched.Base}, nil
}

// findInTree returns a dependency that is a folder of the same tree.
func findInTree(wanted *chart.Dependency, parent chartSource, dir string) ([]File, []byte, chartSource, error) {
	files := filesBelow(parent.tree, dir)
	if _, ok := FindFile(files, MetadataFile); !ok {
		return nil, nil, chartSource{}, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "dependency %q: the chart has no folder %q with a %s", wanted.Name, dir, MetadataFile)
	}
	return files, nil, chartSource{tree: parent.tree, dir: dir, base: parent.base}, nil
}

// checkRepository returns an error for a repository that only the configuration of a Helm
// client contains.
func checkRepository(d *chart.Dependency) error {
	if strings.HasPrefix(d.Repository, "@") || strings.HasPrefix(d.Repository, "alias:") {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart,
			"dependency %q: repository %q is a name in the configuration of a Helm client: replace it by the URL of the repository", d.Name, d.Repository)
	}
	scheme, _, _ := strings.Cut(d.Repository, "://")
	if d.Repository != "" && !slices.Contains([]string{"http", "https", "oci", "file"}, scheme) {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart, "dependency %q: repository %q must be a URL with the scheme https, http, oci or file", d.Name, d.Repository)
	}
	return nil
}

// checkVersion returns an error if a chart is not the one that a dependency requires.
func checkVersion(wanted *chart.Dependency, meta Metadata) error {
	if meta.Name != wanted.Name {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart, "the chart has the name %q", meta.Name)
	}
	allowed, err := ParseVersionRange(wanted.Version)
	if err != nil {
		return err
	}
	if version, err := semver.NewVersion(meta.Version); meta.Version != wanted.Version && (err != nil || !allowed.Check(version)) {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart, "the chart has version %q, which is not in the range %q", meta.Version, wanted.Version)
	}
	return nil
}

// ParseVersionRange parses the version of a dependency. An empty text is any version. An error
// is Stalled with InvalidChart.
func ParseVersionRange(text string) (*semver.Constraints, error) {
	if text == "" {
		text = "*"
	}
	allowed, err := semver.NewConstraint(text)
	if err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "version %q is neither a semantic version nor a range of versions", text)
	}
	return allowed, nil
}

// describePath returns the names of the charts in the chain.
func (c chain) describePath() string {
	names := make([]string, len(c))
	for i, each := range c {
		names[i] = each.name
	}
	return strings.Join(names, " → ")
}

// Size returns the number of bytes of the chart.
func (f FetchedDependency) Size() int {
	size := len(f.Archive)
	for _, file := range f.Files {
		size += len(file.Data)
	}
	return size
}
