package hydration

import (
	"context"
	"fmt"
	"os"
	"path"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/values"
	"github.com/appmarket/operator/internal/worker"
	"github.com/appmarket/operator/internal/yamlbounds"
)

// Limits of the values with which a chart is rendered.
const (
	maxValuesFiles = 30
	maxValuesBytes = 256 << 10
)

// testValues matches the files with the values with which the tests of a chart install it, a convention of the program
// chart-testing.
const testValues = "ci/*-values.yaml"

// ImageFinder finds images that charts use with other values than the default ones.
type ImageFinder struct {
	workers *worker.Pool
	own     []valuesFile
	tests   bool
}

// valuesFile is a file with values.
type valuesFile struct {
	name   string
	values map[string]any
}

// ValuesImages are the images that a chart uses with the values of a file.
type ValuesImages struct {
	File   string
	Images []images.Image
	// Problem describes why the chart could not be rendered with these values, "" if it could.
	Problem string
}

// NewImageFinder returns a finder for the values in files, and for the values in the folder ci of each chart if tests
// is set. Charts are rendered in worker processes with the limits of the operator. The caller must close the finder.
func NewImageFinder(files []string, tests bool) (*ImageFinder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find executable: %w", err)
	}
	finder := &ImageFinder{workers: &worker.Pool{Command: []string{self, WorkerCommand}, Workers: 1}, tests: tests}
	for _, name := range files {
		content, err := readValues(name)
		if err != nil {
			return nil, err
		}
		finder.own = append(finder.own, valuesFile{name, content})
	}
	return finder, nil
}

// Close ends the worker processes.
func (f *ImageFinder) Close() { f.workers.Close() }

// Find returns the images of a chart for each file with values. A chart that cannot be rendered with a file of the user
// is an error. isRequested reports that the user has requested the chart, so that the files of the user apply.
func (f *ImageFinder) Find(ctx context.Context, archive []byte, isRequested bool) ([]ValuesImages, error) {
	files, err := chart.Unpack(archive)
	if err != nil {
		return nil, err
	}
	meta, err := chart.ReadMetadata(files)
	if err != nil {
		return nil, err
	}
	request := hydrate.Request{App: meta.Name, Offer: hydrate.Offer{Version: meta.Version}, Profile: profileOf(files)}
	var all []ValuesImages
	if isRequested {
		for _, file := range f.own {
			found := f.findWith(ctx, request, archive, file)
			if found.Problem != "" {
				return nil, fmt.Errorf("file %s: %s", file.name, found.Problem)
			}
			all = append(all, found)
		}
	}
	if !f.tests {
		return all, nil
	}
	for _, file := range files {
		if isTest, _ := path.Match(testValues, file.Name); !isTest { // The pattern is valid.
			continue
		}
		if len(all) == maxValuesFiles {
			return append(all, ValuesImages{File: file.Name, Problem: fmt.Sprintf("only %d files with values are used", maxValuesFiles)}), nil
		}
		content, err := decodeTestValues(file.Data)
		if err != nil {
			all = append(all, ValuesImages{File: file.Name, Problem: err.Error()})
			continue
		}
		all = append(all, f.findWith(ctx, request, archive, valuesFile{file.Name, content}))
	}
	return all, ctx.Err()
}

func decodeTestValues(text []byte) (map[string]any, error) {
	if err := yamlbounds.CheckText(text, maxValuesBytes); err != nil {
		return nil, err
	}
	return values.Decode(text)
}

// findWith renders a chart with the values of a file.
func (f *ImageFinder) findWith(ctx context.Context, request hydrate.Request, archive []byte, file valuesFile) ValuesImages {
	found := ValuesImages{File: file.name}
	request.Platform = file.values
	draft, _, err := f.workers.Analyze(ctx, request, hydrate.ChartContent{Archive: archive})
	if err != nil {
		found.Problem = err.Error()
		return found
	}
	found.Images, found.Problem = draft.Images, draft.UnrenderedReason()
	return found
}
