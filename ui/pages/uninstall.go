package pages

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// uninstallView is what an uninstallation deletes and keeps.
type uninstallView struct {
	Deleted []v1alpha1.KindCount
	Total   int
	Claims  []v1alpha1.VolumeClaim
	// Secrets are the Secrets from which inputs are read. They are kept.
	Secrets    []string
	Delete     bool
	Dependents bool
}

// prepareUninstall lists what is deleted and what is kept. Data is deleted only if the user enters
// the name of the instance.
func prepareUninstall(r *request, v *actionView) (string, error) {
	u := &uninstallView{Claims: v.Instance.Status.Claims, Delete: v.Instance.Spec.DataPolicy == v1alpha1.DataDelete}
	if hasEntries(r) {
		u.Delete, u.Dependents = r.PostFormValue("data") == "delete", r.PostFormValue("dependents") != ""
	}
	v.Uninstall = u
	for _, input := range v.Instance.Spec.Inputs {
		if input.ValueFrom != nil && input.ValueFrom.SecretKeyRef != nil {
			u.Secrets = append(u.Secrets, input.ValueFrom.SecretKeyRef.Name)
		}
	}
	slices.Sort(u.Secrets)
	u.Secrets = slices.Compact(u.Secrets)
	counts := map[string]int32{}
	if inventory := v.Instance.Status.Inventory; inventory != nil {
		u.Total = int(inventory.Total)
		for _, ref := range inventory.Objects {
			if ref.Kind == "PersistentVolumeClaim" {
				u.Total--
				continue
			}
			counts[ref.Kind]++
		}
	}
	for kind, count := range counts {
		u.Deleted = append(u.Deleted, v1alpha1.KindCount{Kind: kind, Count: count})
	}
	slices.SortFunc(u.Deleted, func(a, b v1alpha1.KindCount) int { return strings.Compare(a.Kind, b.Kind) })
	parameters := v1alpha1.UninstallParameters{DataPolicy: v1alpha1.DataRetain}
	if u.Delete {
		parameters.DataPolicy = v1alpha1.DataDelete
	}
	if u.Dependents {
		parameters.Dependents = v1alpha1.DependentsUninstall
	}
	v.request.Uninstall = parameters
	return "", nil
}

// confirmationProblem returns why the user has to confirm the deletion of the data, empty if the user has
// confirmed it or keeps the data.
func (u *uninstallView) confirmationProblem(r *request, instance *v1alpha1.AppInstance) string {
	if u.Delete && r.PostFormValue("confirm") != instance.Name {
		return r.Text("uninstall.confirmProblem", "Name", instance.Name)
	}
	return ""
}
