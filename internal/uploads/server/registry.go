package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
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

// listTags lists the versions of a chart, sorted. A tag has no +.
func (h *handler) listTags(w http.ResponseWriter, r *http.Request, repo repository) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return newNotAllowed("GET, HEAD")
	}
	charts, _, err := h.Store.List(repo.owner)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return toProblem(err)
	}
	var tags []string
	for _, c := range charts {
		if c.App == repo.chart {
			tags = append(tags, tagOf(c.Version))
		}
	}
	if len(tags) == 0 {
		return notFound
	}
	slices.Sort(tags)
	return writeObject(w, http.StatusOK, struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{strings.TrimPrefix(repo.repositoryPath(), registryPrefix+"/"), tags})
}

// tagOf returns the tag of a version, and versionOf the reverse, as Helm does.
func tagOf(version string) string    { return strings.ReplaceAll(version, "+", "_") }
func versionOf(tag string) string    { return strings.ReplaceAll(tag, "_", "+") }
func isDigest(reference string) bool { return strings.Contains(reference, ":") }

func (h *handler) serveManifest(w http.ResponseWriter, r *http.Request, repo repository, reference string) *problem {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.getManifest(w, r, repo, reference)
	case http.MethodPut:
		return h.putManifest(w, r, repo, reference)
	}
	return newNotAllowed("GET, HEAD, PUT")
}

func (h *handler) getManifest(w http.ResponseWriter, r *http.Request, repo repository, reference string) *problem {
	digest := reference
	if !isDigest(reference) {
		found, err := h.Store.Find(repo.owner, repo.chart, versionOf(reference))
		if err != nil {
			return withCode(toProblem(err), codeManifestUnknown)
		}
		digest = found.Manifest.Digest
	} else if !h.hasManifest(repo, digest) {
		return withCode(notFound, codeManifestUnknown)
	}
	return h.sendBlob(w, r, repo, digest, uploads.MediaTypeManifest, codeManifestUnknown)
}

// hasManifest reports whether the repository has a manifest with a digest.
func (h *handler) hasManifest(repo repository, digest string) bool {
	charts, _, err := h.Store.List(repo.owner)
	return err == nil && slices.ContainsFunc(charts, func(c uploads.Chart) bool { return c.App == repo.chart && c.Manifest.Digest == digest })
}

// withCode returns a problem with another code.
func withCode(p *problem, code string) *problem {
	if p == nil || p.status != http.StatusNotFound {
		return p
	}
	other := *p
	other.code = code
	return &other
}

// putManifest accepts the chart of a manifest.
func (h *handler) putManifest(w http.ResponseWriter, r *http.Request, repo repository, reference string) *problem {
	if r.ContentLength > uploads.MaxManifestBytes {
		return tooLarge
	}
	if !h.slots.tryAcquire(repo.owner.Namespace) {
		return tooManyUploads
	}
	defer h.slots.releaseSlot(repo.owner.Namespace)
	content, err := h.newBody(w, r)
	if err != nil {
		return unavailable
	}
	manifest, err := io.ReadAll(io.LimitReader(content, uploads.MaxManifestBytes+1))
	if err != nil {
		return newInvalid(codeManifestInvalid, "the manifest could not be read")
	}
	want := uploads.Expectation{App: repo.chart}
	if isDigest(reference) {
		if uploads.DigestOf(manifest) != reference {
			return newInvalid(codeDigestInvalid, "the manifest does not have the digest in the path")
		}
	} else {
		want.Version = versionOf(reference)
	}
	accepted, isNew, err := h.Store.AcceptManifest(r.Context(), repo.owner, repo.limits, manifest, want)
	if err != nil {
		return toProblem(err)
	}
	if isNew {
		h.Log.Info("Chart uploaded", "namespace", repo.owner.Namespace, "source", repo.owner.Source,
			"chart", accepted.FileName(), "digest", accepted.Archive.Digest)
	}
	h.notifyChanged(r.Context(), repo.owner)
	w.Header().Set("Location", repo.repositoryPath()+"/manifests/"+accepted.Manifest.Digest)
	w.Header().Set("Docker-Content-Digest", accepted.Manifest.Digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (h *handler) serveBlob(w http.ResponseWriter, r *http.Request, repo repository, digest string) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return newNotAllowed("GET, HEAD")
	}
	return h.sendBlob(w, r, repo, digest, "application/octet-stream", codeBlobUnknown)
}

// sendBlob responds with content of the source.
func (h *handler) sendBlob(w http.ResponseWriter, r *http.Request, repo repository, digest, mediaType, unknown string) *problem {
	file, found, err := h.Store.OpenBlob(repo.owner, digest)
	if err != nil {
		return withCode(toProblem(err), unknown)
	}
	defer func() { _ = file.Close() }() // It was only read.
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", mediaType)
	header.Set("Docker-Content-Digest", found.Digest)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.FormatInt(found.Size, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, file) // The client compares the digest.
	}
	return nil
}

// serveBlobUpload serves the sessions in which clients push content.
func (h *handler) serveBlobUpload(w http.ResponseWriter, r *http.Request, repo repository, id string) *problem {
	switch {
	case id == "" && r.Method == http.MethodPost:
		return h.startBlobUpload(w, r, repo)
	case id == "":
		return newNotAllowed("POST")
	case r.Method != http.MethodGet && r.Method != http.MethodPatch && r.Method != http.MethodPut && r.Method != http.MethodDelete:
		return newNotAllowed("DELETE, GET, PATCH, PUT")
	}
	open := func(ctx context.Context, abort func()) (*uploads.Session, error) {
		return h.Store.ResumeSession(ctx, repo.owner, id, abort)
	}
	return withCode(h.receiveContent(w, r, repo.request, open, func(session *uploads.Session, content *body) *problem {
		switch r.Method {
		case http.MethodGet:
			return writeSession(w, repo, id, session, http.StatusNoContent)
		case http.MethodDelete:
			if err := session.Discard(); err != nil {
				return toProblem(err)
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return receiveBlob(w, r, repo, id, session, content)
	}), codeUploadUnknown)
}

// startBlobUpload starts a session. The content can be in the same request if it has a digest.
func (h *handler) startBlobUpload(w http.ResponseWriter, r *http.Request, repo repository) *problem {
	id := uploads.NewSessionID()
	open := func(ctx context.Context, abort func()) (*uploads.Session, error) {
		return h.Store.StartSession(ctx, repo.owner, id, abort)
	}
	return h.receiveContent(w, r, repo.request, open, func(session *uploads.Session, content *body) *problem {
		if digest := r.URL.Query().Get("digest"); digest != "" {
			return receiveBlob(w, r, repo, id, session, content)
		}
		return writeSession(w, repo, id, session, http.StatusAccepted)
	})
}

// receiveBlob receives a part of a blob with PATCH, or the last part with PUT or POST.
func receiveBlob(w http.ResponseWriter, r *http.Request, repo repository, id string, session *uploads.Session, content *body) *problem {
	digest := r.URL.Query().Get("digest")
	if r.Method != http.MethodPatch && !uploads.IsDigest(digest) {
		return withDiscard(session, newInvalid(codeDigestInvalid, "digest must be sha256:<64 hexadecimal digits>"))
	}
	offset, err := session.Offset()
	if err != nil {
		return toProblem(err)
	}
	if first, _, given := strings.Cut(r.Header.Get("Content-Range"), "-"); given && first != strconv.FormatInt(offset, 10) {
		return &problem{
			status: http.StatusRequestedRangeNotSatisfiable, code: codeBlobInvalid, message: "the part does not follow what was received",
			headers: sessionHeaders(repo, id, offset),
		}
	}
	if err := session.Receive(content); err != nil {
		return toProblem(err)
	}
	if r.Method == http.MethodPatch {
		return writeSession(w, repo, id, session, http.StatusAccepted)
	}
	blob, err := session.Complete(digest)
	if err != nil {
		return toProblem(err)
	}
	w.Header().Set("Location", repo.repositoryPath()+"/blobs/"+blob.Digest)
	w.Header().Set("Docker-Content-Digest", blob.Digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// writeSession responds with the location of a session and the part that was received.
func writeSession(w http.ResponseWriter, repo repository, id string, session *uploads.Session, status int) *problem {
	offset, err := session.Offset()
	if err != nil {
		return toProblem(err)
	}
	for _, header := range sessionHeaders(repo, id, offset) {
		w.Header().Set(header[0], header[1])
	}
	w.WriteHeader(status)
	return nil
}

func sessionHeaders(repo repository, id string, offset int64) [][2]string {
	return [][2]string{
		{"Location", repo.repositoryPath() + "/blobs/uploads/" + id},
		{"Range", fmt.Sprintf("0-%d", max(offset-1, 0))},
		{"Docker-Upload-Uuid", id},
	}
}
