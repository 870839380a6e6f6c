package hydrate

import (
	"github.com/appmarket/operator/internal/inputs"
)

// Manifest is the part of an app manifest that AppMarket understands.
type Manifest struct {
	// Format is olaresManifest.version, APIVersion is v1, v2 or v3, and Type is
	// app or middleware.
	Format     string
	APIVersion string
	Type       string

	Name        string
	Version     string
	Title       string
	Description string
	Icon        string
	Categories  []string

	// VersionName is the version of what the app contains, for people.
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
	// WorkloadReplicas maps the name of a workload to its replicas.
	WorkloadReplicas map[string]int32
	// Middlewares are the names of the middleware blocks with what they ask for.
	Middlewares map[string]Middleware
	Needs       []Dependency
	Conflicts   []Dependency

	// Architectures that the app says it supports, such as amd64; empty when it
	// does not say.
	Architectures []string
	Resources     Resources
	// Permissions asked for, as "appData", "userData: Home".
	Permissions []string

	OnlyAdmin     bool
	ClusterScoped bool
	// Cloneable says that the app may be installed more than once.
	Cloneable bool
	// Images are those that the app needs beyond its rendered objects.
	Images []string

	// Warnings are what was not understood, one sentence each, at most 50.
	Warnings []string
}

// SubChart is a chart unit in a subfolder of the same name. A shared one is
// installed once for the cluster.
type SubChart struct {
	Name   string
	Shared bool
}

// Middleware is what an app asks of a database or queue of the platform.
type Middleware struct {
	Username  string
	Namespace string
	// Names are the databases, buckets, vhosts or indexes asked for.
	Names []string
}

// Dependency is another app, a middleware or the system itself, with a range of
// semantic versions.
type Dependency struct {
	Name string
	// Type is application, middleware or system.
	Type      string
	Version   string
	Mandatory bool
}

// Resources are what the app asks the node for, as Kubernetes quantities, kept
// as written; empty when not said.
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
