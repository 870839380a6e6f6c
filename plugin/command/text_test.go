package command_test

import (
	"regexp"
	"strings"
)

var seconds = regexp.MustCompile(`(?m)^(Admitted|Resolved|Applied|Healthy|Waiting|Reverting)( +)\d+s `)

// withoutSeconds replaces the times of milestones.
func withoutSeconds(progress string) string { return seconds.ReplaceAllString(progress, "${1}${2}0s ") }

// withoutMilestones removes the lines of milestones and of the state, which may be printed or not.
func withoutMilestones(progress string) string {
	var kept []string
	for line := range strings.Lines(progress) {
		if !seconds.MatchString(line) && !strings.HasPrefix(line, " ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// lastDocument returns the last document of a YAML text.
func lastDocument(text string) string {
	documents := strings.Split(text, "---\n")
	return documents[len(documents)-1]
}
