package server

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/uploads"
)

// serveUpload serves the paths below /upload/.
func (h *handler) serveUpload(w http.ResponseWriter, r *http.Request) {
	if problem := h.handleUpload(w, r); problem != nil {
		problem.writeText(w)
	}
}

func (h *handler) handleUpload(w http.ResponseWriter, r *http.Request) *problem {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, uploadPrefix), "/")
	if len(parts) != 3 {
		return notFound
	}
	owner, file := hydrate.Owner{Namespace: parts[0], Source: parts[1]}, parts[2]
	methods, verbs := "HEAD, PUT, DELETE", map[string][]string{
		http.MethodHead: {verbGet, verbCreate}, http.MethodPut: {verbCreate}, http.MethodDelete: {verbDelete},
	}
	if file == "" {
		methods, verbs = "GET, HEAD", map[string][]string{http.MethodGet: {verbGet}, http.MethodHead: {verbGet}}
	}
	if verbs[r.Method] == nil {
		return newNotAllowed(methods)
	}
	in, problem := h.authorize(r, owner, verbs[r.Method]...)
	switch {
	case problem != nil:
		return problem
	case file == "":
		return h.listCharts(w, in)
	case !uploads.IsFileName(file):
		return newInvalid(codeManifestInvalid, "the name of the file must be <name>-<version>.tgz, as helm package names it")
	case r.Method == http.MethodPut:
		return h.putArchive(w, r, in, file)
	case r.Method == http.MethodDelete:
		return h.deleteArchive(w, r, in, file)
	}
	return h.headArchive(w, r, in, file)
}

// listedChart is a chart in the list of a source.
type listedChart struct {
	File       string    `json:"file"`
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	AppVersion string    `json:"appVersion,omitempty"`
	Digest     string    `json:"digest"`
	Size       int64     `json:"size"`
	Created    time.Time `json:"created"`
}

func toListed(c uploads.Chart) listedChart {
	return listedChart{
		File: c.FileName(), Name: c.App, Version: c.Version, AppVersion: c.AppVersion, Digest: c.Archive.Digest, Size: c.Archive.Size, Created: c.Created,
	}
}

func (h *handler) listCharts(w http.ResponseWriter, in request) *problem {
	charts, _, err := h.Store.List(in.owner)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return toProblem(err)
	}
	list := struct {
		Charts []listedChart `json:"charts"`
	}{Charts: []listedChart{}}
	for _, c := range charts {
		list.Charts = append(list.Charts, toListed(c))
	}
	return writeObject(w, http.StatusOK, list)
}

// headArchive responds whether an archive was uploaded, with the digest in the query if there is one. An archive
// that was lost or damaged was not uploaded, so that a client uploads it again.
func (h *handler) headArchive(w http.ResponseWriter, r *http.Request, in request, file string) *problem {
	found, err := h.Store.FindFile(in.owner, file)
	if err != nil {
		return toProblem(err)
	}
	if digest := r.URL.Query().Get("digest"); digest != "" && digest != found.Archive.Digest || !h.Store.IsComplete(r.Context(), in.owner, found) {
		return notFound
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Etag", `"`+strings.TrimPrefix(found.Archive.Digest, "sha256:")+`"`)
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Length", strconv.FormatInt(found.Archive.Size, 10))
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) acceptArchive(w http.ResponseWriter, r *http.Request, in request, digest, file string) *problem {
	accepted, isNew, err := h.Store.AcceptArchive(r.Context(), in.owner, in.limits, digest, uploads.Expectation{File: file})
	if err != nil {
		return toProblem(err)
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
		h.Log.Info("Chart uploaded", "namespace", in.owner.Namespace, "source", in.owner.Source, "chart", file, "digest", digest)
	}
	h.notifyChanged(r.Context(), in.owner)
	return writeObject(w, status, toListed(accepted))
}

// writeObject responds with JSON.
func writeObject(w http.ResponseWriter, status int, object any) *problem {
	data, err := json.Marshal(object)
	if err != nil {
		return unavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // The client has left.
	return nil
}
