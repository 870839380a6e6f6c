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

	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// maxReaders bounds the charts that are read, and held in memory, at once.
const maxReaders = 4

// member is a folder or archive of a directory and what was read of it; neither
// entry nor error for what is no chart.
type member struct {
	name      string
	chart     *entry
	withdrawn bool
	err       error
}

// readAll reads the members side by side and keeps their order. Its error is that
// of ctx; what is wrong with a member is in the member.
func readAll(ctx context.Context, root *os.Root, entries []fs.DirEntry) ([]member, error) {
	members := make([]member, len(entries))
	var group errgroup.Group
	group.SetLimit(min(maxReaders, runtime.GOMAXPROCS(0)))
	for i, found := range entries {
		group.Go(outcome.Guarded(func() error {
			if ctx.Err() == nil {
				members[i] = readMember(root, found)
			}
			return ctx.Err()
		}))
	}
	return members, group.Wait()
}

// put hands the member on to the shelf.
func (m member) put(shelf *shelf) error {
	switch {
	case m.err != nil && shelf.wants(m.name):
		shelf.skip(m.name, outcome.Reason(m.err, v1alpha1.ReasonFetchFailed), m.err)
	case m.chart != nil && shelf.wants(m.chart.name):
		if err := shelf.add(m.chart.name, *m.chart); err != nil {
			return err
		}
		if m.withdrawn {
			shelf.withdraw(m.chart.name)
		}
	}
	return nil
}

func readMember(root *os.Root, found fs.DirEntry) (m member) {
	m.name = found.Name()
	defer outcome.Recover(&m.err)
	isArchive := strings.HasSuffix(m.name, ".tgz")
	switch {
	case strings.HasPrefix(m.name, "."):
	case found.IsDir():
		m.chart, m.withdrawn, m.err = readFolder(root, m.name)
	case isArchive && found.Type().IsRegular():
		m.chart, m.err = readArchive(root, m.name)
	case isArchive || found.Type()&fs.ModeSymlink != 0:
		m.err = errSpecial
	}
	return m
}

// readFolder reads a chart that is kept as a folder; nil for a folder without a
// Chart.yaml, and for one that is marked as removed.
func readFolder(root *os.Root, name string) (chart *entry, withdrawn bool, err error) {
	folder, err := root.OpenRoot(name)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = folder.Close() }()
	if has(folder, removeMark) || !has(folder, chartFile) {
		return nil, false, nil
	}
	files, err := readTree(folder)
	if err != nil {
		return nil, false, err
	}
	for _, file := range files {
		if file.Name == chartFile {
			chart, err = readChart(file.Data, name, hydrate.TreeDigest(files))
		}
	}
	return chart, has(folder, suspendMark), err
}

func has(folder *os.Root, name string) bool {
	_, err := folder.Lstat(name)
	return err == nil
}

// readArchive reads a chart that is kept as an archive, and of that no more than
// its Chart.yaml.
func readArchive(root *os.Root, name string) (*entry, error) {
	data, err := readFile(root, name, hydrate.MaxArchiveBytes)
	if err != nil {
		return nil, err
	}
	text, err := findChart(data)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidArchive, err)
	}
	return readChart(text, name, hydrate.Digest(data))
}

// findChart finds the Chart.yaml of an archive, in its one folder at the top.
func findChart(archive []byte) ([]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("unpack archive: %w", err)
	}
	in := tar.NewReader(io.LimitReader(unzipped, hydrate.MaxUnpackedBytes))
	for range hydrate.MaxFiles {
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
		return readLimited(in, maxEntry, chartFile)
	}
	return nil, fmt.Errorf("unpack archive: no %s in its top folder", chartFile)
}

// readChart reads what a Chart.yaml says of a version that is found at a place.
func readChart(text []byte, place, digest string) (*entry, error) {
	if len(text) > maxEntry {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("read %s: it is larger than %d bytes", chartFile, maxEntry))
	}
	node, err := parseNode(text, 1, maxEntryMarks)
	if err != nil {
		return nil, invalidChart(err)
	}
	reader := nodeReader{budget: 2 * maxEntryMarks}
	said, err := reader.entry(node)
	if err != nil {
		return nil, invalidChart(err)
	}
	return &entry{
		name: said.name, version: said.version, appVersion: said.appVersion, deprecated: said.deprecated,
		url: place, digest: digest,
	}, nil
}

func invalidChart(err error) error {
	return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidChart), fmt.Errorf("read %s: %w", chartFile, err))
}
