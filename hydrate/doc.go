// Package hydrate makes an app of a market ready to serve: five steps over one
// draft, in the order in which the status of an AppInfo shows them.
//
//	SourceChart    fetches the chart, checks and unpacks it
//	RenderedChart  reads the app's manifest and renders every chart unit
//	CustomParams   merges parameters into values.yaml and renders again
//	ImageAnalysis  finds the images and asks the registry about them
//	RepoUpdate     packs the chart and hands it to the repository
//
// The package knows no cluster and serves nothing. It owns the plain types that
// pass between the steps and the small interfaces through which they reach the
// world; the adapters under internal implement these. A step has no state of its
// own, does not log and does not skip itself: Pipeline runs the steps that are
// left, names the one that failed and tells an observer.
//
// The work is keyed by its inputs (Inputs), never by its output: many real charts
// render random secrets, and would never come to rest.
package hydrate
