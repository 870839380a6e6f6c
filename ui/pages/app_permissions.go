package pages

import (
	"encoding/json"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/ui/reports"
)

// accessView is what the objects of an app may do outside their Pods.
type accessView struct {
	*v1alpha1.AppAccess

	// Lists are the lists of the report that are not empty. The report is not shown if it cannot be read.
	Lists []accessList
}

// accessList is a list of the report about permissions. ID is the identifier of its heading.
type accessList struct {
	ID    string
	Lines []string
	// Total is the number of all lines, including those that the report omits.
	Total int
}

// addAccess adds what the objects of the shown version may do. It is taken from the report, which each version
// has, and for the selected version from the status, too.
func (v *appView) addAccess(r *request) {
	isSelected := v.Shown == nil || v.Shown.Version == v.App.Status.SelectedVersion
	if isSelected && v.Summary.Access != nil {
		v.Access = &accessView{AppAccess: v.Summary.Access}
	}
	var found objects.Access
	text, ok := v.fetch(r, reports.Permissions)
	if !ok || json.Unmarshal(text, &found) != nil {
		v.Note = "" // The rest of the page is complete without the report.
		return
	}
	if v.Access == nil {
		v.Access = &accessView{AppAccess: &v1alpha1.AppAccess{Scope: v1alpha1.AccessNamespace}}
		if !found.IsLimitedToNamespace() {
			v.Access.Scope = v1alpha1.AccessCluster
		}
	}
	for _, list := range []accessList{
		{"access.rules", found.Rules, found.RuleCount}, {"access.clusterObjects", found.ClusterObjects, len(found.ClusterObjects)},
		{"access.crds", found.CRDs, found.CRDCount}, {"access.privileged", found.Privileged, len(found.Privileged)},
		{"access.hostPaths", found.HostPaths, len(found.HostPaths)}, {"access.hostNetworks", found.HostNetworks, len(found.HostNetworks)},
	} {
		if len(list.Lines) > 0 {
			v.Access.Lists = append(v.Access.Lists, list)
		}
	}
}
