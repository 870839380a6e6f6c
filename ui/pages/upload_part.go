package pages

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/internal/uploadclient"
)

// uploadDigestPattern matches the digest of an archive.
var uploadDigestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// uploadPart is a part of an archive. The repository keeps the parts: an upload continues after an interruption, also
// in another session or at another server of the pages.
type uploadPart struct {
	file, digest  string
	offset, total int
	content       []byte
}

// uploadPartResult is the answer to a part.
type uploadPartResult struct {
	// Received is the number of bytes that the repository has.
	Received int `json:"received"`
	// Next is the URL of the page to show after the upload, empty if the archive is not complete.
	Next string `json:"next,omitempty"`
	// Problem says why the archive is not accepted. The same part can be sent again later if IsTemporary is set.
	Problem     string `json:"problem,omitempty"`
	IsTemporary bool   `json:"isTemporary,omitempty"`
}

// readUploadPart reads a part, with the deadlines of uploads.
func readUploadPart(w http.ResponseWriter, r *http.Request) (uploadPart, error) {
	query := r.URL.Query()
	p := uploadPart{file: query.Get("file"), digest: query.Get("digest")}
	var errOffset, errTotal error
	p.offset, errOffset = strconv.Atoi(cmp.Or(query.Get("offset"), "0"))
	p.total, errTotal = strconv.Atoi(query.Get("total"))
	if err := errors.Join(errOffset, errTotal); err != nil {
		return p, err
	}
	controller := http.NewResponseController(w)
	end := time.Now().Add(uploadTimeout)
	if err := controller.SetWriteDeadline(end.Add(pushTimeout + time.Minute)); err != nil {
		return p, err
	}
	var err error
	if p.content, err = io.ReadAll(timedBody{r.Body, controller, end}); err != nil {
		return p, err
	}
	// The server reads from the connection to notice that the client has left.
	return p, controller.SetReadDeadline(time.Time{})
}

// check returns the message about a part that cannot be sent, "" if there is none.
func (p *uploadPart) check(v *uploadView) string {
	switch {
	case p.total > maxUploadBytes:
		return "upload.tooLarge"
	case !uploadFilePattern.MatchString(p.file):
		return "upload.wrongName"
	case v.NeedsAccount && v.Account == "":
		return "upload.noAccount"
	case !uploadDigestPattern.MatchString(p.digest), p.total <= 0, p.offset < 0, p.offset > p.total-len(p.content):
		return "problem.formUnreadable"
	}
	return ""
}

// receiveUploadPart sends a part of an archive to the repository as the user. A part without content only asks how
// many bytes the repository has.
func (s *Server) receiveUploadPart(w http.ResponseWriter, r *request) {
	v, err := newUploadView(r, r.URL.Query().Get("account"))
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	if v.NotAllowed != "" {
		writeUploadPart(w, http.StatusForbidden, uploadPartResult{Problem: v.NotAllowed})
		return
	}
	if !s.uploads.acquireSlot(r.session.User) {
		w.Header().Set("Retry-After", "5")
		writeUploadPart(w, http.StatusTooManyRequests, uploadPartResult{Problem: r.Text("upload.tooManyText"), IsTemporary: true})
		return
	}
	defer s.uploads.releaseSlot(r.session.User)
	part, err := readUploadPart(w, r.Request)
	if err != nil {
		w.Header().Set("Connection", "close")
		writeUploadPart(w, http.StatusBadRequest, uploadPartResult{Problem: r.Text("problem.formUnreadable")})
		return
	}
	if message := part.check(v); message != "" {
		writeUploadPart(w, http.StatusUnprocessableEntity, uploadPartResult{Problem: r.Text(message, "Size", v.MaxSize())})
		return
	}
	status, result := v.pushPart(r, part)
	writeUploadPart(w, status, result)
}

// pushPart sends a part to the repository.
func (v *uploadView) pushPart(r *request, part uploadPart) (int, uploadPartResult) {
	ctx, cancel := context.WithTimeout(r.Context(), pushTimeout)
	defer cancel()
	var outcome uploadclient.Result
	received := 0
	pusher, err := v.newClient(ctx, r)
	if err == nil {
		outcome, received, err = pusher.PushPart(ctx, part.file, part.digest, part.content, part.offset, part.total)
	}
	if err != nil || received == part.total {
		logUpload(r, "create", v.Source, part.file, err)
	}
	refused, isResponse := errors.AsType[*uploadclient.ResponseError](err)
	switch {
	case isResponse && !refused.IsTemporary(), apierrors.ReasonForError(err) != "":
		return http.StatusUnprocessableEntity, uploadPartResult{Problem: uploadProblemOf(r, err)}
	case err != nil:
		return http.StatusBadGateway, uploadPartResult{Problem: uploadProblemOf(r, err), IsTemporary: true}
	case received == part.total:
		return http.StatusOK, uploadPartResult{Received: received, Next: v.uploadedURL(part.file, outcome == uploadclient.Unchanged)}
	}
	return http.StatusOK, uploadPartResult{Received: received}
}

func writeUploadPart(w http.ResponseWriter, status int, result uploadPartResult) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(result) // The client is gone if it fails.
}
