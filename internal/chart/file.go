package chart

import (
	"slices"
	"strings"
)

// File is one file of a chart. Name is its path below the chart's own folder,
// with forward slashes, clean and relative, such as "templates/web.yaml".
type File struct {
	Name string
	Data []byte
}

// find returns the content of a file, and whether it is there.
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
