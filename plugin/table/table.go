// Package table makes the tables that the plugin prints from lists of objects. The tables have the
// form of the API server's, so that the printer of kubectl prints them.
package table

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/appmarket/operator/internal/text"
)

// maxCell is the maximum length of a cell with a description in bytes.
const maxCell = 60

// table is a table under construction.
type table struct{ metav1.Table }

// newTable returns a table with columns. Columns whose names begin with "+" are printed with -o wide
// only.
func newTable(columns ...string) *table {
	t := &table{}
	for _, name := range columns {
		column := metav1.TableColumnDefinition{Name: name, Type: "string"}
		if name[0] == '+' {
			column.Name, column.Priority = name[1:], 1
		}
		t.ColumnDefinitions = append(t.ColumnDefinitions, column)
	}
	return t
}

// addRow adds a row.
func (t *table) addRow(cells ...string) {
	row := metav1.TableRow{}
	for _, cell := range cells {
		row.Cells = append(row.Cells, withoutMarks(text.WithoutControls(cell)))
	}
	t.Rows = append(t.Rows, row)
}

// ageOf returns the time since a point in time, as kubectl prints it.
func ageOf(at metav1.Time, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	return duration.HumanDuration(now.Sub(at.Time))
}

// cutCell puts a text on one line and cuts it to the length of a cell.
func cutCell(long string) string { return text.OneLine(long, maxCell) }
