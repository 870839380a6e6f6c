package helm

import (
	"bytes"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	chartfiles "github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/values"
)

// loadUnit makes a chart of files that lie in memory. What is in charts/ is a
// dependency; a nested chart in any other folder is only files to Helm.
func loadUnit(files []chartfiles.File) (*chart.Chart, error) {
	return load(buffered(files))
}

// byteOrderMark may begin a file that an editor wrote as UTF-8. Helm's own readers
// of folders and archives take it off; left in a template, it ends up as a part of
// the first key of the document.
const byteOrderMark = "\xef\xbb\xbf"

// buffered are files as Helm's loader takes them.
func buffered(files []chartfiles.File) []*loader.BufferedFile {
	all := make([]*loader.BufferedFile, 0, len(files))
	for _, file := range files {
		all = append(all, &loader.BufferedFile{Name: file.Name, Data: bytes.TrimPrefix(file.Data, []byte(byteOrderMark))})
	}
	return all
}

func load(files []*loader.BufferedFile) (*chart.Chart, error) {
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load chart: %s", oneLine(loadProblem(err)))
	}
	if strings.EqualFold(loaded.Metadata.Type, "library") {
		return nil, errLibrary
	}
	if missing := missingDependencies(loaded); len(missing) > 0 {
		return nil, fmt.Errorf("chart needs %s in its folder charts, where they are not", strings.Join(missing, ", "))
	}
	return loaded, nil
}

// loadProblem says why Helm cannot load a chart.
func loadProblem(err error) string {
	const noValues = "cannot load values.yaml: "
	where, _, ok := strings.Cut(err.Error(), noValues)
	if !ok {
		return err.Error()
	}
	return where + "values.yaml: " + values.ParseProblem(err)
}

// missingDependencies are those that Chart.yaml names and charts/ does not have.
func missingDependencies(c *chart.Chart) []string {
	present := map[string]bool{}
	for _, dependency := range c.Dependencies() {
		present[dependency.Name()] = true
	}
	var missing []string
	for _, wanted := range c.Metadata.Dependencies {
		if !present[wanted.Name] {
			missing = append(missing, fmt.Sprintf("%q", wanted.Name))
		}
	}
	return missing
}
