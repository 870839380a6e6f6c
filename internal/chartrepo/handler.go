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
	store  *Store
	joined *joined
	shared func(hydrate.Owner) bool
	access Access
	ready  func() bool
	fixed  map[string]http.HandlerFunc
	health map[string]http.HandlerFunc
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
		store: store, joined: &joined{table: store.table, shared: options.Shared, markets: options.Markets},
		shared: options.Shared, access: options.Access, ready: options.Ready,
	}
	h.fixed = map[string]http.HandlerFunc{
		"/":                  h.serveRoot,
		"/index.yaml":        h.serveJoinedIndex,
		"/static-index.yaml": h.serveStaticIndex,
		"/charts/index.yaml": h.serveFlatIndex,
		"/status":            h.serveStatus,
	}
	h.health = map[string]http.HandlerFunc{
		"/healthz": serveHealth,
		"/readyz":  readiness{store: store, checks: options.Checks}.serve,
		"/version": versionPage(options.Version),
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header()["Allow"] = []string{"GET, HEAD"}
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	if serve := h.health[r.URL.Path]; serve != nil {
		serve(w, r)
		return
	}
	if !h.ready() {
		unavailable(w)
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
		refuse(w, http.StatusNotFound)
	case first == "values" && strings.HasSuffix(rest, "/values.yaml"):
		h.serveValues(w, r, second, strings.TrimSuffix(rest, "/values.yaml"))
	case first == "reports" && digestForm.MatchString("sha256:"+second):
		h.serveReport(w, r, second, rest)
	default:
		h.serveSource(w, r, hydrate.Owner{Namespace: first, Source: second}, rest)
	}
}

func (h *handler) serveSource(w http.ResponseWriter, r *http.Request, owner hydrate.Owner, path string) {
	private, ok := h.admit(w, r, owner)
	if !ok {
		return
	}
	if path == "index.yaml" {
		vary := varyEncoding
		if private {
			vary = varyToken
		}
		servePage(w, r, h.store.table.index(owner), vary, private)
		return
	}
	name, ok := strings.CutPrefix(path, "charts/")
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	h.serveArchive(w, r, h.store.table.file(owner, name), private)
}

func (h *handler) serveJoinedIndex(w http.ResponseWriter, r *http.Request) {
	servePage(w, r, h.joined.current().index(), varyEncoding, false)
}

func (h *handler) serveStaticIndex(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(HeaderSource) == "" {
		servePage(w, r, h.joined.current().index(), varyHeaders, false)
		return
	}
	w.Header()["Vary"] = varyHeaders
	if owner, private, ok := h.choose(w, r); ok {
		servePage(w, r, h.store.table.index(owner), varyHeaders, private)
	}
}

func (h *handler) serveStaticChart(w http.ResponseWriter, r *http.Request, name string) {
	w.Header()["Vary"] = varyHeaders
	if r.Header.Get(HeaderSource) == "" {
		h.serveArchive(w, r, h.joinedFile(name), false)
		return
	}
	if owner, private, ok := h.choose(w, r); ok {
		h.serveArchive(w, r, h.store.table.file(owner, name), private)
	}
}

// joinedFile finds an archive of a shared source. The joined index may be a second behind;
// what is no longer shared is not found.
func (h *handler) joinedFile(name string) *record {
	found := h.joined.file(name)
	if found == nil || !h.shared(found.owner()) {
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
		refuse(w, http.StatusNotFound)
		return
	}
	c, err := h.store.archive(found.Archive.Digest)
	if err != nil {
		refuseError(w, err)
		return
	}
	header["Content-Type"] = kindArchive
	header["Cache-Control"] = caching
	header["Etag"] = found.etag
	serveContent(w, r, c, found.length)
}

func (h *handler) serveReport(w http.ResponseWriter, r *http.Request, hex, name string) {
	private, ok := h.admitReport(w, r, "sha256:"+hex)
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
	if !h.store.table.hasReports(digest, anyOwner) {
		refuse(w, http.StatusNotFound)
		return
	}
	c, err := h.store.report(digest, name)
	if err != nil {
		refuseError(w, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = reportKind(name)
	header["Content-Security-Policy"] = policyNothing
	header["Cache-Control"] = caching
	header["Vary"] = vary
	tag := hex + "-" + name
	if c.file == nil && len(c.data) >= minPacked && acceptsGzip(r) {
		if c, err = h.store.packedReport(digest, name, c.data); err != nil {
			refuseError(w, err)
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
	return s.load(digest+"/"+name+"+gzip", func() (content, error) {
		return content{data: compress(data)}, nil
	})
}

// refuseError answers for content that could not be read. What is damaged has
// been reported by now and is being made again.
func refuseError(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		refuse(w, http.StatusNotFound)
		return
	}
	unavailable(w)
}

// unavailable answers that the client should try again.
func unavailable(w http.ResponseWriter) {
	w.Header()["Retry-After"] = []string{"10"}
	refuse(w, http.StatusServiceUnavailable)
}

// refuse answers with the words of the status and nothing that could be cached.
func refuse(w http.ResponseWriter, status int) {
	refuseText(w, status, strings.ToLower(http.StatusText(status)))
}

func refuseText(w http.ResponseWriter, status int, text string) {
	w.Header()["Cache-Control"] = cacheNever
	http.Error(w, text, status)
}
