package transitions

import "github.com/appmarket/operator/api/v1alpha1"

// Answered reports whether the table has an answer.
func HasDecision(action v1alpha1.Action, state State) bool {
	_, ok := decisions[action][state]
	return ok
}
