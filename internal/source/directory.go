package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// Marker files in the folder of a chart, which are not part of the chart: a chart is
// withdrawn if the first one exists, and not listed if the second one exists.
const (
	suspendFile = ".suspend"
	removeFile  = ".remove"
)

// maxDirectoryEntries is the maximum number of files and folders in the folder of a source.
const maxDirectoryEntries = 2 * MaxApps

// directory is a source of type Directory: a folder on a mounted volume. Each folder in it
// that has a Chart.yaml, and each *.tgz file, is one version of an app. A listing reads the
// charts that have changed since they were last read; see FolderCache.
type directory struct {
	listingOptions
	path         string
	allowedRoots []string
	cache        *FolderCache
	// title is the location for messages.
	title string
}

func newDirectory(cfg DirectoryConfig, chosen listingOptions) (*directory, error) {
	if !filepath.IsAbs(cfg.Path) {
		return nil, fmt.Errorf("spec.directory.path: %q must be an absolute path", cfg.Path)
	}
	return &directory{
		listingOptions: chosen, path: filepath.Clean(cfg.Path), title: filepath.Clean(cfg.Path), allowedRoots: cfg.AllowedRoots, cache: cfg.Cache,
	}, nil
}

// List lists the charts of the folder.
func (d *directory) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	root, err := d.openRoot()
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer func() { _ = root.Close() }()
	found, err := readFolderEntries(root.FS(), ".", maxDirectoryEntries)
	if outcome.IsStalled(err) {
		return hydrate.Listing{}, fmt.Errorf("read directory %q: %w", d.title, err)
	}
	if err != nil {
		return hydrate.Listing{}, d.directoryError(err)
	}
	charts, err := d.readCharts(ctx, root, found)
	if err != nil {
		return hydrate.Listing{}, err
	}
	selector := newVersionSelector(d.listingOptions, v1alpha1.ReasonInvalidChart)
	for _, c := range charts {
		if err := c.addToSelector(selector); err != nil {
			return hydrate.Listing{}, fmt.Errorf("read directory %q: %w", d.title, err)
		}
	}
	return selector.toListing("", since), nil
}

// Fetch reads one chart again. The chart may have changed since it was listed: compare its
// digest.
func (d *directory) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	if err := ctx.Err(); err != nil {
		return hydrate.ChartContent{}, err
	}
	name := offer.URL
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) {
		return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("read chart %q: must be the name of a file or folder in the directory", name))
	}
	root, err := d.openRoot()
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	defer func() { _ = root.Close() }()
	payload, err := fetchChart(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = outcome.Stalled(v1alpha1.ReasonNotFound, err)
	}
	if err != nil {
		return hydrate.ChartContent{}, fmt.Errorf("read chart %q: %w", name, err)
	}
	return payload, nil
}

// fetchChart reads a chart by the name of its folder or archive.
func fetchChart(root *os.Root, name string) (hydrate.ChartContent, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	switch {
	case info.IsDir():
		folder, err := root.OpenRoot(name)
		if err != nil {
			return hydrate.ChartContent{}, err
		}
		defer func() { _ = folder.Close() }()
		files, _, err := readTree(folder)
		return hydrate.ChartContent{Files: files}, err
	case info.Mode().IsRegular():
		data, _, err := readFile(root, name, chart.MaxArchiveBytes)
		return hydrate.ChartContent{Archive: data}, err
	}
	return hydrate.ChartContent{}, errNotRegular
}

// openRoot opens the folder through the allowed root that contains it. It resolves links
// each time, because they may have changed. A link that is created after they were resolved
// cannot lead out of the root.
func (d *directory) openRoot() (*os.Root, error) {
	target, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		// The error reveals whether a path exists, so it is only returned for allowed paths.
		if _, _, allowed := d.findAllowedRoot(d.path); !allowed {
			return nil, d.notAllowedError()
		}
		return nil, d.directoryError(err)
	}
	allowed, below, ok := d.findAllowedRoot(target)
	if !ok {
		return nil, d.notAllowedError()
	}
	outer, err := os.OpenRoot(allowed)
	if err != nil {
		return nil, d.directoryError(err)
	}
	defer func() { _ = outer.Close() }()
	root, err := outer.OpenRoot(below)
	if err != nil {
		return nil, d.directoryError(err)
	}
	return root, nil
}

// findAllowedRoot returns the allowed root that contains a path, or is equal to it, and the
// path relative to the root.
func (d *directory) findAllowedRoot(path string) (root, below string, ok bool) {
	for _, allowed := range d.allowedRoots {
		if target, err := filepath.EvalSymlinks(allowed); err == nil {
			allowed = target
		}
		if below, err := filepath.Rel(allowed, path); err == nil && filepath.IsAbs(allowed) && filepath.IsLocal(below) {
			return allowed, below, true
		}
	}
	return "", "", false
}

func (d *directory) notAllowedError() error {
	err := fmt.Errorf("spec.directory.path: %q is not in a folder that the flag --allowed-directories allows for the namespace: use another path, or have the flag changed", d.path)
	return outcome.Stalled(v1alpha1.ReasonNotAllowed, err)
}

// directoryError returns the error for a folder that cannot be read.
func (d *directory) directoryError(err error) error {
	// The error may contain the path that links lead to instead of the one in the spec.
	cause := err
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		cause = inner.Err
	}
	err = fmt.Errorf("read directory %q: %w", d.title, cause)
	if errors.Is(cause, fs.ErrNotExist) {
		return outcome.Stalled(v1alpha1.ReasonNotFound, err)
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, err)
}
