package pages

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
	"github.com/appmarket/operator/ui/recording"
	"github.com/appmarket/operator/ui/terminal"
)

// shell starts bash if the container has it, otherwise sh.
var shell = []string{"sh", "-c", "TERM=xterm-256color; export TERM; command -v bash >/dev/null 2>&1 && exec bash || exec sh"}

// addTerminal adds the routes of the terminal. Without terminals they are unknown paths.
func (s *Server) addTerminal(mux *http.ServeMux) {
	if s.Terminals == nil {
		return
	}
	mux.Handle("GET /instances/{namespace}/{name}/terminal/stream", s.signedIn(s.serveTerminal))
	mux.Handle("POST "+ticketPath, s.signedIn(s.serveTicket))
}

// serveTicket returns a text that confirms on the connection of a terminal that the user is still signed in.
func (s *Server) serveTicket(w http.ResponseWriter, r *request) {
	ticket, err := s.Cookies.SealTicket(r.session, time.Now())
	if err != nil {
		s.Log.Error(err, "Cannot confirm a session")
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, ticket) // The client is gone if it fails.
}

// endTerminals ends the terminals of a session whose user signs out. Terminals that another replica serves end
// because they are not confirmed.
func (s *Server) endTerminals(w http.ResponseWriter, r *http.Request) {
	if s.Terminals == nil || s.Proxy != nil {
		return
	}
	if found, ok := s.Cookies.Read(w, r); ok {
		s.Terminals.EndSession(found.ID)
	}
}

// isOwnOrigin reports whether a page of this server opens a WebSocket. Browsers send the origin with each
// WebSocket and let every site open one, so the check for forms does not apply.
func (s *Server) isOwnOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(origins[0])
	return err == nil && strings.EqualFold(origin.Host, r.Host) && (origin.Scheme == "https" || origin.Scheme == "http" && !s.HTTPS)
}

// serveTerminal connects a browser with a shell in a container. Everything about a pod that is not one of the
// instance is refused as a pod that does not exist.
func (s *Server) serveTerminal(w http.ResponseWriter, r *request) {
	if !s.isOwnOrigin(r.Request) {
		http.Error(w, "the request is not from a page of this server", http.StatusForbidden)
		return
	}
	t, size, ok := terminalOf(r)
	if !ok {
		http.Error(w, "the terminal does not exist", http.StatusNotFound)
		return
	}
	conn, err := websocket.Accept(w, r.Request, &websocket.AcceptOptions{InsecureSkipVerify: true}) // isOwnOrigin has verified the origin.
	if err != nil {
		return // Accept has written the response.
	}
	defer conn.CloseNow() //nolint:errcheck // The connection is usually closed already.
	ctx := r.Context()
	about := recording.About{User: r.session.User, Namespace: t.Pod.Namespace, Instance: r.PathValue("name"), Pod: t.Pod.Name, Container: t.Container.Name}
	log := s.Log.WithValues("user", about.User, "namespace", about.Namespace, "instance", about.Instance, "pod", about.Pod, "container", about.Container)
	opened, err := s.Terminals.Begin(r.session.ID, about, size)
	if err != nil {
		log.Info("Refused a terminal", "cause", err.Error())
		terminal.SendEnd(ctx, conn, refusalOf(r.lang, err))
		return
	}
	log.Info("Opened a terminal", "recorded", s.Terminals.IsRecording())
	ending, err := opened.Serve(ctx, conn, t.runShell(r), t.confirmSession(r))
	outcome, why := t.explain(r.lang, opened, ending, err)
	duration, digest, recordErr := opened.End(outcome)
	if recordErr != nil {
		log.Error(recordErr, "Cannot complete a recording")
	}
	log.Info("Closed a terminal", "outcome", outcome, "duration", duration.Round(time.Millisecond).String(), "recording", digest)
	terminal.SendEnd(ctx, conn, why)
}

// terminalOf returns the container of a request for a terminal, and the size of the terminal. It returns false
// if the user cannot find the container among the pods of the instance.
func terminalOf(r *request) (*terminalView, terminal.Size, bool) {
	query := r.URL.Query()
	side := func(name string, usual uint16) uint16 {
		if value, err := strconv.ParseUint(query.Get(name), 10, 16); err == nil {
			return uint16(value)
		}
		return usual
	}
	size := terminal.Size{Width: side("width", 80), Height: side("height", 24)}
	found, err := logOf(r)
	if err != nil || !size.IsValid() || found.Merged != nil || found.Container.Name != query.Get("container") {
		return nil, size, false
	}
	return &terminalView{Pod: found.Pod, Container: found.Container}, size, true
}

// runShell returns the work of the terminal: a shell with the rights of the user.
func (t *terminalView) runShell(r *request) terminal.Run {
	return func(ctx context.Context, input io.Reader, output io.Writer, sizes remotecommand.TerminalSizeQueue) error {
		return r.Exec(ctx, kube.Command{
			Namespace: t.Pod.Namespace, Pod: t.Pod.Name, Container: t.Container.Name, Arguments: shell, Input: input, Output: output, Sizes: sizes,
		})
	}
}

// confirmSession returns the check that the user is still signed in and has the right. A ticket contains the
// present token. A user without a token is known by its name.
func (t *terminalView) confirmSession(r *request) terminal.Confirm {
	return func(ctx context.Context, text string) error {
		ticket, ok := r.server.Cookies.OpenTicket(text, time.Now())
		if !ok || ticket.User != r.session.User || ticket.Local != r.session.Local {
			return terminal.SignedOut
		}
		user := r.User
		if ticket.Token != "" {
			var err error
			if user, err = r.server.Cluster.UserWithToken(ticket.Token); err != nil {
				return terminal.SignedOut
			}
		}
		err := user.ReviewExec(ctx, t.Pod.Namespace)
		switch {
		case apierrors.IsUnauthorized(err):
			return terminal.SignedOut
		case err != nil && !apierrors.IsForbidden(err):
			r.server.Log.Error(err, "Cannot check the user of a terminal")
			return terminal.Denied
		case err != nil:
			return terminal.Denied
		}
		return nil
	}
}

// refusalOf tells the user why a terminal cannot be opened.
func refusalOf(l *locale.Language, err error) terminal.Explanation {
	if errors.Is(err, terminal.ErrTooMany) {
		return terminal.Explanation{Text: l.Text("terminal.tooMany")}
	}
	return terminal.Explanation{Text: l.Text("terminal.cannotRecord")}
}
