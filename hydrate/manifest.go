package hydrate

import (
	"slices"

	"github.com/appmarket/operator/internal/inputs"
)

// Manifest contains the fields of an app manifest that AppMarket supports.
type Manifest struct {
	// Format is the value of olaresManifest.version, APIVersion is v1, v2 or v3, and Type
	// is app or middleware.
	Format     string
	APIVersion string
	Type       string

	Name        string
	Version     string
	Title       string
	Description string
	Icon        string
	Categories  []string

	// VersionName is the version of the packaged software, for display.
	VersionName        string
	Developer          string
	Website            string
	SourceCode         string
	FullDescription    string
	UpgradeDescription string
	Licenses           []string
	PromoteImages      []string
	Locales            []string

	Entrances []inputs.Entrance
	Inputs    []inputs.Input
	SubCharts []SubChart
	// WorkloadReplicas maps the name of a workload to its number of replicas.
	WorkloadReplicas map[string]int32
	// Middlewares maps the name of each requested middleware to its settings.
	Middlewares map[string]Middleware
	Needs       []Dependency
	Conflicts   []Dependency

	// Architectures lists the supported architectures, such as amd64. It is empty if the
	// manifest does not specify any.
	Architectures []string
	Resources     Resources
	// Permissions lists the requested permissions, such as "appData" and "userData: Home".
	Permissions []string

	// OnlyAdmin reports whether only administrators may install the app, and ClusterScoped
	// whether the app serves the whole cluster.
	OnlyAdmin     bool
	ClusterScoped bool
	// Cloneable reports whether the app may be installed more than once.
	Cloneable bool
	// Images lists images that the app needs in addition to those in its rendered objects.
	Images []string

	// Warnings lists the parts that were not understood, one sentence each, at most 50.
	Warnings []string
}

// IsClusterSingleton reports whether the app can be installed at most once in a cluster. Of an app
// with shared units, only these units serve the whole cluster.
func (m *Manifest) IsClusterSingleton() bool {
	return m.ClusterScoped && !slices.ContainsFunc(m.SubCharts, func(c SubChart) bool { return c.Shared })
}

// SubChart is a chart unit in a subfolder of the same name. A shared unit is installed once
// per cluster.
type SubChart struct {
	Name   string
	Shared bool
}

// Middleware specifies what an app requests from a database or a queue of the platform.
type Middleware struct {
	Username  string
	Namespace string
	// Names are the requested databases, buckets, vhosts or indexes.
	Names []string
}

// Dependency is another app, a middleware or the system, with a range of semantic versions.
type Dependency struct {
	Name string
	// Type is application, middleware or system.
	Type      string
	Version   string
	Mandatory bool
}

// Resources are the resources that the app requests, as Kubernetes quantities in the
// original form. A field is empty if the manifest does not specify it.
type Resources struct {
	RequiredCPU    string
	RequiredMemory string
	RequiredDisk   string
	RequiredGPU    string
	LimitedCPU     string
	LimitedMemory  string
	LimitedDisk    string
	LimitedGPU     string
}
