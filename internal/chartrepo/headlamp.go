package chartrepo

import (
	"net/http"
	"strings"
)

// The app catalog of Headlamp asks a Service that is labeled as a catalog for two paths:
// an index with the archives beside it, and the values of one version.

// serveFlatIndex serves the joined index with the archives beside it.
func (h *handler) serveFlatIndex(w http.ResponseWriter, r *http.Request) {
	serveIndex(w, r, h.aggregate.currentSnapshot().flat(), varyEncoding, false)
}

// serveValues serves the values.yaml of the version that the flat index lists.
func (h *handler) serveValues(w http.ResponseWriter, r *http.Request, chart, version string) {
	found := h.findSharedRecord(chart + "-" + version + ".tgz")
	if found == nil || h.aggregate.entryName(h.aggregate.currentSnapshot(), found) != chart || found.Reports == nil {
		writeError(w, http.StatusNotFound)
		return
	}
	h.sendReport(w, r, strings.TrimPrefix(found.Reports.Digest, "sha256:"), "values.yaml", cacheBriefly, varyEncoding)
}
