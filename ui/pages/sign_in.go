package pages

import (
	"context"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/session"
)

const (
	// maxTokenBytes is the size of the largest token. Three cookies have room for it.
	maxTokenBytes = 8000
	// namespaceCookie remembers the namespace that the user looks at.
	namespaceCookie = "appmarket-namespace"
)

// request is a request of a user who is signed in.
type request struct {
	*http.Request
	*kube.User

	server  *Server
	session session.Session
}

// Context returns the context of the request.
func (r *request) Context() context.Context { return r.Request.Context() }

// signedIn calls a handler with the user of the session, or has the user sign in.
func (s *Server) signedIn(next func(http.ResponseWriter, *request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := s.Cookies.Read(w, r)
		if !ok || found.Local != (s.Link != nil) {
			s.requireLogin(w, r)
			return
		}
		if !s.requests.Allow(found.ID, time.Now()) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		user, err := s.userOf(found)
		if err != nil {
			s.Log.Error(err, "Cannot create a client")
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		next(w, &request{Request: r, User: user, server: s, session: found})
	})
}

func (s *Server) userOf(found session.Session) (*kube.User, error) {
	if found.Local {
		return s.Cluster.LocalUser()
	}
	return s.Cluster.UserWithToken(found.Token)
}

// requireLogin sends the user to the page for signing in. A part is not replaced by that page:
// the whole page is loaded again.
func (s *Server) requireLogin(w http.ResponseWriter, r *http.Request) {
	s.Cookies.Clear(w)
	if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/parts/") || r.URL.Path == "/live" {
		w.Header().Set("HX-Refresh", "true")
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

type loginView struct {
	Local   bool
	Problem string
	Code    string
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.writeSignIn(w, r, http.StatusOK, "login", loginView{Local: s.Link != nil})
}

// logIn signs in the owner of a token. The API server says who that is.
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, problem string) {
		s.writeSignIn(w, r, status, "login", loginView{Local: s.Link != nil, Problem: problem})
	}
	if s.Link != nil {
		refuse(http.StatusForbidden, "This server runs on your machine. Use its one-time link.")
		return
	}
	if !s.logins.Allow(addressOf(r), time.Now()) {
		w.Header().Set("Retry-After", "60")
		refuse(http.StatusTooManyRequests, "Too many attempts from your address. Try again in a minute.")
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" || len(token) > maxTokenBytes || strings.ContainsAny(token, " \t\r\n") {
		refuse(http.StatusBadRequest, "Enter the complete token: one line, without spaces.")
		return
	}
	user, err := s.Cluster.UserWithToken(token)
	if err != nil {
		refuse(http.StatusBadRequest, "Enter the complete token: one line, without spaces.")
		return
	}
	name, err := user.FetchName(r.Context())
	switch {
	case apierrors.IsUnauthorized(err) || kube.IsAnonymous(err):
		refuse(http.StatusUnauthorized, "The API server does not accept this token. It may have expired.")
		return
	case err != nil:
		s.Log.Error(err, "Cannot check a token")
		refuse(http.StatusServiceUnavailable, "The API server did not respond. Try again.")
		return
	}
	s.beginSession(w, r, session.New(name, token, s.SessionMaxAge, time.Now()))
}

func (s *Server) beginSession(w http.ResponseWriter, r *http.Request, began session.Session) {
	if err := s.Cookies.Write(w, began); err != nil {
		s.writeSignIn(w, r, http.StatusBadRequest, "login", loginView{Problem: "The token is too long."})
		return
	}
	s.Log.Info("Signed in", "user", began.User, "local", began.Local)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// showLink shows a button that redeems the link. A request that only looks at the address, such as
// the preview of a chat, does not use it up.
func (s *Server) showLink(w http.ResponseWriter, r *http.Request) {
	if s.Link == nil {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	s.writeSignIn(w, r, http.StatusOK, "link", loginView{Local: true, Code: r.URL.Query().Get("code")})
}

func (s *Server) redeemLink(w http.ResponseWriter, r *http.Request) {
	if s.Link == nil || !s.logins.Allow(addressOf(r), time.Now()) || !s.Link.Redeem(r.PostFormValue("code"), time.Now()) {
		s.writeSignIn(w, r, http.StatusForbidden, "login", loginView{
			Local: s.Link != nil, Problem: "The link is not valid. A link can be used once, within 5 minutes.",
		})
		return
	}
	name := "local"
	if user, err := s.Cluster.LocalUser(); err == nil {
		if found, err := user.FetchName(r.Context()); err == nil {
			name = found
		}
	}
	s.beginSession(w, r, session.New(name, "", s.SessionMaxAge, time.Now()))
}

func (s *Server) logOut(w http.ResponseWriter, r *http.Request) {
	s.Cookies.Clear(w)
	// The browser may have kept pages with forms.
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
