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

// Files of a folder that speak to the market and are no part of the chart.
const (
	suspendFile = ".suspend"
	removeFile  = ".remove"
)

// maxMembers bounds the files and folders beside each other in a source.
const maxDirectoryEntries = 2 * MaxApps

// directory is a folder on a mounted volume. Each folder in it that has a
// Chart.yaml, and each *.tgz, is one version of an app. The charts that changed since
// they were read are read at each listing; see FolderCache.
type directory struct {
	listingOptions
	path         string
	allowedRoots []string
	cache        *FolderCache
}

func newDirectory(cfg DirectoryConfig, chosen listingOptions) (*directory, error) {
	if !filepath.IsAbs(cfg.Path) {
		return nil, fmt.Errorf("open directory %q: the path is not absolute", cfg.Path)
	}
	return &directory{listingOptions: chosen, path: filepath.Clean(cfg.Path), allowedRoots: cfg.AllowedRoots, cache: cfg.Cache}, nil
}

// List lists every chart of the folder.
func (d *directory) List(ctx context.Context, since hydrate.Mark) (hydrate.Listing, error) {
	root, err := d.openRoot()
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer func() { _ = root.Close() }()
	found, err := readFolderEntries(root.FS(), ".", maxDirectoryEntries)
	if outcome.IsStalled(err) {
		return hydrate.Listing{}, fmt.Errorf("read directory %q: %w", d.path, err)
	}
	if err != nil {
		return hydrate.Listing{}, d.directoryError(err)
	}
	charts, err := d.readCharts(ctx, root, found)
	if err != nil {
		return hydrate.Listing{}, err
	}
	shelf := newVersionSelector(d.listingOptions, v1alpha1.ReasonInvalidChart)
	for _, c := range charts {
		if err := c.addToSelector(shelf); err != nil {
			return hydrate.Listing{}, fmt.Errorf("read directory %q: %w", d.path, err)
		}
	}
	return shelf.toListing("", since), nil
}

// Fetch reads one chart anew. Its digest shows whether it is still the one that
// was listed.
func (d *directory) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.Payload, error) {
	if err := ctx.Err(); err != nil {
		return hydrate.Payload{}, err
	}
	name := offer.URL
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) {
		return hydrate.Payload{}, outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("read chart %q: not a name in the directory", name))
	}
	root, err := d.openRoot()
	if err != nil {
		return hydrate.Payload{}, err
	}
	defer func() { _ = root.Close() }()
	payload, err := fetchChart(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = outcome.Stalled(v1alpha1.ReasonNotFound, err)
	}
	if err != nil {
		return hydrate.Payload{}, fmt.Errorf("read chart %q: %w", name, err)
	}
	return payload, nil
}

func fetchChart(root *os.Root, name string) (hydrate.Payload, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return hydrate.Payload{}, err
	}
	switch {
	case info.IsDir():
		folder, err := root.OpenRoot(name)
		if err != nil {
			return hydrate.Payload{}, err
		}
		defer func() { _ = folder.Close() }()
		files, _, err := readTree(folder)
		return hydrate.Payload{Files: files}, err
	case info.Mode().IsRegular():
		data, _, err := readFile(root, name, chart.MaxArchiveBytes)
		return hydrate.Payload{Archive: data}, err
	}
	return hydrate.Payload{}, errNotRegular
}

// open opens the folder below the allowed root that it lies in, each time, since links may
// have changed. The root keeps a link that somebody puts in its way meanwhile from leading
// out.
func (d *directory) openRoot() (*os.Root, error) {
	target, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		// Whether there is anything is told only of what may be read.
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

// rootOf finds the allowed root that a path is, or is inside of, and the path below it.
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
	err := fmt.Errorf("read directory %q: it is not in a folder that --allowed-directories names", d.path)
	return outcome.Stalled(v1alpha1.ReasonNotAllowed, err)
}

func (d *directory) directoryError(err error) error {
	// The path of the error may be another than the one that was asked for.
	cause := err
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		cause = inner.Err
	}
	err = fmt.Errorf("read directory %q: %w", d.path, cause)
	if errors.Is(cause, fs.ErrNotExist) {
		return outcome.Stalled(v1alpha1.ReasonNotFound, err)
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, err)
}
