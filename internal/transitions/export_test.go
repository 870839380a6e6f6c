package transitions

import "github.com/appmarket/operator/api/v1alpha1"

// Answered reports whether the table has an answer.
func Answered(action v1alpha1.Action, state State) bool {
	_, ok := table[action][state]
	return ok
}
