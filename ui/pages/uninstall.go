package pages

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
)

// uninstallView is what an uninstallation deletes and keeps.
type uninstallView struct {
	Deleted  []v1alpha1.KindCount
	Total    int
	Releases []v1alpha1.Release
	Claims   []v1alpha1.VolumeClaim
	// Secrets are the names of the retained Secrets with inputs.
	Secrets []string
	// Delete reports that the data is deleted.
	Delete bool
	// Dependents are the instances that depend on the instance, and AlsoDependents reports that they are
	// uninstalled too.
	Dependents     dependents
	AlsoDependents bool
}

// prepareUninstall lists what is deleted and what is kept. Data is deleted only if the user enters
// the name of the instance.
func prepareUninstall(r *request, v *actionView) (string, error) {
	u := &uninstallView{
		Releases: v.Instance.Status.Releases, Claims: v.Instance.Status.Claims, Secrets: preview.RetainedSecrets(v.Instance),
		Delete: v.Instance.Spec.DataPolicy == v1alpha1.DataDelete,
	}
	if hasEntries(r) {
		u.Delete, u.AlsoDependents = r.PostFormValue("data") == "delete", r.PostFormValue("dependents") != ""
	}
	var err error
	if u.Dependents, err = findDependents(r, v.Instance); err != nil {
		return "", err
	}
	v.Uninstall = u
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
	if u.AlsoDependents {
		parameters.Dependents = v1alpha1.DependentsUninstall
	}
	v.request.Uninstall = parameters
	return "", nil
}

// confirmationProblem returns why the user has to confirm the deletion of the data or the uninstallation of other
// instances, empty if the user has confirmed both.
func (u *uninstallView) confirmationProblem(r *request, instance *v1alpha1.AppInstance) string {
	switch {
	case u.Delete && r.PostFormValue("confirm") != instance.Name:
		return r.Text("uninstall.confirmProblem", "Name", instance.Name)
	case len(u.Dependents.Instances) > 0 && !u.AlsoDependents:
		return r.Text("uninstall.dependentsProblem", "Name", instance.Name)
	}
	return ""
}
