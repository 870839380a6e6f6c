package chartrepo

import (
	"fmt"
	"net/http"
	"strings"
)

// serveRoot serves / with usage information and the list of shared sources.
func (h *handler) serveRoot(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	text.WriteString("This is the Helm repository of AppMarket. Add this address, or one of the paths below, with helm repo add.\n\n")
	text.WriteString("/  all sources that are shared with all namespaces\n")
	for _, owner := range h.aggregate.currentSnapshot().owners {
		fmt.Fprintf(&text, "/%s/%s\n", owner.Namespace, owner.Source)
	}
	header := w.Header()
	header["Content-Type"] = contentTypeText
	header["Cache-Control"] = cacheNever
	serveContent(w, r, content{data: []byte(text.String())}, nil)
}
