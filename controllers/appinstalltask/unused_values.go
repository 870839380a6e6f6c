package appinstalltask

import (
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/text"
)

// Limits of status.plan.unusedValues.
const (
	maxUnusedValues     = 50
	maxUnusedPathLength = 253
)

// unusedValues returns the shortest parts of paths that the default values of the installed version
// contain and that the new version does not have, without duplicates. A path that the new version may
// use without a default is omitted.
func unusedValues(paths [][]string, before, after []hydrate.ValuePath) []string {
	if len(before) != len(paths) || len(after) != len(paths) {
		return nil
	}
	var unused []string
	for i, keys := range paths {
		known := after[i].Known
		if known == len(keys) || after[i].IsOpen || before[i].Known <= known {
			continue
		}
		path := formatValuePath(keys[:known+1])
		if len(unused) > 0 && unused[len(unused)-1] == path {
			continue // Paths are sorted.
		}
		if unused = append(unused, path); len(unused) == maxUnusedValues {
			break
		}
	}
	return unused
}

// formatValuePath formats keys as the option --set of the helm command does.
func formatValuePath(keys []string) string {
	var escaped []string
	for _, key := range keys {
		escaped = append(escaped, strings.ReplaceAll(key, ".", `\.`))
	}
	return text.Limit(text.WithoutControls(strings.Join(escaped, ".")), maxUnusedPathLength)
}
