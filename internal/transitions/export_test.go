package transitions

import "github.com/appmarket/operator/api/v1alpha1"

// HasDecision reports whether the table has a decision for an action in a state.
func HasDecision(action v1alpha1.Action, state State) bool {
	_, ok := decisionsFor(action)[state]
	return ok
}
