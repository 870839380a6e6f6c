package chartrepo

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/appmarket/operator/hydrate"
)

// HandlerOptions configures a Handler. The zero value is usable.
type HandlerOptions struct {
	// Shared reports whether a source is shared with all namespaces: it is listed in the
	// aggregate index, and everyone can read it. It is called for each request and must not
	// block. Defaults to all sources.
	Shared func(hydrate.Owner) bool
	// Markets are the namespaces of shared sources in order of precedence. The apps of the
	// first namespace keep their own names in the aggregate index. If empty, sources are
	// ordered by namespace and name.
	Markets []string
	// Access decides who can read a source that is not shared with all namespaces. Defaults
	// to denying every request.
	Access Access
	// Review decides who can read the versions that are not in the indexes. Defaults to denying every
	// request.
	Review Review
	// Ready reports whether the result of Shared is valid. Until then, all requests except
	// the health endpoints are answered with 503. Defaults to true.
	Ready func() bool
	// Checks are the checks of /readyz, in addition to the store.
	Checks []Check
	// Version is the version that /version returns. Defaults to the version of the build.
	Version string
}

// Headers that select a source if the path does not.
const (
	HeaderUser   = "X-Market-User"
	HeaderSource = "X-Market-Source"
)

// handler routes without http.ServeMux: the first folder of a path is a namespace of any
// name, for which http.ServeMux has no pattern that also allows /reports.
type handler struct {
	store     *Store
	aggregate *aggregateIndex
	isShared  func(hydrate.Owner) bool
	access    Access
	review    Review
	isReady   func() bool
	fixed     map[string]http.HandlerFunc
	health    map[string]http.HandlerFunc
}

// Handler returns an HTTP handler that serves the store:
//
//	/{namespace}/{source}/index.yaml              the versions published for a source
//	/{namespace}/{source}/charts/{name}-{version}.tgz
//	/index.yaml                                   all shared sources
//	/static-index.yaml, /charts/{name}-{version}.tgz
//	/charts/index.yaml, /values/{chart}/{version}/values.yaml  for Headlamp
//	/reports/{digest}/{file}
//	/                                             usage, as text
//	/healthz, /readyz, /version, /status
//
// The paths of the fourth line depend on two headers. X-Market-Source selects one source, by
// name or as "<namespace>/<name>". X-Market-User is the namespace that is searched for that
// name before the shared sources, which are searched in the order of their markets. Without
// X-Market-Source, these paths serve all shared sources. Two shared sources that offer the
// same app have two entries; see aggregateIndex.
//
// The index, the archives and the reports of a source that is not shared with all namespaces
// require a token of an account that can get the MarketSource. Without a valid token the
// response is 401, without the permission 403, in both cases also if the source does not
// exist, and 503 if the API server does not decide. The archives and the reports of versions that
// are not in the indexes require a token of an account that can review the app.
func Handler(store *Store, options HandlerOptions) http.Handler {
	if options.Shared == nil {
		options.Shared = func(hydrate.Owner) bool { return true }
	}
	if options.Access == nil {
		options.Access = denyAll
	}
	if options.Review == nil {
		options.Review = denyReview
	}
	if options.Ready == nil {
		options.Ready = func() bool { return true }
	}
	h := &handler{
		store: store, aggregate: &aggregateIndex{index: store.index, isShared: options.Shared, markets: options.Markets},
		isShared: options.Shared, access: options.Access, review: options.Review, isReady: options.Ready,
	}
	h.fixed = map[string]http.HandlerFunc{
		"/":                  h.serveRoot,
		"/index.yaml":        h.serveAggregateIndex,
		"/static-index.yaml": h.serveStaticIndex,
		"/charts/index.yaml": h.serveFlatIndex,
		"/status":            h.serveStatus,
	}
	h.health = map[string]http.HandlerFunc{
		"/healthz": serveHealth,
		"/readyz":  readiness{store: store, checks: options.Checks}.serveReadiness,
		"/version": newVersionHandler(options.Version),
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header()["Allow"] = []string{"GET, HEAD"}
		writeError(w, http.StatusMethodNotAllowed)
		return
	}
	if serve := h.health[r.URL.Path]; serve != nil {
		serve(w, r)
		return
	}
	if !h.isReady() {
		writeUnavailable(w)
		return
	}
	if serve := h.fixed[r.URL.Path]; serve != nil {
		serve(w, r)
		return
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	second, rest, deep := strings.Cut(rest, "/")
	switch {
	case !deep && first == "charts":
		h.serveStaticChart(w, r, second)
	case !deep:
		writeError(w, http.StatusNotFound)
	case first == "values" && strings.HasSuffix(rest, "/values.yaml"):
		h.serveValues(w, r, second, strings.TrimSuffix(rest, "/values.yaml"))
	case first == "reports" && digestPattern.MatchString("sha256:"+second):
		h.serveReport(w, r, second, rest)
	default:
		h.serveSource(w, r, hydrate.Owner{Namespace: first, Source: second}, rest)
	}
}

func (h *handler) serveSource(w http.ResponseWriter, r *http.Request, owner hydrate.Owner, path string) {
	private, ok := h.authorizeSource(w, r, owner)
	if !ok {
		return
	}
	if path == "index.yaml" {
		vary := varyEncoding
		if private {
			vary = varyToken
		}
		serveIndex(w, r, h.store.index.indexOf(owner), vary, private)
		return
	}
	name, ok := strings.CutPrefix(path, "charts/")
	if !ok {
		writeError(w, http.StatusNotFound)
		return
	}
	h.serveArchive(w, r, h.store.index.findByFile(owner, name), private)
}

func (h *handler) serveAggregateIndex(w http.ResponseWriter, r *http.Request) {
	serveIndex(w, r, h.aggregate.currentSnapshot().index(), varyEncoding, false)
}

func (h *handler) serveStaticIndex(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(HeaderSource) == "" {
		serveIndex(w, r, h.aggregate.currentSnapshot().index(), varyHeaders, false)
		return
	}
	w.Header()["Vary"] = varyHeaders
	if owner, private, ok := h.chooseSource(w, r); ok {
		serveIndex(w, r, h.store.index.indexOf(owner), varyHeaders, private)
	}
}

func (h *handler) serveStaticChart(w http.ResponseWriter, r *http.Request, name string) {
	w.Header()["Vary"] = varyHeaders
	if r.Header.Get(HeaderSource) == "" {
		h.serveArchive(w, r, h.findSharedRecord(name), false)
		return
	}
	if owner, private, ok := h.chooseSource(w, r); ok {
		h.serveArchive(w, r, h.store.index.findByFile(owner, name), private)
	}
}

// findSharedRecord returns the record of an archive of a shared source. The aggregate index
// can be one second old, so sharing is checked again.
func (h *handler) findSharedRecord(name string) *record {
	found := h.aggregate.findByEntryFile(name)
	if found == nil || !h.isShared(found.owner()) || !h.store.index.isIndexed(found) {
		return nil
	}
	return found
}

func (h *handler) serveArchive(w http.ResponseWriter, r *http.Request, found *record, private bool) {
	header := w.Header()
	if found != nil && !h.store.index.isIndexed(found) {
		private = true
		if !h.authorizeReview(w, r, found) {
			return
		}
	}
	caching := cacheBriefly
	if private {
		caching = cachePrivate
		if header["Vary"] == nil {
			header["Vary"] = varyToken
		}
	}
	if found == nil {
		writeError(w, http.StatusNotFound)
		return
	}
	c, err := h.store.openArchive(found.Archive.Digest)
	if err != nil {
		writeReadError(w, err)
		return
	}
	header["Content-Type"] = contentTypeArchive
	header["Cache-Control"] = caching
	header["Etag"] = found.etag
	serveContent(w, r, c, found.length)
}

func (h *handler) serveReport(w http.ResponseWriter, r *http.Request, hex, name string) {
	private, ok := h.authorizeReport(w, r, "sha256:"+hex)
	switch {
	case !ok:
	case private:
		h.sendReport(w, r, hex, name, cachePrivate, varyToken)
	default:
		h.sendReport(w, r, hex, name, cacheForever, varyEncoding)
	}
}

// sendReport serves a file of packed reports. Reports that no record references are not
// looked up on disk.
func (h *handler) sendReport(w http.ResponseWriter, r *http.Request, hex, name string, caching, vary []string) {
	digest := "sha256:" + hex
	if !h.store.index.hasReports(digest, anyRecord) {
		writeError(w, http.StatusNotFound)
		return
	}
	c, err := h.store.openReport(digest, name)
	if err != nil {
		writeReadError(w, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = reportContentType(name)
	header["Content-Security-Policy"] = policyDenyAll
	header["Cache-Control"] = caching
	header["Vary"] = vary
	tag := hex + "-" + name
	if c.file == nil && len(c.data) >= minGzipBytes && acceptsGzip(r) {
		if c, err = h.store.packedReport(digest, name, c.data); err != nil {
			writeReadError(w, err)
			return
		}
		header["Content-Encoding"] = encodingGzip
		tag += "-gzip"
	}
	header["Etag"] = []string{`"` + tag + `"`}
	serveContent(w, r, c, nil)
}

func anyRecord(*record) bool { return true }

// packedReport returns a report compressed, from the cache if possible.
func (s *Store) packedReport(digest, name string, data []byte) (content, error) {
	return s.loadContent(digest+"/"+name+"+gzip", func() (content, error) {
		return content{data: gzipText(data)}, nil
	})
}

// writeReadError writes the response for content that could not be read. Damaged content has
// already been reported and will be published again.
func writeReadError(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		writeError(w, http.StatusNotFound)
		return
	}
	writeUnavailable(w)
}

// writeUnavailable writes a response that asks the client to try again later.
func writeUnavailable(w http.ResponseWriter) {
	w.Header()["Retry-After"] = []string{"10"}
	writeError(w, http.StatusServiceUnavailable)
}

// writeError writes the text of the status, which must not be cached.
func writeError(w http.ResponseWriter, status int) {
	writeErrorText(w, status, strings.ToLower(http.StatusText(status)))
}

func writeErrorText(w http.ResponseWriter, status int, text string) {
	w.Header()["Cache-Control"] = cacheNever
	http.Error(w, text, status)
}
