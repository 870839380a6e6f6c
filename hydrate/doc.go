// Package hydrate prepares an app of a source for serving. It runs five steps on one draft,
// in the order in which the status of an AppInfo shows them.
//
//	SourceChart    fetches the chart, checks and unpacks it
//	RenderedChart  reads the app manifest and renders every chart unit
//	CustomParams   merges parameters into values.yaml and renders again
//	ImageAnalysis  finds the images and requests their details from the registries
//	RepoUpdate     packs the chart and publishes it in the repository
//
// The package does not depend on a cluster. It defines the types that the steps exchange
// and small interfaces for everything outside the process; the adapters under internal
// implement these interfaces. Steps are stateless, do not log and do not skip themselves:
// Pipeline runs the remaining steps, adds the name of the failed step to the error, and
// notifies an observer.
//
// The work is keyed by its inputs (see Inputs), never by its output: many charts render
// random secrets, so their output changes with each rendering.
package hydrate
