package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// maxParallelReads is the maximum number of charts that are read, and are in memory, at the
// same time.
const maxParallelReads = 4

// maxChartFileBytes is the maximum size of a Chart.yaml.
const maxChartFileBytes = 1 << 20

const archiveSuffix = ".tgz"

// directoryEntry is a file or folder of a directory with the chart that was read from it, or
// with the error. An entry that is not a chart has neither.
type directoryEntry struct {
	name      string
	chart     *index.Entry
	withdrawn bool
	err       error
}

// readCharts returns the charts of a folder in the order of its entries. It reads a chart if
// it is not in the cache or has changed. The error of a chart is in its directoryEntry.
func (d *directory) readCharts(ctx context.Context, root *os.Root, found []fs.DirEntry) ([]*cachedChart, error) {
	begin, kept := d.cache.currentTime(), d.cache.cachedCharts(d.path)
	folder, err := root.Open(".")
	if err != nil {
		return nil, d.directoryError(err)
	}
	defer folder.Close()
	readings := make([]*cachedChart, len(found))
	var needsRead atomic.Bool
	err = forEachParallel(ctx, len(found), func(i int) {
		switch have := kept[found[i].Name()]; {
		case have.isCurrent(folder, begin):
			readings[i] = have
		case isChart(root, found[i]):
			needsRead.Store(true)
		default:
			readings[i] = &cachedChart{}
		}
	})
	if err != nil {
		return nil, d.directoryError(err)
	}
	if needsRead.Load() {
		if err := hydrate.ReportReading(ctx, ""); err != nil {
			return nil, err
		}
	}
	err = forEachParallel(ctx, len(found), func(i int) {
		if readings[i] == nil {
			readings[i] = readDirectoryEntry(root, found[i])
			readings[i].at = begin
		}
	})
	if err != nil {
		return nil, d.directoryError(err)
	}
	d.cache.storeCharts(d.path, readings, begin)
	return readings, nil
}

// forEachParallel calls do for each number below count in parallel until ctx ends.
func forEachParallel(ctx context.Context, count int, do func(int)) error {
	var group errgroup.Group
	group.SetLimit(min(maxParallelReads, runtime.GOMAXPROCS(0)))
	for i := range count {
		group.Go(outcome.Guarded(func() error {
			if ctx.Err() == nil {
				do(i)
			}
			return ctx.Err()
		}))
	}
	return group.Wait()
}

// addToSelector adds the chart or its error to a versionSelector.
func (e directoryEntry) addToSelector(selector *versionSelector) error {
	switch {
	case e.err != nil && selector.Wants(e.name):
		selector.Skip(e.name, outcome.Stalled(outcome.Reason(e.err, v1alpha1.ReasonFetchFailed), e.err))
	case e.chart != nil && selector.Wants(e.chart.Name):
		if err := selector.Add(e.chart.Name, *e.chart); err != nil {
			return err
		}
		if e.withdrawn {
			selector.markWithdrawn(e.chart.Name)
		}
	}
	return nil
}

// isChart reports whether an entry must be read as a chart. A folder without a Chart.yaml
// and a folder that is marked as removed are not charts.
func isChart(root *os.Root, found fs.DirEntry) bool {
	switch name := found.Name(); {
	case strings.HasPrefix(name, "."):
		return false
	case found.IsDir():
		folder, err := root.OpenRoot(name)
		if err != nil {
			return true // Reading it returns the error.
		}
		defer func() { _ = folder.Close() }()
		return fileExists(folder, chartFile) && !fileExists(folder, removeFile)
	default:
		return strings.HasSuffix(name, archiveSuffix) || found.Type()&fs.ModeSymlink != 0
	}
}

// readDirectoryEntry reads a file or folder as a chart.
func readDirectoryEntry(root *os.Root, found fs.DirEntry) (r *cachedChart) {
	r = &cachedChart{directoryEntry: directoryEntry{name: found.Name()}}
	defer outcome.Recover(&r.err)
	switch {
	case found.IsDir():
		r.err = r.readChartFolder(root)
	case found.Type().IsRegular():
		r.err = r.readChartArchive(root)
	default:
		r.err = errNotRegular
	}
	return r
}

// readChartFolder reads a chart that is a folder. The folder may have changed since isChart
// was called, so its files are checked again.
func (r *cachedChart) readChartFolder(root *os.Root) error {
	folder, err := root.OpenRoot(r.name)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	files, facts, err := readTree(folder)
	if err != nil {
		return err
	}
	facts.name = r.name
	r.facts = facts
	if facts.hasEntry(removeFile) {
		return nil
	}
	r.withdrawn = facts.hasEntry(suspendFile)
	for _, file := range files {
		if file.Name == chartFile {
			r.chart, err = parseChartFile(file.Data, r.name, chart.TreeDigest(files))
		}
	}
	return err
}

// fileExists reports whether a folder has a file of a name.
func fileExists(folder *os.Root, name string) bool {
	_, err := folder.Lstat(name)
	return err == nil
}

// readChartArchive reads the Chart.yaml of a chart that is an archive, and computes the
// digest of the archive.
func (r *cachedChart) readChartArchive(root *os.Root) error {
	data, facts, err := readFile(root, r.name, chart.MaxArchiveBytes)
	if err != nil {
		return err
	}
	r.facts = &entryFacts{name: r.name, file: facts}
	text, err := findChartFile(data)
	if err != nil {
		return outcome.Stalled(v1alpha1.ReasonInvalidArchive, err)
	}
	r.chart, err = parseChartFile(text, r.name, chart.Digest(data))
	return err
}

// findChartFile returns the Chart.yaml of an archive, which is in its top-level folder.
func findChartFile(archive []byte) ([]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("unpack archive: %w", err)
	}
	in := tar.NewReader(io.LimitReader(unzipped, chart.MaxUnpackedBytes))
	for range chart.MaxFiles {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("unpack archive: %w", err)
		}
		// Tools on Windows write backslashes as separators.
		name := strings.ReplaceAll(header.Name, `\`, "/")
		folder, file, _ := strings.Cut(strings.TrimPrefix(name, "./"), "/")
		if folder == "" || file != chartFile || header.Typeflag != tar.TypeReg {
			continue
		}
		return readLimited(in, maxChartFileBytes, chartFile)
	}
	return nil, fmt.Errorf("unpack archive: the top-level folder has no file %s", chartFile)
}

// parseChartFile parses a Chart.yaml. The chart has a name in the directory and a digest.
func parseChartFile(text []byte, name, digest string) (*index.Entry, error) {
	if len(text) > maxChartFileBytes {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read %s: larger than %d bytes", chartFile, maxChartFileBytes))
	}
	chart, err := index.ParseChart(text)
	if err != nil {
		return nil, invalidChartError(err)
	}
	return &index.Entry{
		Name: chart.Name, Version: chart.Version, AppVersion: chart.AppVersion, Deprecated: chart.Deprecated,
		URL: name, Digest: digest,
	}, nil
}

func invalidChartError(err error) error {
	return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidChart), fmt.Errorf("read %s: %w", chartFile, err))
}
