package chartrepo

import (
	"net/http"
	"strings"
)

// The app catalog of Headlamp requests two paths from a Service that is labeled as a catalog:
// an index with archives next to it, and the values of one version.

// serveFlatIndex serves the aggregate index with archives next to it.
func (h *handler) serveFlatIndex(w http.ResponseWriter, r *http.Request) {
	serveIndex(w, r, h.aggregate.currentSnapshot().flat(), varyEncoding, false)
}

// serveValues serves the values.yaml of a version of the flat index.
func (h *handler) serveValues(w http.ResponseWriter, r *http.Request, chart, version string) {
	found := h.findSharedRecord(chart + "-" + version + ".tgz")
	if found == nil || h.aggregate.entryName(h.aggregate.currentSnapshot(), found) != chart || found.Reports == nil {
		writeError(w, http.StatusNotFound)
		return
	}
	h.sendReport(w, r, strings.TrimPrefix(found.Reports.Digest, "sha256:"), "values.yaml", cacheBriefly, varyEncoding)
}
