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

// checkTime bounds one check, so that /readyz answers within the second that a
// probe waits by default.
const checkTimeout = 800 * time.Millisecond

// Check is something that the repository depends on.
type Check struct {
	Name string
	// Run returns nil if all is well. The text of its error is shown to everybody
	// who can reach the server. It must end soon after the context does.
	Run func(context.Context) error
	// Optional says that the repository can serve without it.
	Optional bool
}

// readiness answers /readyz: the store, whether it can be written, and the
// registered checks.
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

// versionPage answers /version.
func newVersionHandler(version string) http.HandlerFunc {
	said := map[string]any{"version": version}
	if info, ok := debug.ReadBuildInfo(); ok {
		said["go"] = info.GoVersion
		if version == "" {
			said["version"] = info.Main.Version
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) { serveJSON(w, http.StatusOK, said) }
}

// Counts of what is published.
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
	// An error means that the client has gone.
	_, _ = w.Write(append(body, '\n'))
}
