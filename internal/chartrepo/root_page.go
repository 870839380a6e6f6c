package chartrepo

import (
	"fmt"
	"net/http"
	"strings"
)

// serveRoot answers / with what a person who finds this address by chance needs to know:
// how it is used, and which sources it has.
func (h *handler) serveRoot(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	text.WriteString("This is the Helm repository of AppMarket. Add this address, or one of the paths below, by helm repo add.\n\n")
	text.WriteString("/  all sources that are shared with all\n")
	for _, owner := range h.aggregate.currentSnapshot().owners {
		fmt.Fprintf(&text, "/%s/%s\n", owner.Namespace, owner.Source)
	}
	header := w.Header()
	header["Content-Type"] = contentTypeText
	header["Cache-Control"] = cacheNever
	serveContent(w, r, content{data: []byte(text.String())}, nil)
}
