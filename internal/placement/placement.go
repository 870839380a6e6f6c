// Package placement determines whether an app runs on this cluster, before an installation.
//
// Assess compares the requirements in the status of an AppInfo with the state of the cluster. It has no
// namespace and no values, and renders nothing: a task checks more, and with the actual values. An Observer
// keeps the state of the cluster up to date by watches, and names the apps whose placement has changed, so
// that one change of a node costs one comparison of each app in memory, and a write only for the apps with
// another result.
package placement

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/text"
)

// Limits of the reasons. They match the CRD schema.
const (
	maxReasons     = 10
	maxReasonChars = 512
	maxNamed       = 5
)

// Cluster is the known state of a cluster.
type Cluster struct {
	// Version is the Kubernetes version, such as v1.36.1.
	Version string
	// Kinds are the served kinds. The kinds in UnknownVersions are not known, because their own API
	// server does not respond.
	Kinds           map[v1alpha1.RequiredKind]bool
	UnknownVersions map[string]bool
	// StorageClasses and IngressClasses are the names of the classes. HasDefaultStorageClass reports
	// whether a StorageClass is the default one.
	StorageClasses, IngressClasses map[string]bool
	HasDefaultStorageClass         bool
	// Architectures are the architectures of the nodes, sorted. It is empty if there are no nodes.
	Architectures []string
	// Largest contains the largest allocatable amount of one node for each resource.
	Largest map[string]resource.Quantity
	// AddsNodes reports whether nodes are created on demand. Nodes are not checked then.
	AddsNodes bool
}

// Assess returns the placement of the selected version of an app. It returns nil if the requirements of the
// app are unknown.
func Assess(app *v1alpha1.AppInfo, c *Cluster) *v1alpha1.AppPlacement {
	summary := app.Status.Summary
	if summary == nil || summary.Requirements == nil {
		return nil
	}
	var reasons []string
	for _, check := range []func(*v1alpha1.AppInfo, *Cluster) []string{checkVersion, checkKinds, checkClasses, checkArchitectures, checkRequests} {
		reasons = append(reasons, check(app, c)...)
	}
	if len(reasons) > 0 {
		return newPlacement(v1alpha1.PlacementNo, reasons)
	}
	if reasons := administratorReasons(summary); len(reasons) > 0 {
		return newPlacement(v1alpha1.PlacementNeedsAdministrator, reasons)
	}
	return &v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementYes}
}

func newPlacement(verdict v1alpha1.PlacementVerdict, reasons []string) *v1alpha1.AppPlacement {
	placement := &v1alpha1.AppPlacement{Verdict: verdict}
	for _, reason := range reasons[:min(len(reasons), maxReasons)] {
		placement.Reasons = append(placement.Reasons, text.Limit(text.WithoutControls(reason), maxReasonChars))
	}
	return placement
}

// checkVersion compares the version of the cluster with the range in Chart.yaml.
func checkVersion(app *v1alpha1.AppInfo, c *Cluster) []string {
	wanted := app.Status.Summary.Requirements.KubernetesVersion
	if wanted == "" || c.Version == "" || preflight.IsCompatible(wanted, c.Version) {
		return nil
	}
	return []string{fmt.Sprintf("the chart requires Kubernetes %s, but the cluster has %s", wanted, c.Version)}
}

// checkKinds returns a reason for each kind that the cluster does not serve.
func checkKinds(app *v1alpha1.AppInfo, c *Cluster) []string {
	var reasons []string
	for _, kind := range app.Status.Summary.Requirements.Kinds {
		if c.Kinds[kind] || c.UnknownVersions[kind.APIVersion] {
			continue
		}
		group, _, _ := strings.Cut(kind.APIVersion, "/")
		remedy := "install the operator that provides this CRD first"
		if !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") {
			remedy = "use a version of the app that supports Kubernetes " + c.Version
		}
		reasons = append(reasons, fmt.Sprintf("no matches for kind %q in version %q: %s", kind.Kind, kind.APIVersion, remedy))
	}
	return reasons
}

// checkClasses returns a reason for each class that does not exist.
func checkClasses(app *v1alpha1.AppInfo, c *Cluster) []string {
	needs := app.Status.Summary.Requirements
	var reasons []string
	for _, name := range needs.StorageClassNames {
		if !c.StorageClasses[name] {
			reasons = append(reasons, fmt.Sprintf("StorageClass %q not found", name))
		}
	}
	if needs.DefaultStorageClass && !c.HasDefaultStorageClass {
		reasons = append(reasons, "a volume claim does not specify a StorageClass, and the cluster has no default StorageClass")
	}
	for _, name := range needs.IngressClassNames {
		if !c.IngressClasses[name] {
			reasons = append(reasons, fmt.Sprintf("IngressClass %q not found", name))
		}
	}
	return reasons
}

// checkArchitectures compares the architectures of the app and of its images with the architectures of the nodes. An image
// with unknown platforms is assumed to run on any node.
func checkArchitectures(app *v1alpha1.AppInfo, c *Cluster) []string {
	if c.AddsNodes || len(c.Architectures) == 0 {
		return nil
	}
	nodes := text.List(c.Architectures, ", ", maxNamed)
	hasNodeFor := func(supported []string) bool {
		return len(supported) == 0 || slices.ContainsFunc(supported, func(one string) bool { return slices.Contains(c.Architectures, one) })
	}
	if supported := app.Status.Summary.Architectures; !hasNodeFor(supported) {
		return []string{fmt.Sprintf("the app supports only %s, but all nodes are %s", text.List(supported, ", ", maxNamed), nodes)}
	}
	var reasons []string
	for _, image := range app.Status.Images {
		if builds := preflight.BuiltArchitectures(image.Platforms); !hasNodeFor(builds) {
			reasons = append(reasons, fmt.Sprintf("image %q supports only %s, but all nodes are %s", image.Name, text.List(builds, ", ", maxNamed), nodes))
		}
	}
	return reasons
}

// checkRequests compares the requests of single Pods with the resources of single nodes.
func checkRequests(app *v1alpha1.AppInfo, c *Cluster) []string {
	if c.AddsNodes || len(c.Architectures) == 0 {
		return nil
	}
	var reasons []string
	for _, request := range app.Status.Summary.Requirements.PodRequests {
		wanted, err := resource.ParseQuantity(request.Amount)
		largest, isOffered := c.Largest[request.Name]
		switch {
		case err != nil: // The hydration has parsed it; only a forged status has another text.
		case !isOffered || largest.IsZero():
			reasons = append(reasons, fmt.Sprintf("a Pod requests %s of %s, but no node has this resource", request.Amount, request.Name))
		case wanted.Cmp(largest) > 0:
			reasons = append(reasons, fmt.Sprintf("a Pod requests %s of %s, but no node has more than %s", request.Amount, request.Name, largest.String()))
		}
	}
	return reasons
}

// administratorReasons returns why only an administrator can install an app.
func administratorReasons(summary *v1alpha1.AppSummary) []string {
	var reasons []string
	if access := summary.Access; access != nil && access.Scope == v1alpha1.AccessCluster {
		reasons = append(reasons, "the app has objects or permissions outside its namespace, so that its service account needs permissions there")
	}
	if summary.AdminOnly || summary.ClusterSingleton {
		reasons = append(reasons, "the manifest of the app restricts its installation to administrators")
	}
	return reasons
}
