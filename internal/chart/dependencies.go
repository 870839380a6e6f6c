package chart

import (
	"cmp"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// requirementsFile lists the dependencies of a chart with apiVersion v1.
const requirementsFile = "requirements.yaml"

// packedChart matches an archive in the folder charts. Its group is the name of the chart.
var packedChart = regexp.MustCompile(`^(.+)-v?\d[^/]*\.tgz$`)

// DependencyKeys returns the keys under which a chart passes values to its dependencies:
// their aliases, or their names if they have no alias. Files that cannot be parsed are
// ignored.
func DependencyKeys(files []File) []string {
	var keys []string
	for _, name := range []string{MetadataFile, requirementsFile} {
		text, _ := FindFile(files, name)
		var meta Metadata
		if yaml.Unmarshal(text, &meta) != nil {
			continue
		}
		for _, d := range meta.Dependencies {
			if d != nil {
				keys = append(keys, cmp.Or(d.Alias, d.Name))
			}
		}
	}
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name, "charts/")
		if !ok {
			continue
		}
		if folder, file, _ := strings.Cut(name, "/"); file == MetadataFile {
			var meta Metadata
			if yaml.Unmarshal(f.Data, &meta) == nil {
				folder = cmp.Or(meta.Name, folder)
			}
			keys = append(keys, folder)
		}
		if m := packedChart.FindStringSubmatch(name); m != nil {
			keys = append(keys, m[1])
		}
	}
	return keys
}
