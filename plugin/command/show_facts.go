package command

import (
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/plugin/table"
)

// footprintText describes what an app requests, "" if that is unknown or nothing.
func footprintText(f *v1alpha1.AppFootprint) string {
	if f == nil {
		return ""
	}
	parts := nonEmptyParts([][2]string{{"CPU ", f.CPU}, {"memory ", f.Memory}, {"storage ", f.Storage}, {"images ", table.SizeText(f.PullBytes)}})
	return strings.Join(parts, ", ")
}

func nonEmptyParts(named [][2]string) []string {
	var parts []string
	for _, part := range named {
		if part[1] != "" {
			parts = append(parts, part[0]+part[1])
		}
	}
	return parts
}

// accessText describes what the objects of an app may do outside their Pods, "" if that is unknown.
func accessText(a *v1alpha1.AppAccess) string {
	if a == nil {
		return ""
	}
	parts := []string{"own namespace only"}
	if a.Scope == v1alpha1.AccessCluster {
		parts = []string{"outside its namespace, too"}
	}
	if a.Rules > 0 {
		parts = append(parts, text.Count(a.Rules, "permission", "permissions"))
	}
	if a.CRDs > 0 {
		parts = append(parts, text.Count(a.CRDs, "CRD", "CRDs"))
	}
	for _, each := range []struct {
		is   bool
		says string
	}{{a.Privileged, "privileged containers"}, {a.HostPath, "directories of nodes"}, {a.HostNetwork, "the network of nodes"}} {
		if each.is {
			parts = append(parts, each.says)
		}
	}
	return strings.Join(parts, ", ")
}

// placementText describes whether an app runs on the cluster, "" if that is unknown.
func placementText(p *v1alpha1.AppPlacement) string {
	if p == nil {
		return ""
	}
	verdict := map[v1alpha1.PlacementVerdict]string{
		v1alpha1.PlacementYes: "yes", v1alpha1.PlacementNeedsAdministrator: "yes, if an administrator installs it", v1alpha1.PlacementNo: "no",
	}[p.Verdict]
	if len(p.Reasons) == 0 {
		return verdict
	}
	return verdict + ": " + strings.Join(p.Reasons, "; ")
}

// signatureText describes the verified signature of the selected version, "" if it was not verified.
func signatureText(app *v1alpha1.AppInfo) string {
	for _, version := range app.Status.Versions {
		verdict := version.Verification
		if version.Version != app.Status.SelectedVersion || verdict == nil {
			continue
		}
		return verdictText(verdict)
	}
	return ""
}

func verdictText(verdict *v1alpha1.SignatureVerdict) string {
	return "verified with " + string(verdict.Provider) + ", signed by " + verdict.Identity + prefixed(", confirmed by ", verdict.Issuer)
}
