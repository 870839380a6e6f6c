package appinstalltask

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

// Limits of the lists in status.plan.
const (
	maxPlannedImages      = 100
	maxPlannedPermissions = 50
	maxPermissionLength   = 512
)

// addContents adds the images, the permissions and the unused values to a plan. It adds nothing if the
// operation installs no version. A version that cannot be rendered counts as a version without images
// and permissions.
func addContents(plan *v1alpha1.Plan, reports catalog.Reports, s *scope, changes plannedChanges) error {
	if changes.after == nil {
		return nil
	}
	before := &hydrate.Draft{}
	if changes.before != nil {
		before = changes.before.Draft
		plan.UnusedValues = unusedValues(s.valuePaths, changes.before.ValuePaths, changes.after.ValuePaths)
	}
	after := changes.after.Draft
	has, err := usedImages(after)
	if err != nil {
		return err
	}
	had, err := usedImages(before)
	if err != nil {
		return err
	}
	if err := addImages(plan, reports, s, had, has); err != nil {
		return err
	}
	added, err := objects.ListAddedPermissions(before.AllDocuments(), after.AllDocuments(), s.task.Namespace)
	if err != nil {
		return err
	}
	for _, line := range catalog.FirstItems(added, min(len(added), maxPlannedPermissions)) {
		plan.PermissionsAdded = append(plan.PermissionsAdded, text.Limit(line, maxPermissionLength))
	}
	return nil
}

// usedImages returns the images of a rendered version, including those that its manifest declares.
func usedImages(draft *hydrate.Draft) ([]images.Image, error) {
	var declared []string
	if draft.Manifest != nil {
		declared = draft.Manifest.Images
	}
	return images.FindImages(draft.AllDocuments(), declared)
}

// isClaim reports whether an object is a PersistentVolumeClaim, which no operation but an uninstallation
// with the data policy Delete deletes.
func isClaim(object v1alpha1.ObjectReference) bool {
	return object.APIVersion == "v1" && object.Kind == "PersistentVolumeClaim"
}

// claimStorage returns the storage of the claims in the status of an instance.
func claimStorage(instance *v1alpha1.AppInstance) map[v1alpha1.ObjectReference]string {
	storage := map[v1alpha1.ObjectReference]string{}
	for _, claim := range instance.Status.Claims {
		reference := v1alpha1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: instance.Namespace, Name: claim.Name}
		storage[reference] = claim.Storage
	}
	return storage
}

// requestedStorage returns the storage that a PersistentVolumeClaim requests, and "" for any other object.
func requestedStorage(o objects.Map) string {
	if !o.IsClaim() {
		return ""
	}
	return o.RequestedStorage()
}
