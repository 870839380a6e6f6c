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

// maxReaders bounds the charts that are read, and held in memory, at once.
const maxParallelReads = 4

// maxChartFileBytes is the maximum size of a Chart.yaml.
const maxChartFileBytes = 1 << 20

const archiveSuffix = ".tgz"

// member is a folder or archive of a directory and what was read of it; neither
// entry nor error for what is no chart.
type directoryEntry struct {
	name      string
	chart     *index.Entry
	withdrawn bool
	err       error
}

// readAll returns the charts of a folder in the order of its entries. It reads those that
// are not in the cache, or no longer as they were read. What is wrong with a chart is in
// its member.
func (d *directory) readCharts(ctx context.Context, root *os.Root, found []fs.DirEntry) ([]*cachedChart, error) {
	begin, kept := d.cache.currentTime(), d.cache.cachedCharts(d.path)
	folder, err := root.Open(".")
	if err != nil {
		return nil, d.directoryError(err)
	}
	defer folder.Close()
	readings := make([]*cachedChart, len(found))
	var isToRead atomic.Bool
	err = forEachParallel(ctx, len(found), func(i int) {
		switch have := kept[found[i].Name()]; {
		case have.isCurrent(folder, begin):
			readings[i] = have
		case isChart(root, found[i]):
			isToRead.Store(true)
		default:
			readings[i] = &cachedChart{}
		}
	})
	if err != nil {
		return nil, d.directoryError(err)
	}
	if isToRead.Load() {
		if err := hydrate.Reading(ctx, ""); err != nil {
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

// sideBySide calls do for each number below count until ctx ends.
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

// put hands the member on to the shelf.
func (m directoryEntry) addToSelector(shelf *versionSelector) error {
	switch {
	case m.err != nil && shelf.Wants(m.name):
		shelf.Skip(m.name, outcome.Stalled(outcome.Reason(m.err, v1alpha1.ReasonFetchFailed), m.err))
	case m.chart != nil && shelf.Wants(m.chart.Name):
		if err := shelf.Add(m.chart.Name, *m.chart); err != nil {
			return err
		}
		if m.withdrawn {
			shelf.markWithdrawn(m.chart.Name)
		}
	}
	return nil
}

// isChart reports whether an entry is to be read as a chart. A folder without a Chart.yaml
// is none, and neither is one that is marked as removed.
func isChart(root *os.Root, found fs.DirEntry) bool {
	switch name := found.Name(); {
	case strings.HasPrefix(name, "."):
		return false
	case found.IsDir():
		folder, err := root.OpenRoot(name)
		if err != nil {
			return true // Reading it tells why.
		}
		defer func() { _ = folder.Close() }()
		return fileExists(folder, chartFile) && !fileExists(folder, removeFile)
	default:
		return strings.HasSuffix(name, archiveSuffix) || found.Type()&fs.ModeSymlink != 0
	}
}

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

// readFolder reads a chart that is kept as a folder. What it finds in the folder decides,
// and not what isChart saw before.
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

func fileExists(folder *os.Root, name string) bool {
	_, err := folder.Lstat(name)
	return err == nil
}

// readArchive reads a chart that is kept as an archive, and of that no more than
// its Chart.yaml.
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

// findChart finds the Chart.yaml of an archive, in its one folder at the top.
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
		// Tools on Windows write backslashes.
		name := strings.ReplaceAll(header.Name, `\`, "/")
		folder, file, _ := strings.Cut(strings.TrimPrefix(name, "./"), "/")
		if folder == "" || file != chartFile || header.Typeflag != tar.TypeReg {
			continue
		}
		return readLimited(in, maxChartFileBytes, chartFile)
	}
	return nil, fmt.Errorf("unpack archive: no %s in its top folder", chartFile)
}

// readChart reads what a Chart.yaml says of a version that is found at a place.
func parseChartFile(text []byte, place, digest string) (*index.Entry, error) {
	if len(text) > maxChartFileBytes {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read %s: it is larger than %d bytes", chartFile, maxChartFileBytes))
	}
	chart, err := index.ParseChart(text)
	if err != nil {
		return nil, invalidChartError(err)
	}
	return &index.Entry{
		Name: chart.Name, Version: chart.Version, AppVersion: chart.AppVersion, Deprecated: chart.Deprecated,
		URL: place, Digest: digest,
	}, nil
}

func invalidChartError(err error) error {
	return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidChart), fmt.Errorf("read %s: %w", chartFile, err))
}
