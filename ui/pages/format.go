package pages

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/appmarket/operator/internal/text"
)

// ageSteps are the units of formatAge, from the largest.
var ageSteps = []struct {
	length           time.Duration
	singular, plural string
}{
	{365 * 24 * time.Hour, "year", "years"}, {30 * 24 * time.Hour, "month", "months"}, {24 * time.Hour, "day", "days"},
	{time.Hour, "hour", "hours"}, {time.Minute, "minute", "minutes"},
}

// formatAge returns how long ago a time is, such as "3 minutes ago".
func formatAge(t time.Time) string {
	age := time.Since(t)
	for _, step := range ageSteps {
		if age >= step.length {
			return text.Count(int(age/step.length), step.singular, step.plural) + " ago"
		}
	}
	return "just now"
}

// formatUntil returns how long it is until a time, such as "in 3 minutes".
func formatUntil(t time.Time) string {
	left := time.Until(t)
	for _, step := range ageSteps {
		if left >= step.length {
			return "in " + text.Count(int(left/step.length), step.singular, step.plural)
		}
	}
	return "in less than a minute"
}

// formatClock returns a time as a machine reads it.
func formatClock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// formatDuration returns a duration in whole seconds, such as "1 min 5 s".
func formatDuration(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	switch {
	case seconds < 1:
		return "under 1 s"
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d h %d min", seconds/3600, seconds%3600/60)
}

// formatBytes returns a size, such as "412 MB".
func formatBytes(size int64) string {
	switch {
	case size >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(size)/1e9)
	case size >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(size)/1e6)
	case size >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(size)/1e3)
	}
	return fmt.Sprintf("%d B", size)
}

// initialOf returns the first letter or digit of a title, for the tile of an app.
func initialOf(title string) string {
	for _, c := range title {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return string(unicode.ToUpper(c))
		}
	}
	return "?"
}

// tintOf returns the class of the tile of an app: one of eight, always the same for a name.
func tintOf(name string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // It never returns an error.
	return fmt.Sprintf("tint-%d", sum.Sum32()%8)
}

// containsFold reports whether a list contains a text, without regard to case.
func containsFold(list []string, wanted string) bool {
	return slices.ContainsFunc(list, func(each string) bool { return strings.EqualFold(each, wanted) })
}
