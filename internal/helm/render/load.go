package render

import (
	"bytes"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	chartfiles "github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/values"
)

// loadUnit loads a chart from files in memory. Charts in the folder charts are dependencies. Helm
// treats a nested chart in any other folder as plain files.
func loadUnit(files []chartfiles.File) (*chart.Chart, error) {
	return loadChart(toBufferedFiles(files))
}

// byteOrderMark may be the start of a UTF-8 file that was written by an editor. Helm removes it
// when it reads folders and archives. In a template it would become a part of the first key of the
// document.
const byteOrderMark = "\xef\xbb\xbf"

// toBufferedFiles converts files for the loader of Helm.
func toBufferedFiles(files []chartfiles.File) []*loader.BufferedFile {
	all := make([]*loader.BufferedFile, 0, len(files))
	for _, file := range files {
		all = append(all, &loader.BufferedFile{Name: file.Name, Data: bytes.TrimPrefix(file.Data, []byte(byteOrderMark))})
	}
	return all
}

func loadChart(files []*loader.BufferedFile) (*chart.Chart, error) {
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load chart: %s", oneLine(loadErrorText(err)))
	}
	if strings.EqualFold(loaded.Metadata.Type, "library") {
		return nil, errLibrary
	}
	if missing := missingDependencies(loaded); len(missing) > 0 {
		return nil, fmt.Errorf("dependencies %s are missing in the folder charts: vendor them with \"helm dependency update\"", strings.Join(missing, ", "))
	}
	return loaded, nil
}

// loadErrorText describes why Helm cannot load a chart.
func loadErrorText(err error) string {
	const noValues = "cannot load values.yaml: "
	where, _, ok := strings.Cut(err.Error(), noValues)
	if !ok {
		return err.Error()
	}
	return where + "values.yaml: " + values.ParseProblem(err)
}

// missingDependencies returns the dependencies in Chart.yaml that the folder charts does not
// contain.
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
