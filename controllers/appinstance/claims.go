package appinstance

import (
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

// maxClaims is the maximum number of PersistentVolumeClaims in status.
const maxClaims = 100

// setClaims sets the PersistentVolumeClaims in status that a rendered app requests.
func setClaims(instance *v1alpha1.AppInstance, draft *hydrate.Draft) error {
	requested, err := objects.ListClaims(draft.AllDocuments(), instance.Namespace, maxClaims)
	if err != nil {
		return err
	}
	instance.Status.Claims = nil
	for _, claim := range requested {
		instance.Status.Claims = append(instance.Status.Claims, v1alpha1.VolumeClaim{Name: text.Limit(claim.Name, 253), Storage: claim.Storage})
	}
	setClaimRemoval(instance)
	return nil
}

// addRestoredClaims adds the PersistentVolumeClaims that a rollback has restored to status. An operation
// deletes no claim, so that the others still exist.
func addRestoredClaims(instance *v1alpha1.AppInstance, restored []v1alpha1.ObjectReference) {
	for _, object := range restored {
		isListed := slices.ContainsFunc(instance.Status.Claims, func(c v1alpha1.VolumeClaim) bool { return c.Name == object.Name })
		isClaim := object.APIVersion == "v1" && object.Kind == "PersistentVolumeClaim" && object.Namespace == instance.Namespace
		if isClaim && !isListed && len(instance.Status.Claims) < maxClaims {
			instance.Status.Claims = append(instance.Status.Claims, v1alpha1.VolumeClaim{Name: object.Name})
		}
	}
	setClaimRemoval(instance)
}

// setClaimRemoval sets what an uninstallation would do to the claims in status, as the spec specifies.
func setClaimRemoval(instance *v1alpha1.AppInstance) {
	removal := v1alpha1.ClaimRetained
	if instance.Spec.DataPolicy == v1alpha1.DataDelete {
		removal = v1alpha1.ClaimDeleted
	}
	for i := range instance.Status.Claims {
		instance.Status.Claims[i].OnRemoval = removal
	}
}
