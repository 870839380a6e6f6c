package chart

import (
	"slices"
	"strings"
)

// File is one file of a chart. Name is its path relative to the chart's folder, clean and
// with forward slashes, such as "templates/web.yaml".
type File struct {
	Name string
	Data []byte
}

// FindFile returns the content of the file with the given name, and whether the file
// exists.
func FindFile(files []File, name string) ([]byte, bool) {
	for _, f := range files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}

func sortFiles(files []File) {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}
