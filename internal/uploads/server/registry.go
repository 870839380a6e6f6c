package server

import (
	"net/http"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/uploads"
)

// repository is a chart of an authorized source as a repository of the registry.
type repository struct {
	request
	chart string
}

// repositoryPath returns the path of the repository.
func (r repository) repositoryPath() string {
	return registryPrefix + "/" + r.owner.Namespace + "/" + r.owner.Source + "/" + r.chart
}

// serveRegistry serves the paths below /v2/, as the OCI distribution specification defines them.
func (h *handler) serveRegistry(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if problem := h.handleRegistry(w, r); problem != nil {
		problem.writeJSON(w)
	}
}

func (h *handler) handleRegistry(w http.ResponseWriter, r *http.Request) *problem {
	if r.URL.Path == registryPrefix || r.URL.Path == registryPrefix+"/" {
		return h.checkLogin(w, r)
	}
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, registryPrefix+"/"), "/", 4)
	if len(parts) != 4 {
		parts = make([]string, 4) // An account learns only whether it has a right for all sources.
	}
	verbs := []string{verbCreate}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		verbs = []string{verbGet, verbCreate}
	}
	in, problem := h.authorize(r, hydrate.Owner{Namespace: parts[0], Source: parts[1]}, verbs...)
	if problem != nil {
		return problem
	}
	repo := repository{request: in, chart: parts[2]}
	if !uploads.IsFileName(repo.chart + "-0.0.0.tgz") {
		return &notAChart
	}
	return h.routeRequest(w, r, repo, parts[3])
}

// routeRequest handles a request for a path of a repository.
func (h *handler) routeRequest(w http.ResponseWriter, r *http.Request, repo repository, path string) *problem {
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case kind == "tags" && rest == "list":
		return h.listTags(w, r, repo)
	case kind == "manifests" && rest != "":
		return h.serveManifest(w, r, repo, rest)
	case kind == "blobs" && (rest == "uploads" || strings.HasPrefix(rest, "uploads/")):
		_, id, _ := strings.Cut(rest, "/")
		return h.serveBlobUpload(w, r, repo, id)
	case kind == "blobs" && rest != "":
		return h.serveBlob(w, r, repo, rest)
	}
	return notFound
}

var notAChart = problem{
	status: http.StatusBadRequest, code: "NAME_INVALID",
	message: "the last part of the repository must be the name of a chart: push to oci://<host>/<namespace>/<source>",
}

// checkLogin responds whether the token of a request is valid.
func (h *handler) checkLogin(w http.ResponseWriter, r *http.Request) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return newNotAllowed("GET, HEAD")
	}
	if problem := h.reviewVerbs(r, hydrate.Owner{}, []string{verbCreate}); problem != nil && problem != forbidden {
		return problem
	}
	return writeObject(w, http.StatusOK, struct{}{})
}
