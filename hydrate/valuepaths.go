package hydrate

import (
	"path"
	"slices"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/values"
)

// ValuePath describes how much of a path of keys the default values of an app contain. If the app has
// several charts, it describes the chart that contains most of the path.
type ValuePath struct {
	// Known is the number of leading keys that the default values contain.
	Known int
	// IsOpen reports that a chart may use the other keys although its default values do not
	// contain them: the value of the known keys is not a map or is an empty map, or the path
	// belongs to a dependency.
	IsOpen bool
}

// globalKey is the key of the values that a chart shares with its dependencies.
const globalKey = "global"

// describeValuePaths returns a description for each path. Default values that cannot be parsed are open.
func describeValuePaths(paths [][]string, files []chart.File, units []Unit) []ValuePath {
	if len(paths) == 0 {
		return nil
	}
	described := make([]ValuePath, len(paths))
	for _, unit := range units {
		own := UnitFiles(files, unit.Dir)
		text, _ := chart.FindFile(files, path.Join(unit.Dir, chart.ValuesFile))
		defaults, err := values.DecodeFirst(text)
		foreign := append(chart.DependencyKeys(own), globalKey)
		for i, keys := range paths {
			one := describeValuePath(keys, defaults)
			one.IsOpen = one.IsOpen || err != nil || len(keys) > 0 && slices.Contains(foreign, keys[0])
			described[i].Known = max(described[i].Known, one.Known)
			described[i].IsOpen = described[i].IsOpen || one.IsOpen
		}
	}
	return described
}

// describeValuePath compares a path with the default values of one chart.
func describeValuePath(keys []string, defaults map[string]any) ValuePath {
	at := ValuePath{IsOpen: len(defaults) == 0}
	for _, key := range keys {
		value, isKnown := defaults[key]
		if !isKnown {
			return at
		}
		at.Known++
		defaults, _ = value.(map[string]any)
		at.IsOpen = len(defaults) == 0
	}
	return at
}
