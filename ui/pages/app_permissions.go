package pages

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/permissions"
	"github.com/appmarket/operator/ui/reports"
)

// accessView is what the objects of an app may do outside their Pods.
type accessView struct {
	*v1alpha1.AppAccess

	// Lists are the lists of the report that are not empty. The report is not shown if it cannot be read.
	Lists []accessList
}

// UsesNodes reports whether the app has access to nodes, although all its objects may be in its namespace.
func (v *accessView) UsesNodes() bool {
	return v.Privileged || v.HostPath || v.HostNetwork
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
		v.Access = &accessView{AppAccess: &v1alpha1.AppAccess{
			Scope:      v1alpha1.AccessNamespace,
			Privileged: len(found.Privileged) > 0, HostPath: len(found.HostPaths) > 0, HostNetwork: len(found.HostNetworks) > 0,
		}}
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

// servePermissions serves permissions.yaml of a version, which is written from the report with its objects.
func (s *Server) servePermissions(w http.ResponseWriter, r *request) {
	app, err := getApp(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	v, err := newAppView(r, app, "Permissions")
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	text, err := v.permissionsManifest(r)
	if err != nil {
		s.writeProblem(w, r, &problem{
			Status: http.StatusBadGateway, Title: r.Text("problem.reportMissing"), Text: r.Text("problem.reportMissingText", "Cause", err.Error()),
			BackURL: appTabURL(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App, "permissions"), Back: r.Text("problem.showApp"),
		})
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Disposition", `attachment; filename="`+permissions.FileName+`"`)
	w.Header().Set("Content-Security-Policy", policy+"; sandbox")
	_, _ = w.Write(text) // The client is gone if it fails.
}

// permissionsManifest returns permissions.yaml of the shown version.
func (v *appView) permissionsManifest(r *request) ([]byte, error) {
	if v.Shown == nil {
		return nil, reports.ErrNotFound
	}
	if !r.server.acquireAnalysis(r.Context()) {
		return nil, errors.New(r.Text("compare.busy"))
	}
	defer r.server.releaseAnalysis()
	report, err := r.server.Reports.Fetch(r.Context(), v.Shown.ReportURL, reports.Objects, r.Token())
	if err != nil {
		return nil, err
	}
	return permissions.NewManifest(v.App, v.Shown.Version, report)
}
