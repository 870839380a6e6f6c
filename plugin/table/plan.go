package table

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// PlannedObjects returns the table of the objects that an operation would change.
func PlannedObjects(objects []v1alpha1.PlannedObject) *metav1.Table {
	t := newTable("Change", "Kind", "Namespace", "Name")
	for _, planned := range objects {
		t.addRow(string(planned.Change), planned.Object.Kind, planned.Object.Namespace, planned.Object.Name)
	}
	return &t.Table
}
