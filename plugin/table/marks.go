package table

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Marks around the cells of a column of states, which a terminal shows in colors. They are characters without a meaning, so that
// printers keep them, and each cell of such a column has two, so that its width is the same for all.
const (
	MarkGood    = '\ue000'
	MarkBad     = '\ue001'
	MarkNeutral = '\ue002'
	MarkEnd     = '\ue003'
)

// withoutMarks removes marks from a text that is not a state.
func withoutMarks(text string) string {
	return strings.Map(func(r rune) rune {
		if MarkGood <= r && r <= MarkEnd {
			return -1
		}
		return r
	}, text)
}

// stateColumns are the columns with states.
var stateColumns = map[string]bool{"State": true, "Ready": true}

// MarkStates adds marks to the columns of a table that contain states.
func MarkStates(t *metav1.Table) {
	for i := range t.ColumnDefinitions {
		column := &t.ColumnDefinitions[i]
		if !stateColumns[column.Name] {
			continue
		}
		column.Name = marked(column.Name, MarkNeutral)
		for _, row := range t.Rows {
			if state, isText := row.Cells[i].(string); isText {
				row.Cells[i] = marked(state, markOf(state))
			}
		}
	}
}

func marked(text string, mark rune) string { return string(mark) + text + string(MarkEnd) }

// markOf returns the mark of a state: of an instance, of a task, or the status of a condition.
func markOf(state string) rune {
	switch {
	case state == "Running", state == "Succeeded", state == string(metav1.ConditionTrue):
		return MarkGood
	case state == "Unhealthy", state == string(metav1.ConditionFalse), strings.HasSuffix(state, "Failed"):
		return MarkBad
	}
	return MarkNeutral
}
