package server

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/uploads"
)

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

// getManifest responds with a manifest. A client that pushes skips all content of a manifest that it finds with HEAD, so
// that all of it must exist.
func (h *handler) getManifest(w http.ResponseWriter, r *http.Request, repo repository, reference string) *problem {
	found, err := h.findManifest(repo, reference)
	if err == nil && r.Method == http.MethodHead && !h.Store.IsComplete(r.Context(), repo.owner, found) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return withCode(toProblem(err), codeManifestUnknown)
	}
	return h.sendBlob(w, r, repo, found.Manifest.Digest, uploads.MediaTypeManifest, codeManifestUnknown)
}

// findManifest returns the chart of a manifest with a tag or a digest.
func (h *handler) findManifest(repo repository, reference string) (uploads.Chart, error) {
	if !isDigest(reference) {
		return h.Store.Find(repo.owner, repo.chart, versionOf(reference))
	}
	charts, _, err := h.Store.List(repo.owner)
	if err != nil {
		return uploads.Chart{}, err
	}
	for _, c := range charts {
		if c.App == repo.chart && c.Manifest.Digest == reference {
			return c, nil
		}
	}
	return uploads.Chart{}, fs.ErrNotExist
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
	content := h.newBody(w, r)
	held := h.slots.tryAcquire(repo.owner.Namespace, content)
	if held == nil {
		return tooManyUploads
	}
	defer h.slots.releaseSlot(held)
	if err := content.replaceDeadlines(); err != nil {
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
