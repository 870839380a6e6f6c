package chartrepo

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/appmarket/operator/hydrate"
)

// HandlerOptions of a Handler; the zero value is usable.
type HandlerOptions struct {
	// Shared reports whether a source is shared with all: the joined index lists it, and
	// everybody may read it. Nil means that all are. It is called for every request and
	// must not wait.
	Shared func(hydrate.Owner) bool
	// Markets are the namespaces of shared sources in order of precedence. The apps of
	// the first one have their own names in the joined index. With none, sources come
	// by namespace and name.
	Markets []string
	// Access decides who may read a source that is not shared with all. Nil means nobody.
	Access Access
	// Ready reports whether Shared knows. Until then, all but the health of the server is
	// answered with 503. Nil means from the beginning.
	Ready func() bool
	// Checks are what /readyz asks beside the store.
	Checks []Check
	// Version is what /version says; empty means that of the build.
	Version string
}

// Headers that choose a source where the path does not.
const (
	HeaderUser   = "X-Market-User"
	HeaderSource = "X-Market-Source"
)

// handler routes by hand: the first folder of a path is a namespace that may
// have any name, for which http.ServeMux has no pattern beside /reports.
type handler struct {
	store     *Store
	aggregate *aggregateIndex
	isShared  func(hydrate.Owner) bool
	access    Access
	isReady   func() bool
	fixed     map[string]http.HandlerFunc
	health    map[string]http.HandlerFunc
}

// Handler serves the store:
//
//	/{namespace}/{source}/index.yaml              what is published for a source
//	/{namespace}/{source}/charts/{name}-{version}.tgz
//	/index.yaml                                   all shared sources
//	/static-index.yaml, /charts/{name}-{version}.tgz
//	/charts/index.yaml, /values/{chart}/{version}/values.yaml  what Headlamp asks for
//	/reports/{digest}/{file}
//	/                                             how it is used, for a person
//	/healthz, /readyz, /version, /status
//
// The fourth line obeys two headers: X-Market-Source chooses one source, by name
// or as "<namespace>/<name>", and X-Market-User the namespace in which that name
// is looked for before the shared sources, which come in the order of their markets.
// Without X-Market-Source these paths speak of all shared sources. Two of them that
// offer the same app are two entries, as said at joined.
//
// The index, the archives and the reports of a source that is not shared with all are only
// for callers whose token may get the MarketSource. Without a valid token the answer is 401,
// without the right 403, both also where there is no such source, and 503 while the API
// server does not decide.
func Handler(store *Store, options HandlerOptions) http.Handler {
	if options.Shared == nil {
		options.Shared = func(hydrate.Owner) bool { return true }
	}
	if options.Access == nil {
		options.Access = denyAll
	}
	if options.Ready == nil {
		options.Ready = func() bool { return true }
	}
	h := &handler{
		store: store, aggregate: &aggregateIndex{index: store.index, isShared: options.Shared, markets: options.Markets},
		isShared: options.Shared, access: options.Access, isReady: options.Ready,
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

// joinedFile finds an archive of a shared source. The joined index may be a second behind;
// what is no longer shared is not found.
func (h *handler) findSharedRecord(name string) *record {
	found := h.aggregate.findByEntryFile(name)
	if found == nil || !h.isShared(found.owner()) {
		return nil
	}
	return found
}

func (h *handler) serveArchive(w http.ResponseWriter, r *http.Request, found *record, private bool) {
	header := w.Header()
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

// sendReport answers with a file of packed reports. Reports that no record names are not
// looked for on disk.
func (h *handler) sendReport(w http.ResponseWriter, r *http.Request, hex, name string, caching, vary []string) {
	digest := "sha256:" + hex
	if !h.store.index.hasReports(digest, anyOwner) {
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

func anyOwner(hydrate.Owner) bool { return true }

// packedReport is a report compressed, from the cache if it is there.
func (s *Store) packedReport(digest, name string, data []byte) (content, error) {
	return s.loadContent(digest+"/"+name+"+gzip", func() (content, error) {
		return content{data: gzipText(data)}, nil
	})
}

// refuseError answers for content that could not be read. What is damaged has
// been reported by now and is being made again.
func writeReadError(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		writeError(w, http.StatusNotFound)
		return
	}
	writeUnavailable(w)
}

// unavailable answers that the client should try again.
func writeUnavailable(w http.ResponseWriter) {
	w.Header()["Retry-After"] = []string{"10"}
	writeError(w, http.StatusServiceUnavailable)
}

// refuse answers with the words of the status and nothing that could be cached.
func writeError(w http.ResponseWriter, status int) {
	writeErrorText(w, status, strings.ToLower(http.StatusText(status)))
}

func writeErrorText(w http.ResponseWriter, status int, text string) {
	w.Header()["Cache-Control"] = cacheNever
	http.Error(w, text, status)
}
