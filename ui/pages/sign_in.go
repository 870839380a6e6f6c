package pages

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
	"github.com/appmarket/operator/ui/session"
)

// namespaceCookie is the cookie with the namespace whose objects are shown.
const namespaceCookie = "appmarket-namespace"

// request is a request of a user who is signed in.
type request struct {
	*http.Request
	*kube.User

	server  *Server
	session session.Session
	// lang is the language of the request.
	lang *locale.Language
	// begun is the time before which nothing was read for the request.
	begun time.Time
}

// Text returns a message in the language of the request.
func (r *request) Text(id string, values ...any) string { return r.lang.Text(id, values...) }

// Context returns the context of the request.
func (r *request) Context() context.Context { return r.Request.Context() }

// signedIn calls a handler with the user of the request, or has the user sign in.
func (s *Server) signedIn(next func(http.ResponseWriter, *request)) http.Handler {
	identify := s.identifyByCookie
	if s.Proxy != nil {
		identify = s.identifyByProxy
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		user, found, ok := identify(w, r)
		if ok {
			next(w, &request{Request: r, User: user, server: s, session: found, lang: locale.Of(r), begun: begun})
		}
	})
}

// identifyByCookie returns the user of a session. If there is none, or the session sends too many
// requests, it writes the response and returns false.
func (s *Server) identifyByCookie(w http.ResponseWriter, r *http.Request) (*kube.User, session.Session, bool) {
	found, ok := s.Cookies.Read(w, r)
	if !ok || found.Local != (s.Link != nil) {
		s.requireLogin(w, r)
		return nil, found, false
	}
	if !s.allowRequest(w, r, found.ID) {
		return nil, found, false
	}
	if s.Issuer != nil && found.NeedsRefresh(time.Now()) {
		if found, ok = s.refreshSession(w, r, found); !ok {
			return nil, found, false
		}
	}
	user, err := s.userOf(found)
	if err != nil {
		s.failClient(w, err)
		return nil, found, false
	}
	return user, found, true
}

// allowRequest reports whether a session may send a request now. If not, it writes the response.
func (s *Server) allowRequest(w http.ResponseWriter, r *http.Request, id string) bool {
	limit := s.requests
	if strings.HasPrefix(r.URL.Path, "/img/") {
		limit = s.images
	}
	if limit.Allow(id, time.Now()) {
		return true
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests", http.StatusTooManyRequests)
	return false
}

// failClient writes the response if no client can be created for a user.
func (s *Server) failClient(w http.ResponseWriter, err error) {
	s.Log.Error(err, "Cannot create a client")
	http.Error(w, "internal error", http.StatusInternalServerError)
}

func (s *Server) userOf(found session.Session) (*kube.User, error) {
	if found.Local {
		return s.Cluster.LocalUser()
	}
	return s.Cluster.UserWithToken(found.Token)
}

// requireLogin sends the user to the page for signing in. A response for a script is not replaced by that
// page: the whole page is loaded again.
func (s *Server) requireLogin(w http.ResponseWriter, r *http.Request) {
	s.Cookies.Clear(w)
	if isForScript(r) {
		w.Header().Set("HX-Refresh", "true")
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// isPart reports whether a part of a page is requested.
func isPart(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/parts/") }

// isForScript reports whether the response to a request is not shown as a page. A browser that shows the response to a
// form accepts HTML.
func isForScript(r *http.Request) bool {
	accepted := r.Header.Get("Accept")
	return isPart(r) || r.URL.Path == "/live" || r.Header.Get("HX-Request") != "" || accepted == "text/event-stream" ||
		r.Method != http.MethodGet && !strings.Contains(accepted, "text/html")
}

// loginView is the page for signing in.
type loginView struct {
	Local bool
	// Issuer is the host of the issuer of OpenID Connect.
	Issuer string
	// Proxy reports that users sign in at a proxy, and SignOutURL is where they sign out.
	Proxy      bool
	SignOutURL string
	Problem    string
	Code       string
}

// newLoginView returns the page for signing in.
func (s *Server) newLoginView() loginView {
	v := loginView{Local: s.Link != nil, Proxy: s.Proxy != nil}
	if s.Issuer != nil {
		v.Issuer = s.Issuer.Host()
	}
	return v
}

// refuseLogin writes the page for signing in with a problem, which is a message. A text that is no message is
// shown as it is.
func (s *Server) refuseLogin(w http.ResponseWriter, r *http.Request, status int, problem string) {
	v := s.newLoginView()
	v.Problem = locale.Of(r).Text(problem)
	s.writeSignIn(w, r, status, "login", v)
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.writeSignIn(w, r, http.StatusOK, "login", s.newLoginView())
}

func (s *Server) beginSession(w http.ResponseWriter, r *http.Request, began session.Session) {
	if err := s.Cookies.Write(w, began); err != nil {
		s.refuseLogin(w, r, http.StatusBadRequest, "signInProblem.tooLong")
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
	if s.Link == nil || !s.logins.Allow(s.addressOf(r), time.Now()) || !s.Link.Redeem(r.PostFormValue("code"), time.Now()) {
		s.refuseLogin(w, r, http.StatusForbidden, "signInProblem.linkInvalid")
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

// logOut ends the session. Where users signed in elsewhere, it also shows how to sign out there.
func (s *Server) logOut(w http.ResponseWriter, r *http.Request) {
	s.endTerminals(w, r)
	s.Cookies.Clear(w)
	// The browser may have kept pages with forms.
	w.Header().Set("Clear-Site-Data", `"cache"`)
	switch {
	case s.Proxy != nil:
		v := s.newLoginView()
		v.SignOutURL = s.SignOutURL
		s.writeSignIn(w, r, http.StatusOK, "signed-out", v)
	case s.Issuer != nil:
		s.signOutAtIssuer(w, r)
	default:
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}
}
