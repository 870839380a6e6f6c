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

// checkEntries returns an error if values have too many entries.
func checkEntries(values map[string]any) error {
	if count := countEntries(values); count > maxValueEntries {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf(
			"spec.values and spec.valuesFrom have %d keys and list items together, and may have %d: give fewer, such as one text for a list", count, maxValueEntries))
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
