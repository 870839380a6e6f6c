package placement_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/placement"
)

// smallCluster is a cluster with amd64 nodes without GPUs.
func smallCluster() *placement.Cluster {
	return &placement.Cluster{
		Version: "v1.36.1", Kinds: map[v1alpha1.RequiredKind]bool{{APIVersion: "example.com/v1", Kind: "Widget"}: true},
		UnknownVersions: map[string]bool{"down.example.com/v1": true}, StorageClasses: map[string]bool{"fast": true}, HasDefaultStorageClass: true,
		IngressClasses: map[string]bool{"nginx": true}, Architectures: []string{"amd64"},
		Largest: map[string]resource.Quantity{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi")},
	}
}

func TestAssess(t *testing.T) {
	for _, c := range []struct {
		why     string
		app     func(*v1alpha1.AppInfoStatus)
		cluster func(*placement.Cluster)
		verdict v1alpha1.PlacementVerdict
		reason  string
	}{
		{"an app without requirements", nil, nil, v1alpha1.PlacementYes, ""},
		{"another architecture", func(st *v1alpha1.AppInfoStatus) { st.Summary.Architectures = []string{"arm64"} }, nil,
			v1alpha1.PlacementNo, "the app supports only arm64, but all nodes are amd64"},
		{"one of its architectures", func(st *v1alpha1.AppInfoStatus) { st.Summary.Architectures = []string{"arm64", "amd64"} }, nil, v1alpha1.PlacementYes, ""},
		{"an image for another architecture", func(st *v1alpha1.AppInfoStatus) {
			st.Images = []v1alpha1.AppImage{{Name: "a"}, {Name: "b", Platforms: []string{"linux/arm64/v8", "windows/amd64"}}}
		}, nil, v1alpha1.PlacementNo, `image "b" supports only arm64, but all nodes are amd64`},
		{"another architecture, but nodes are created on demand", func(st *v1alpha1.AppInfoStatus) { st.Summary.Architectures = []string{"arm64"} },
			func(c *placement.Cluster) { c.AddsNodes = true }, v1alpha1.PlacementYes, ""},
		{"another architecture, but no nodes yet", func(st *v1alpha1.AppInfoStatus) { st.Summary.Architectures = []string{"arm64"} },
			func(c *placement.Cluster) { c.Architectures = nil }, v1alpha1.PlacementYes, ""},
		{"a newer Kubernetes version", func(st *v1alpha1.AppInfoStatus) { st.Summary.Requirements.KubernetesVersion = ">=1.40.0-0" }, nil,
			v1alpha1.PlacementNo, "the chart requires Kubernetes >=1.40.0-0, but the cluster has v1.36.1"},
		{"kinds that are served, or unknown", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Requirements.Kinds = []v1alpha1.RequiredKind{{APIVersion: "example.com/v1", Kind: "Widget"}, {APIVersion: "down.example.com/v1", Kind: "A"}}
		}, nil, v1alpha1.PlacementYes, ""},
		{"a kind that is not served", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Requirements.Kinds = []v1alpha1.RequiredKind{{APIVersion: "example.com/v2", Kind: "Widget"}}
		}, nil, v1alpha1.PlacementNo, `no matches for kind "Widget" in version "example.com/v2": install the operator that provides this CRD first`},
		{"a kind that Kubernetes has removed", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Requirements.Kinds = []v1alpha1.RequiredKind{{APIVersion: "policy/v1beta1", Kind: "PodSecurityPolicy"}}
		}, nil, v1alpha1.PlacementNo, `no matches for kind "PodSecurityPolicy" in version "policy/v1beta1": use a version of the app that supports Kubernetes v1.36.1`},
		{"classes", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Requirements.StorageClassNames, st.Summary.Requirements.IngressClassNames = []string{"fast"}, []string{"nginx"}
		}, nil, v1alpha1.PlacementYes, ""},
		{"another storage class", func(st *v1alpha1.AppInfoStatus) { st.Summary.Requirements.StorageClassNames = []string{"slow"} }, nil,
			v1alpha1.PlacementNo, `StorageClass "slow" not found`},
		{"another ingress class", func(st *v1alpha1.AppInfoStatus) { st.Summary.Requirements.IngressClassNames = []string{"traefik"} }, nil,
			v1alpha1.PlacementNo, `IngressClass "traefik" not found`},
		{"no default storage class", func(st *v1alpha1.AppInfoStatus) { st.Summary.Requirements.DefaultStorageClass = true },
			func(c *placement.Cluster) { c.HasDefaultStorageClass = false },
			v1alpha1.PlacementNo, "a volume claim does not specify a StorageClass, and the cluster has no default StorageClass"},
		{"a GPU", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Requirements.PodRequests = []v1alpha1.ResourceAmount{{Name: "cpu", Amount: "4"}, {Name: "nvidia.com/gpu", Amount: "1"}}
		}, nil, v1alpha1.PlacementNo, "a Pod requests 1 of nvidia.com/gpu, but no node has this resource"},
		{"more memory than a node", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Requirements.PodRequests = []v1alpha1.ResourceAmount{{Name: "memory", Amount: "9Gi"}}
		}, nil, v1alpha1.PlacementNo, "a Pod requests 9Gi of memory, but no node has more than 8Gi"},
		{"objects outside its namespace", func(st *v1alpha1.AppInfoStatus) {
			st.Summary.Access = &v1alpha1.AppAccess{Scope: v1alpha1.AccessCluster}
		}, nil,
			v1alpha1.PlacementNeedsAdministrator, "the app has objects or permissions outside its namespace, so that its service account needs permissions there"},
		{"an administrators' app", func(st *v1alpha1.AppInfoStatus) { st.Summary.AdminOnly = true }, nil,
			v1alpha1.PlacementNeedsAdministrator, "the manifest of the app restricts its installation to administrators"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			app, cluster := &v1alpha1.AppInfo{}, smallCluster()
			app.Status.Summary = &v1alpha1.AppSummary{Requirements: &v1alpha1.AppRequirements{}, Access: &v1alpha1.AppAccess{Scope: v1alpha1.AccessNamespace}}
			if c.app != nil {
				c.app(&app.Status)
			}
			if c.cluster != nil {
				c.cluster(cluster)
			}
			got := placement.Assess(app, cluster)
			g.Expect(got.Verdict).To(Equal(c.verdict))
			if c.reason == "" {
				g.Expect(got.Reasons).To(BeEmpty())
			} else {
				g.Expect(got.Reasons).To(Equal([]string{c.reason}))
			}
		})
	}
}

func TestPlacementOfUnknownObjects(t *testing.T) {
	g := NewWithT(t)
	g.Expect(placement.Assess(&v1alpha1.AppInfo{}, smallCluster())).To(BeNil())
	g.Expect(placement.Assess(&v1alpha1.AppInfo{Status: v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{}}}, smallCluster())).To(BeNil())
}

func TestReasonsAreBounded(t *testing.T) {
	g := NewWithT(t)
	app := &v1alpha1.AppInfo{Status: v1alpha1.AppInfoStatus{Summary: &v1alpha1.AppSummary{Requirements: &v1alpha1.AppRequirements{}}}}
	for range 60 {
		app.Status.Summary.Requirements.Kinds = append(app.Status.Summary.Requirements.Kinds, v1alpha1.RequiredKind{APIVersion: "a.example.com/v1", Kind: strings.Repeat("K", 253) + "\n" + strings.Repeat("x", 250)})
	}
	reasons := placement.Assess(app, smallCluster()).Reasons
	g.Expect(reasons).To(HaveLen(10))
	for _, reason := range reasons {
		g.Expect(len([]rune(reason))).To(BeNumerically("<=", 512))
		g.Expect(reason).NotTo(ContainSubstring("\n"))
	}
}
