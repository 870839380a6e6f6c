package transitions

import (
	"fmt"
	"strings"
)

// TableMarkdown returns the table as Markdown, for the documentation.
func TableMarkdown() string {
	var out strings.Builder
	out.WriteString("| state |")
	for _, r := range table {
		fmt.Fprintf(&out, " %s |", r.action)
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(table)) + "\n")
	for _, state := range States {
		fmt.Fprintf(&out, "| %s |", state)
		for _, r := range table {
			fmt.Fprintf(&out, " %s |", tableCell(r, state))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n| action | succeeded | failed | canceled |\n|---|---|---|---|\n")
	for _, r := range table {
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", r.action, r.outcome.Succeeded, r.outcome.Failed, outcomeText(r.outcome))
	}
	return out.String()
}

func tableCell(r row, state State) string {
	switch a := r.decisions[state]; {
	case a == allow:
		return "→ " + string(r.outcome.Succeeded)
	case a.waits:
		return "waits"
	default:
		return a.reason
	}
}

func outcomeText(outcome Outcome) string {
	switch {
	case outcome.Committed:
		return "cannot be canceled after it has started"
	case outcome.Canceled == Before:
		return "state before the action"
	}
	return string(outcome.Canceled)
}
