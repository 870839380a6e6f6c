package chartrepo

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// checkTimeout is the time limit of the checks, so that /readyz responds within one second,
// the default timeout of a probe.
const checkTimeout = 800 * time.Millisecond

// Check is a readiness check of a dependency of the repository.
type Check struct {
	Name string
	// Run returns nil if the dependency works. The text of its error is visible to every
	// client of the server. Run must return soon after the context is done.
	Run func(context.Context) error
	// Optional specifies that the repository can serve without the dependency.
	Optional bool
}

// readiness serves /readyz: the store, whether it can be written, and the registered checks.
type readiness struct {
	store  *Store
	checks []Check
}

type checkState struct {
	Name     string `json:"name"`
	Ready    bool   `json:"ready"`
	Optional bool   `json:"optional,omitempty"`
	Message  string `json:"message,omitempty"`
}

func (c readiness) serveReadiness(w http.ResponseWriter, r *http.Request) {
	checks := append([]Check{
		{Name: "store", Run: c.store.Check},
		{Name: "store-writable", Run: c.store.CheckWritten, Optional: true},
	}, c.checks...)
	states := make([]checkState, len(checks))
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i, check := range checks {
		group.Go(func() { states[i] = check.runCheck(ctx) })
	}
	group.Wait()
	status := http.StatusOK
	for _, state := range states {
		if !state.Ready && !state.Optional {
			status = http.StatusServiceUnavailable
		}
	}
	serveJSON(w, status, map[string]any{"ready": status == http.StatusOK, "dependencies": states})
}

func (c Check) runCheck(ctx context.Context) checkState {
	state := checkState{Name: c.Name, Ready: true, Optional: c.Optional}
	if err := outcome.Guarded(func() error { return c.Run(ctx) })(); err != nil {
		state.Ready, state.Message = false, err.Error()
	}
	return state
}

func serveHealth(w http.ResponseWriter, _ *http.Request) {
	serveJSON(w, http.StatusOK, map[string]any{"healthy": true})
}

// newVersionHandler returns the handler of /version.
func newVersionHandler(version string) http.HandlerFunc {
	body := map[string]any{"version": version}
	if info, ok := debug.ReadBuildInfo(); ok {
		body["go"] = info.GoVersion
		if version == "" {
			body["version"] = info.Main.Version
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) { serveJSON(w, http.StatusOK, body) }
}

// Counts are the numbers of published objects.
type Counts struct {
	Sources  int   `json:"sources"`
	Shared   int   `json:"shared"`
	Apps     int   `json:"apps"`
	Versions int   `json:"versions"`
	Bytes    int64 `json:"archiveBytes"`
}

func (h *handler) serveStatus(w http.ResponseWriter, _ *http.Request) {
	type name struct {
		hydrate.Owner
		app string
	}
	owners := h.store.index.listOwners()
	apps := map[name]bool{}
	counts := Counts{Sources: len(owners), Shared: len(h.aggregate.currentSnapshot().owners)}
	for _, r := range h.store.index.recordsOf(owners...) {
		apps[name{r.owner(), r.App}] = true
		counts.Versions++
		counts.Bytes += r.Archive.Size
	}
	counts.Apps = len(apps)
	serveJSON(w, http.StatusOK, counts)
}

func serveJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		writeError(w, http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header["Content-Type"] = contentTypeJSON
	header["Cache-Control"] = cacheNever
	header["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	// An error means that the client has disconnected.
	_, _ = w.Write(append(body, '\n'))
}
