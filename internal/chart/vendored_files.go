package chart

import (
	"slices"
	"strings"
)

// filesBelow returns the files of a folder, with names relative to it.
func filesBelow(files []File, dir string) []File {
	var found []File
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.Name, dir+"/"); ok {
			found = append(found, File{Name: name, Data: f.Data})
		}
	}
	return found
}

// replaceBelow replaces the files of a folder.
func replaceBelow(files []File, dir string, content []File) []File {
	replaced := slices.DeleteFunc(slices.Clone(files), func(f File) bool { return strings.HasPrefix(f.Name, dir+"/") })
	for _, f := range content {
		replaced = append(replaced, File{Name: dir + "/" + f.Name, Data: f.Data})
	}
	sortFiles(replaced)
	return replaced
}

// withFile returns the files with one file added, sorted by name. A file without a name is not
// added, and a file that exists is kept.
func withFile(files []File, added File) []File {
	if _, exists := FindFile(files, added.Name); exists || added.Name == "" {
		return files
	}
	files = append(slices.Clone(files), added)
	sortFiles(files)
	return files
}
