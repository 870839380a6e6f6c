package chartrepo

import (
	"net/http"
	"strings"
)

// The app catalog of Headlamp asks a Service that is labeled as a catalog for two paths:
// an index with the archives beside it, and the values of one version.

// serveFlatIndex serves the joined index with the archives beside it.
func (h *handler) serveFlatIndex(w http.ResponseWriter, r *http.Request) {
	servePage(w, r, h.joined.current().flat(), varyEncoding, false)
}

// serveValues serves the values.yaml of the version that the flat index lists.
func (h *handler) serveValues(w http.ResponseWriter, r *http.Request, chart, version string) {
	found := h.joinedFile(chart + "-" + version + ".tgz")
	if found == nil || h.joined.nameIn(h.joined.current(), found) != chart || found.Reports == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	h.sendReport(w, r, strings.TrimPrefix(found.Reports.Digest, "sha256:"), "values.yaml", cacheBriefly, varyEncoding)
}
