package transitions

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// actions are those of the table, in the order of the pages.
var actions = []v1alpha1.Action{
	v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionAdopt, v1alpha1.ActionUpgrade, v1alpha1.ActionRollback,
	v1alpha1.ActionStop, v1alpha1.ActionResume, v1alpha1.ActionUninstall,
}

// Markdown is the table as the page of the state machine shows it.
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
	out.WriteString("\n| action | succeeded | failed | cancelled |\n|---|---|---|---|\n")
	for _, action := range actions {
		effect := Outcomes[action]
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", action, effect.Succeeded, effect.Failed, outcomeText(effect))
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

func outcomeText(effect Outcome) string {
	switch {
	case effect.Committed:
		return "goes through once it has begun"
	case effect.Cancelled == Before:
		return "as before"
	}
	return string(effect.Cancelled)
}
