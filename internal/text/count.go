// Package text formats parts of messages.
package text

import "fmt"

// Count returns a number with its noun, in the singular for 1: "1 app", "2 apps".
func Count[N ~int | ~int32 | ~int64](n N, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, plural)
}
