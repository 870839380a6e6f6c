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
	// Shared tells which sources the joined index lists; nil means all. It is
	// asked after every change and otherwise at most once a second.
	Shared func(hydrate.Owner) bool
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
	fixed  map[string]http.HandlerFunc
}

// Handler serves the store:
//
//	/{namespace}/{source}/index.yaml              what is published for a source
//	/{namespace}/{source}/charts/{name}-{version}.tgz
//	/index.yaml                                   all shared sources
//	/static-index.yaml, /charts/{name}-{version}.tgz
//	/charts/index.yaml, /values/{chart}/{version}/values.yaml  what Headlamp asks for
//	/reports/{digest}/{file}                      cached by clients forever
//	/                                             how it is used, for a person
//	/healthz, /readyz, /version, /status
//
// The fourth line obeys two headers: X-Market-Source chooses one source, by name
// or as "<namespace>/<name>", and X-Market-User the namespace in which that name
// is looked for before the shared sources. Without X-Market-Source these paths
// speak of all shared sources. Where two of those offer the same version of an
// app, the one whose namespace and name sort first counts.
func Handler(store *Store, options HandlerOptions) http.Handler {
	if options.Shared == nil {
		options.Shared = func(hydrate.Owner) bool { return true }
	}
	h := &handler{store: store, joined: &joined{table: store.table, shared: options.Shared}}
	h.fixed = map[string]http.HandlerFunc{
		"/":                  h.serveRoot,
		"/index.yaml":        h.serveJoinedIndex,
		"/static-index.yaml": h.serveStaticIndex,
		"/charts/index.yaml": h.serveFlatIndex,
		"/healthz":           serveHealth,
		"/readyz":            readiness{store: store, checks: options.Checks}.serve,
		"/version":           versionPage(options.Version),
		"/status":            h.serveStatus,
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header()["Allow"] = []string{"GET, HEAD"}
		refuse(w, http.StatusMethodNotAllowed)
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
	if path == "index.yaml" {
		servePage(w, r, h.store.table.index(owner), varyEncoding)
		return
	}
	name, ok := strings.CutPrefix(path, "charts/")
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	h.serveArchive(w, r, h.store.table.file(owner, name))
}

func (h *handler) serveJoinedIndex(w http.ResponseWriter, r *http.Request) {
	servePage(w, r, h.joined.current().index(), varyEncoding)
}

func (h *handler) serveStaticIndex(w http.ResponseWriter, r *http.Request) {
	owner, asked, ok := h.asked(r)
	switch {
	case !asked:
		servePage(w, r, h.joined.current().index(), varyHeaders)
	case !ok:
		refuse(w, http.StatusNotFound)
	default:
		servePage(w, r, h.store.table.index(owner), varyHeaders)
	}
}

func (h *handler) serveStaticChart(w http.ResponseWriter, r *http.Request, name string) {
	w.Header()["Vary"] = varyHeaders
	owner, asked, ok := h.asked(r)
	switch {
	case !asked:
		h.serveArchive(w, r, h.joined.file(name))
	case !ok:
		refuse(w, http.StatusNotFound)
	default:
		h.serveArchive(w, r, h.store.table.file(owner, name))
	}
}

// asked is the source that the headers choose, if they do.
func (h *handler) asked(r *http.Request) (owner hydrate.Owner, asked, ok bool) {
	source := r.Header.Get(HeaderSource)
	if source == "" {
		return hydrate.Owner{}, false, false
	}
	owner, ok = h.joined.pick(r.Header.Get(HeaderUser), source)
	return owner, true, ok
}

func (h *handler) serveArchive(w http.ResponseWriter, r *http.Request, found *record) {
	if found == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	c, err := h.store.archive(found.Archive.Digest)
	if err != nil {
		refuseError(w, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = kindArchive
	header["Cache-Control"] = cacheBriefly
	header["Etag"] = found.etag
	serveContent(w, r, c, found.length)
}

func (h *handler) serveReport(w http.ResponseWriter, r *http.Request, hex, name string) {
	h.sendReport(w, r, hex, name, cacheForever)
}

// sendReport answers with a file of packed reports.
func (h *handler) sendReport(w http.ResponseWriter, r *http.Request, hex, name string, caching []string) {
	digest := "sha256:" + hex
	c, err := h.store.report(digest, name)
	if err != nil {
		refuseError(w, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = reportKind(name)
	header["Content-Security-Policy"] = policyNothing
	header["Cache-Control"] = caching
	header["Vary"] = varyEncoding
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
	w.Header()["Retry-After"] = []string{"10"}
	refuse(w, http.StatusServiceUnavailable)
}

// refuse answers with the words of the status and nothing that could be cached.
func refuse(w http.ResponseWriter, status int) {
	w.Header()["Cache-Control"] = cacheNever
	http.Error(w, strings.ToLower(http.StatusText(status)), status)
}
