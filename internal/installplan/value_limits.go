package installplan

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxValueEntries is the maximum number of keys and list items in the values of an
// installation. Helm copies each entry several times, and so does the transfer to a worker,
// so that 1 MB of values with many short entries takes seconds of CPU time.
const maxValueEntries = 1 << 17

// checkEntries returns an error if the merged values of the given sources have too many entries.
func checkEntries(given ValueSources, values map[string]any) error {
	if count := countEntries(values); count > maxValueEntries {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
			"%s and %s have %d keys and list items, but must have at most %d; use fewer, for example one string instead of a list",
			given.fieldPath("values"), given.fieldPath("valuesFrom"), count, maxValueEntries))
	}
	return nil
}

func countEntries(value any) int {
	count := 0
	switch value := value.(type) {
	case map[string]any:
		for _, item := range value {
			count += 1 + countEntries(item)
		}
	case []any:
		for _, item := range value {
			count += 1 + countEntries(item)
		}
	}
	return count
}
