package pages

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/appmarket/operator/ui/locale"
)

// ageSteps are the units of formatAge, from the largest, with the messages for a time ago and a time left.
var ageSteps = []struct {
	length    time.Duration
	ago, left string
}{
	{365 * 24 * time.Hour, "time.yearsAgo", "time.inYears"}, {30 * 24 * time.Hour, "time.monthsAgo", "time.inMonths"},
	{24 * time.Hour, "time.daysAgo", "time.inDays"}, {time.Hour, "time.hoursAgo", "time.inHours"}, {time.Minute, "time.minutesAgo", "time.inMinutes"},
}

// formatAge returns how long ago a time is, such as "3 minutes ago".
func formatAge(l *locale.Language, t time.Time) string {
	age := time.Since(t)
	for _, step := range ageSteps {
		if age >= step.length {
			return l.Text(step.ago, "Count", int(age/step.length))
		}
	}
	return l.Text("time.now")
}

// formatUntil returns how long it is until a time, such as "in 3 minutes".
func formatUntil(l *locale.Language, t time.Time) string {
	left := time.Until(t)
	for _, step := range ageSteps {
		if left >= step.length {
			return l.Text(step.left, "Count", int(left/step.length))
		}
	}
	return l.Text("time.soon")
}

// formatClock returns a time as a machine reads it.
func formatClock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// formatDuration returns a duration in whole seconds, such as "1 min 5 s".
func formatDuration(l *locale.Language, d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	switch {
	case seconds < 1:
		return l.Text("time.underSecond")
	case seconds < 60:
		return l.Text("time.seconds", "Seconds", seconds)
	case seconds < 3600:
		return l.Text("time.minutes", "Minutes", seconds/60, "Seconds", seconds%60)
	}
	return l.Text("time.hours", "Hours", seconds/3600, "Minutes", seconds%3600/60)
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
