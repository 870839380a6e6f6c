package transitions

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// actions are the columns of the table, in the order of the documentation.
var actions = []v1alpha1.Action{
	v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionUpgrade, v1alpha1.ActionRollback,
	v1alpha1.ActionStop, v1alpha1.ActionResume, v1alpha1.ActionUninstall,
}

// TableMarkdown returns the table as Markdown, for the documentation.
func TableMarkdown() string {
	var out strings.Builder
	out.WriteString("| state |")
	for _, action := range actions {
		fmt.Fprintf(&out, " %s |", action)
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(actions)) + "\n")
	for _, state := range States {
		fmt.Fprintf(&out, "| %s |", state)
		for _, action := range actions {
			fmt.Fprintf(&out, " %s |", tableCell(action, state))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n| action | succeeded | failed | canceled |\n|---|---|---|---|\n")
	for _, action := range actions {
		outcome := Outcomes[action]
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", action, outcome.Succeeded, outcome.Failed, outcomeText(outcome))
	}
	return out.String()
}

func tableCell(action v1alpha1.Action, state State) string {
	switch a := decisions[action][state]; {
	case a == allow:
		return "→ " + string(Outcomes[action].Succeeded)
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
