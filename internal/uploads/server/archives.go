package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/text"
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

// headArchive responds whether an archive was uploaded, with the digest in the query if there is one.
func (h *handler) headArchive(w http.ResponseWriter, r *http.Request, in request, file string) *problem {
	found, err := h.Store.FindFile(in.owner, file)
	if err != nil {
		return toProblem(err)
	}
	if digest := r.URL.Query().Get("digest"); digest != "" && digest != found.Archive.Digest {
		return notFound
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Etag", `"`+strings.TrimPrefix(found.Archive.Digest, "sha256:")+`"`)
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Length", strconv.FormatInt(found.Archive.Size, 10))
	w.WriteHeader(http.StatusOK)
	return nil
}

// contentRange is the part of an archive that a request contains. first is -1 for a request that
// only asks which part the server has.
type contentRange struct{ first, total int64 }

var rangePattern = regexp.MustCompile(`^bytes (?:(\d{1,10})-(\d{1,10})|\*)/(\d{1,10})$`)

// parseContentRange returns the range of a request: the whole content if there is no header.
func parseContentRange(r *http.Request) (contentRange, *problem) {
	header := r.Header.Get("Content-Range")
	if header == "" {
		return contentRange{total: -1}, nil
	}
	invalid := newInvalid(codeBlobInvalid, `Content-Range must be "bytes <first>-<last>/<total>" or "bytes */<total>"`)
	match := rangePattern.FindStringSubmatch(header)
	if match == nil {
		return contentRange{}, invalid
	}
	total, err := strconv.ParseInt(match[3], 10, 64)
	if err != nil || match[1] == "" {
		return contentRange{first: -1, total: total}, nil // Ten digits are always a number.
	}
	first, errFirst := strconv.ParseInt(match[1], 10, 64)
	last, errLast := strconv.ParseInt(match[2], 10, 64)
	if errFirst != nil || errLast != nil || first > last || last >= total || r.ContentLength >= 0 && r.ContentLength != last-first+1 {
		return contentRange{}, invalid
	}
	return contentRange{first: first, total: total}, nil
}

// putArchive receives an archive, or a part of it, and accepts it when it is complete. With a digest
// in the query, an upload that was interrupted can be resumed.
func (h *handler) putArchive(w http.ResponseWriter, r *http.Request, in request, file string) *problem {
	part, invalid := parseContentRange(r)
	digest := r.URL.Query().Get("digest")
	switch {
	case invalid != nil:
		return invalid
	case digest != "" && !uploads.IsDigest(digest):
		return newInvalid(codeDigestInvalid, "digest must be sha256:<64 hexadecimal digits>")
	case digest == "" && part.total >= 0:
		return newInvalid(codeDigestInvalid, "a request with Content-Range requires ?digest=sha256:<64 hexadecimal digits>")
	case part.total > chart.MaxArchiveBytes:
		return tooLarge
	}
	id := uploads.NewSessionID()
	if digest != "" {
		id = uploads.SessionIDFor(digest)
	}
	open := func(ctx context.Context, abort func()) (*uploads.Session, error) {
		return h.Store.StartSession(ctx, in.owner, id, abort)
	}
	return h.receiveContent(w, r, in, open, func(session *uploads.Session, content *body) *problem {
		if digest == "" || !h.Store.HasBlob(in.owner, digest) {
			blob, waiting, failed := receiveArchive(w, session, content, part, digest)
			if failed != nil || waiting {
				return failed
			}
			digest = blob.Digest
		} else if err := session.Discard(); err != nil {
			return toProblem(err)
		}
		return h.acceptArchive(w, r, in, digest, file)
	})
}

// prepareSession checks that a part follows what a session has received, and discards what the client sends
// again.
func prepareSession(session *uploads.Session, part contentRange) *problem {
	offset, err := session.Offset()
	if err == nil && part.total < 0 {
		offset, err = 0, session.Restart()
	}
	switch {
	case err != nil:
	case part.first > offset:
		return &problem{
			status: http.StatusRequestedRangeNotSatisfiable, code: codeBlobInvalid, message: "the part does not follow what was received",
			headers: receivedHeaders(offset),
		}
	case part.first > 0 && part.first < offset:
		return &problem{
			status: http.StatusRequestedRangeNotSatisfiable, code: codeBlobInvalid, message: "the part was received before", headers: receivedHeaders(offset),
		}
	case part.first == 0 && offset > 0: // The client does not know what was received: it begins again.
		err = session.Restart()
	}
	if err != nil {
		return toProblem(err)
	}
	return nil
}

// receiveArchive receives a part of an archive. It reports whether the archive is still incomplete,
// and responds with the part that was received.
func receiveArchive(w http.ResponseWriter, session *uploads.Session, content *body, part contentRange, digest string) (uploads.Blob, bool, *problem) {
	if failed := prepareSession(session, part); failed != nil {
		return uploads.Blob{}, false, failed
	}
	var offset int64
	var err error
	if part.first >= 0 {
		err = session.Receive(content)
	}
	if err == nil {
		offset, err = session.Offset()
	}
	switch {
	case err != nil && digest == "":
		return uploads.Blob{}, false, withDiscard(session, toProblem(err))
	case err != nil:
		return uploads.Blob{}, false, toProblem(err)
	case part.total >= 0 && offset < part.total:
		for _, header := range receivedHeaders(offset) {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(http.StatusPermanentRedirect)
		return uploads.Blob{}, true, nil
	}
	blob, err := session.Complete(digest)
	if err != nil {
		return uploads.Blob{}, false, toProblem(err)
	}
	return blob, false, nil
}

// receivedHeaders returns the header for the part that was received.
func receivedHeaders(offset int64) [][2]string {
	if offset == 0 {
		return nil
	}
	return [][2]string{{"Range", fmt.Sprintf("bytes=0-%d", offset-1)}}
}

// withDiscard discards a session that cannot be resumed.
func withDiscard(session *uploads.Session, failed *problem) *problem {
	if err := session.Discard(); err != nil {
		return toProblem(err)
	}
	return failed
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

// deleteArchive deletes a version that no instance has installed.
func (h *handler) deleteArchive(w http.ResponseWriter, r *http.Request, in request, file string) *problem {
	found, err := h.Store.FindFile(in.owner, file)
	if err != nil {
		return toProblem(err)
	}
	users, err := h.Users(r.Context(), in.owner, found.App, found.Version)
	if err != nil {
		return unavailable
	}
	if len(users) > 0 {
		return h.newInUse(r, file, users)
	}
	if err := h.Store.Remove(in.owner, found.App, found.Version); err != nil {
		return toProblem(err)
	}
	h.Log.Info("Chart deleted", "namespace", in.owner.Namespace, "source", in.owner.Source, "chart", file)
	h.notifyChanged(r.Context(), in.owner)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	// maxReviewedNamespaces is the number of namespaces for which a request reviews whether the
	// caller may know their instances.
	maxReviewedNamespaces = 20
	maxUsersNamed         = 10
)

// newInUse returns the problem of a version that instances have installed. It names the instances
// that the caller can list, and the number of the others.
func (h *handler) newInUse(r *http.Request, file string, users []types.NamespacedName) *problem {
	known := map[string]bool{}
	var named []string
	for _, user := range users {
		may, reviewed := known[user.Namespace]
		if !reviewed && len(known) < maxReviewedNamespaces {
			decision, err := h.Review(r.Context(), access.TokenOf(r), access.Right{
				Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "appinstances", Namespace: user.Namespace,
			})
			if err != nil {
				return unavailable
			}
			may = decision == access.Allowed
			known[user.Namespace] = may
		}
		if may {
			named = append(named, user.String())
		}
	}
	slices.Sort(named)
	message := file + " is installed"
	if hidden := len(users) - len(named); hidden > 0 {
		message += " by " + text.Count(hidden, "instance", "instances") + " of other namespaces"
		if len(named) > 0 {
			message += ", and"
		}
	}
	if len(named) > 0 {
		message += " by " + text.List(named, ", ", maxUsersNamed)
	}
	return &problem{status: http.StatusConflict, code: codeDenied, message: message + ": uninstall or upgrade the instances first"}
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
