package table

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// PlannedObjects returns the table of the objects that an operation would change. It has a column for storage if
// a volume claim is among them.
func PlannedObjects(objects []v1alpha1.PlannedObject) *metav1.Table {
	columns := []string{"Change", "Kind", "Namespace", "Name"}
	hasStorage := slices.ContainsFunc(objects, func(planned v1alpha1.PlannedObject) bool { return planned.Storage != "" })
	if hasStorage {
		columns = append(columns, "Storage")
	}
	t := newTable(columns...)
	for _, planned := range objects {
		cells := []string{string(planned.Change), planned.Object.Kind, planned.Object.Namespace, planned.Object.Name}
		if hasStorage {
			cells = append(cells, planned.Storage)
		}
		t.addRow(cells...)
	}
	return &t.Table
}

// PlannedContents returns lines with the images, the permissions and the values that an operation would add or
// remove.
func PlannedContents(plan *v1alpha1.Plan) []string {
	var lines []string
	addImages := func(what string, images []v1alpha1.PlannedImage) {
		for _, image := range images {
			line := what + image.Name
			if size := image.LargestPlatformBytes; size > 0 {
				line += " (" + SizeText(size) + ")"
			}
			lines = append(lines, line)
		}
	}
	addImages("image added: ", plan.ImagesAdded)
	if size := plan.ImageBytesAdded; size > 0 {
		lines = append(lines, "new layers of images: "+SizeText(size))
	}
	addImages("image removed: ", plan.ImagesRemoved)
	if size := plan.ImageBytesRemoved; size > 0 {
		lines = append(lines, "unused layers of images: "+SizeText(size))
	}
	for _, permission := range plan.PermissionsAdded {
		lines = append(lines, "permission added: "+permission)
	}
	for _, path := range plan.UnusedValues {
		lines = append(lines, "value not used any more: "+path)
	}
	return lines
}
