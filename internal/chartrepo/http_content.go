package chartrepo

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Constant header values. They are set without canonicalizing a name or allocating a slice
// for each request, and must not be modified.
var (
	contentTypeArchive = []string{"application/gzip"}
	contentTypeYAML    = []string{"application/yaml; charset=utf-8"}
	contentTypeJSON    = []string{"application/json"}
	contentTypeText    = []string{"text/plain; charset=utf-8"}
	contentTypeBytes   = []string{"application/octet-stream"}

	// The archive of a version can be published again, and an index changes.
	cacheBriefly    = []string{"public, max-age=60, must-revalidate"}
	cacheRevalidate = []string{"no-cache"}
	cacheForever    = []string{"public, max-age=31536000, immutable"}
	cacheNever      = []string{"no-store"}
	// Private content is revalidated each time, so that a revoked permission takes effect
	// immediately.
	cachePrivate = []string{"private, no-cache"}

	varyEncoding = []string{"Accept-Encoding"}
	varyToken    = []string{"Accept-Encoding, Authorization"}
	varyHeaders  = []string{"Accept-Encoding, Authorization, " + HeaderUser + ", " + HeaderSource}

	encodingGzip  = []string{"gzip"}
	acceptBytes   = []string{"bytes"}
	noSniff       = []string{"nosniff"}
	policyDenyAll = []string{"sandbox; default-src 'none'"}
)

// minGzipBytes is the minimum size of a text that is compressed.
const minGzipBytes = 1 << 10

// serveIndex serves an index, compressed for clients that accept it. A nil index is not
// found.
func serveIndex(w http.ResponseWriter, r *http.Request, p *cachedIndex, vary []string, private bool) {
	header := w.Header()
	header["Vary"] = vary
	if p == nil {
		writeError(w, http.StatusNotFound)
		return
	}
	header["Content-Type"] = contentTypeYAML
	header["Cache-Control"] = cacheRevalidate
	if private {
		header["Cache-Control"] = cachePrivate
	}
	f := p.plain
	if len(f.body) >= minGzipBytes && acceptsGzip(r) {
		f = p.gzipped()
		header["Content-Encoding"] = encodingGzip
	}
	header["Etag"] = f.etag
	serveContent(w, r, content{data: f.body}, f.length)
}

// serveContent serves content whose other headers are already set, and closes it. length is
// the content length as text if the caller has it.
func serveContent(w http.ResponseWriter, r *http.Request, c content, length []string) {
	header := w.Header()
	header["X-Content-Type-Options"] = noSniff
	if c.file != nil || isConditional(r) {
		http.ServeContent(w, r, "", time.Time{}, c.reader())
		// The response has been sent, so the error cannot be reported.
		_ = c.close()
		return
	}
	if length == nil {
		length = []string{strconv.Itoa(len(c.data))}
	}
	header["Accept-Ranges"] = acceptBytes
	header["Content-Length"] = length
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		// An error means that the client has disconnected.
		_ = sendBody(w, r, c.data)
	}
}

// isConditional reports whether the response can be anything but the whole content.
func isConditional(r *http.Request) bool {
	h := r.Header
	return len(h["If-None-Match"]) > 0 || len(h["Range"]) > 0 || len(h["If-Match"]) > 0
}

// acceptsGzip reports whether the client accepts gzip. A range always refers to the plain
// text, so that ranges fetched by different clients fit together.
func acceptsGzip(r *http.Request) bool {
	if len(r.Header["Range"]) > 0 {
		return false
	}
	for _, line := range r.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			coding, weight, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				return !isZeroWeight(weight)
			}
		}
	}
	return false
}

// isZeroWeight reports whether a weight such as "q=0.0" is zero.
func isZeroWeight(weight string) bool {
	value, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
	if !ok {
		return false
	}
	q, err := strconv.ParseFloat(value, 64)
	return err == nil && q == 0
}
