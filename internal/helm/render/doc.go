// Package render renders the templates of a chart with the engine of Helm.
//
// Engine renders one chart unit in the calling process. It reads the cluster only through a
// hydrate.Lookup. Call it in the processes of internal/worker, which can be killed: a template can
// loop indefinitely or allocate all memory, and Go cannot stop it.
package render
