package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/appmarket/operator/internal/uploadclient"
)

const (
	// maxUploadBytes is the size of the largest archive, which the repository also enforces, and
	// maxUploadBodyBytes the size of the form that contains it.
	maxUploadBytes, maxUploadBodyBytes = 16 << 20, maxUploadBytes + 64<<10
	// maxUploads is the number of archives that are in memory at the same time. A user has one.
	maxUploads = 4
	// uploadTimeout is the time in which the form must arrive, and uploadIdleTimeout the time between two reads.
	uploadTimeout, uploadIdleTimeout = 5 * time.Minute, 20 * time.Second
	// pushTimeout is the time in which the repository must accept the archive.
	pushTimeout = 2 * time.Minute
	// maxUploadParts is the number of fields of the form.
	maxUploadParts = 4
)

// uploadFilePattern matches the names of archives as "helm package" writes them.
var uploadFilePattern = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9.+-]{0,330}\.tgz$`)

// uploads sends archives to the repository, and limits how many are received at the same time.
type uploads struct {
	http *http.Client

	mu    sync.Mutex
	users map[string]bool
}

func newUploads() *uploads {
	// No proxy of the environment: the repository is in the cluster.
	return &uploads{http: uploadclient.NewHTTPClient(&http.Transport{MaxIdleConnsPerHost: maxUploads, IdleConnTimeout: time.Minute}), users: map[string]bool{}}
}

// acquireSlot reports whether a user may upload an archive now.
func (u *uploads) acquireSlot(user string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.users[user] || len(u.users) >= maxUploads {
		return false
	}
	u.users[user] = true
	return true
}

func (u *uploads) releaseSlot(user string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.users, user)
}

// isUpload reports whether a request sends the form with an archive.
func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/sources/") && strings.HasSuffix(r.URL.Path, "/upload")
}

// timedBody reads a body with deadlines of its own: the deadlines of the server are for small forms.
type timedBody struct {
	from       io.Reader
	controller *http.ResponseController
	end        time.Time
}

// Read reads the next bytes. It fails if the client stops sending, or if the form takes too long.
func (b timedBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(uploadIdleTimeout)
	if deadline.After(b.end) {
		deadline = b.end
	}
	if err := b.controller.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	return b.from.Read(p)
}

// uploadEntries are the entries of the form.
type uploadEntries struct {
	account, file string
	archive       []byte
	// problem is a message about the entries.
	problem string
}

// readUpload reads the form. An error means that the form could not be read.
func readUpload(w http.ResponseWriter, r *http.Request) (uploadEntries, error) {
	controller, end := http.NewResponseController(w), time.Now().Add(uploadTimeout)
	if err := controller.SetWriteDeadline(end.Add(pushTimeout + time.Minute)); err != nil {
		return uploadEntries{}, err
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{timedBody{r.Body, controller, end}, r.Body}
	form, err := r.MultipartReader()
	if err != nil {
		return uploadEntries{}, err
	}
	var entries uploadEntries
	for range maxUploadParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			// The server reads from the connection to notice that the client has left.
			return entries, controller.SetReadDeadline(time.Time{})
		}
		if err == nil {
			err = entries.addPart(part)
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return uploadEntries{problem: "upload.tooLarge"}, nil
		}
		if err != nil {
			return uploadEntries{}, err
		}
	}
	return uploadEntries{}, fmt.Errorf("the form has more than %d fields", maxUploadParts)
}

// addPart adds a field of the form.
func (e *uploadEntries) addPart(part *multipart.Part) error {
	content, err := io.ReadAll(io.LimitReader(part, maxUploadBytes+1))
	if err != nil {
		return err
	}
	switch part.FormName() {
	case "account":
		e.account = strings.TrimSpace(string(content[:min(len(content), 253)]))
	case "chart":
		e.file, e.archive = part.FileName(), content
	}
	return nil
}

// check returns the message about entries that cannot be sent, "" if there is none.
func (e *uploadEntries) check(v *uploadView) string {
	switch {
	case e.problem != "":
		return e.problem
	case len(e.archive) > maxUploadBytes:
		return "upload.tooLarge"
	case e.file == "" || len(e.archive) == 0:
		return "upload.noFile"
	case !uploadFilePattern.MatchString(e.file):
		return "upload.wrongName"
	case v.NeedsAccount && v.Account == "":
		return "upload.noAccount"
	}
	return ""
}

// receiveUpload receives an archive, and sends it to the repository as the user.
func (s *Server) receiveUpload(w http.ResponseWriter, r *request) {
	v, err := newUploadView(r, "")
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	if v.NotAllowed != "" {
		w.Header().Set("Connection", "close") // The archive is not read.
		s.writeView(w, r, http.StatusUnprocessableEntity, v.view())
		return
	}
	if !s.uploads.acquireSlot(r.session.User) {
		w.Header().Set("Retry-After", "5")
		s.writeProblem(w, r, &problem{
			Status: http.StatusTooManyRequests, Title: r.Text("upload.tooMany"), Text: r.Text("upload.tooManyText"), BackURL: pagePath(r), Back: r.Text("form.back"),
		})
		return
	}
	defer s.uploads.releaseSlot(r.session.User)
	entries, err := readUpload(w, r.Request)
	if err != nil {
		w.Header().Set("Connection", "close")
		s.writeError(w, r, invalidForm(r, "problem.formUnreadable"))
		return
	}
	v.selectAccount(entries.account)
	wasKnown := false
	if message := entries.check(v); message != "" {
		v.Problem = r.Text(message, "Size", v.MaxSize())
	} else {
		wasKnown, v.Problem = v.pushArchive(r, entries)
	}
	if v.Problem != "" {
		v.addCharts(r)
		s.writeView(w, r, http.StatusUnprocessableEntity, v.view())
		return
	}
	http.Redirect(w, r.Request, v.uploadedURL(entries.file, wasKnown), http.StatusSeeOther)
}

// pushArchive sends an archive to the repository. It reports whether the source had the archive, or returns what
// went wrong.
func (v *uploadView) pushArchive(r *request, entries uploadEntries) (wasKnown bool, failure string) {
	ctx, cancel := context.WithTimeout(r.Context(), pushTimeout)
	defer cancel()
	pusher, err := v.newClient(ctx, r)
	var result uploadclient.Result
	if err == nil {
		result, err = pusher.Push(ctx, entries.file, entries.archive)
	}
	logUpload(r, "create", v.Source, entries.file, err)
	if err != nil {
		return false, uploadProblemOf(r, err)
	}
	return result == uploadclient.Unchanged, ""
}
