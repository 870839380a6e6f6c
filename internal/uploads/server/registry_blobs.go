package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/appmarket/operator/internal/uploads"
)

func (h *handler) serveBlob(w http.ResponseWriter, r *http.Request, repo repository, digest string) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return newNotAllowed("GET, HEAD")
	}
	return h.sendBlob(w, r, repo, digest, "application/octet-stream", codeBlobUnknown)
}

// sendBlob responds with content of the source. A request with HEAD decides whether a client pushes the content, so
// that it is compared with its digest.
func (h *handler) sendBlob(w http.ResponseWriter, r *http.Request, repo repository, digest, mediaType, unknown string) *problem {
	if r.Method == http.MethodHead && !h.Store.HasContent(r.Context(), repo.owner, digest) {
		return withCode(notFound, unknown)
	}
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
