package server

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
)

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
		if digest == "" || !h.Store.HasContent(r.Context(), in.owner, digest) {
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
