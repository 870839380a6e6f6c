package pages

import (
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/ui/issuer"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
	"github.com/appmarket/operator/ui/session"
)

const (
	// maxCodeBytes is the size of the longest code of an issuer.
	maxCodeBytes = 4096
	// exchangeInterval and exchangeBurst limit the codes of all users that are sent to the issuer. One client can send half
	// of them, so that it cannot keep the others from signing in.
	exchangeInterval, exchangeBurst = time.Second / 10, 50
)

// Problems of a sign-in at an issuer, as messages.
const (
	problemFlow = "signInProblem.flow"
	// problemIssuer and the others name no detail of the issuer: the log of the server does.
	problemIssuer   = "signInProblem.issuer"
	problemRefused  = "signInProblem.refused"
	problemToken    = "signInProblem.idToken"
	problemCluster  = "signInProblem.cluster"
	problemNoServer = "signInProblem.noServer"
)

// issuerProblems are the messages for the errors that an issuer returns to the pages (RFC 6749, section
// 4.1.2.1).
var issuerProblems = map[string]string{
	"access_denied":           "signInProblem.accessDenied",
	"login_required":          "signInProblem.loginRequired",
	"temporarily_unavailable": "signInProblem.unavailable",
	"invalid_scope":           "signInProblem.scope",
	"unauthorized_client":     "signInProblem.client",
}

// beginIssuerSignIn sends the user to the issuer. The address to which the user returns is configured,
// and not part of the request.
func (s *Server) beginIssuerSignIn(w http.ResponseWriter, r *http.Request) {
	if s.Issuer == nil {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	flow := session.NewFlow(time.Now())
	address, err := s.Issuer.SignInURL(r.Context(), flow.State, flow.Nonce, flow.Verifier)
	if err == nil {
		err = s.Cookies.WriteFlow(w, flow)
	}
	if err != nil {
		s.failIssuer(w, r, err)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// finishIssuerSignIn signs in the user whom the issuer sends back.
func (s *Server) finishIssuerSignIn(w http.ResponseWriter, r *http.Request) {
	if s.Issuer == nil {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	query := r.URL.Query()
	code, failure := query.Get("code"), query.Get("error")
	flow, ok := s.Cookies.TakeFlow(w, r, query.Get("state"), time.Now())
	from := query.Get("iss") // RFC 9207
	switch {
	case !ok || from != "" && from != s.Issuer.URL():
		s.refuseLogin(w, r, http.StatusBadRequest, problemFlow)
		return
	case failure != "":
		problem, known := issuerProblems[failure]
		if !known {
			problem = problemRefused
		}
		s.refuseLogin(w, r, http.StatusForbidden, problem)
		return
	case code == "" || len(code) > maxCodeBytes:
		s.refuseLogin(w, r, http.StatusBadRequest, problemFlow)
		return
	case !s.clientExchanges.Allow(s.addressOf(r), time.Now()) || !s.exchanges.Allow("", time.Now()):
		w.Header().Set("Retry-After", "5")
		s.refuseLogin(w, r, http.StatusTooManyRequests, "signInProblem.tooManyUsers")
		return
	}
	tokens, err := s.Issuer.ExchangeCode(r.Context(), code, flow.Nonce, flow.Verifier)
	if err != nil {
		s.failIssuer(w, r, err)
		return
	}
	s.admitTokens(w, r, tokens)
}

// admitTokens begins the session of a user with tokens of the issuer. The API server says who that is.
func (s *Server) admitTokens(w http.ResponseWriter, r *http.Request, tokens issuer.Tokens) {
	if len(tokens.ID) > session.MaxTokenBytes {
		s.refuseLogin(w, r, http.StatusBadRequest, "signInProblem.claims")
		return
	}
	user, err := s.Cluster.UserWithToken(tokens.ID)
	if err != nil {
		s.failClient(w, err)
		return
	}
	name, err := user.FetchName(r.Context())
	switch {
	case apierrors.IsUnauthorized(err) || kube.IsAnonymous(err):
		s.refuseLogin(w, r, http.StatusUnauthorized, problemCluster)
		return
	case err != nil:
		s.Log.Error(err, "Cannot check a token")
		s.refuseLogin(w, r, http.StatusServiceUnavailable, problemNoServer)
		return
	}
	now := time.Now()
	began := session.New(name, tokens.ID, s.SessionMaxAge, now).WithTokens(tokens.ID, tokens.Refresh, now.Add(s.SessionMaxAge))
	if s.writeTokens(w, &began, now.Add(s.SessionMaxAge)) != nil {
		s.refuseLogin(w, r, http.StatusBadRequest, "signInProblem.idTokenTooLong")
		return
	}
	s.Log.Info("Signed in", "user", began.User, "refresh", began.Refresh != "")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// writeTokens writes the cookies of a session. If there is no room for its refresh token, the session
// ends with its identity token.
func (s *Server) writeTokens(w http.ResponseWriter, began *session.Session, end time.Time) error {
	err := s.Cookies.Write(w, *began)
	if err != nil && began.Refresh != "" {
		*began = began.WithTokens(began.Token, "", end)
		err = s.Cookies.Write(w, *began)
	}
	return err
}

// refreshSession returns a session with new tokens. If the issuer issues none, the session continues until
// the end of its token; after that, it writes the response and returns false.
func (s *Server) refreshSession(w http.ResponseWriter, r *http.Request, old session.Session) (session.Session, bool) {
	tokens, err := s.Issuer.RefreshTokens(issuer.Tokens{ID: old.Token, Refresh: old.Refresh})
	if err == nil && len(tokens.ID) > session.MaxTokenBytes {
		err = issuer.ErrInvalidToken
	}
	switch isValid := time.Now().Before(old.TokenExpires); {
	case err == nil:
		renewed := old.WithTokens(tokens.ID, tokens.Refresh, old.Expires)
		if s.writeTokens(w, &renewed, old.Expires) == nil {
			return renewed, true
		}
	case isValid:
		return old, true
	case errors.Is(err, issuer.ErrUnavailable):
		s.Log.Error(err, "Cannot refresh a session", "user", old.User)
		s.failRefresh(w, r)
		return old, false
	}
	s.Log.Info("A session ended because the issuer did not refresh it", "user", old.User, "cause", errorText(err))
	s.requireLogin(w, r)
	return old, false
}

// failRefresh writes the response to a request whose session cannot be refreshed now. The session is kept.
func (s *Server) failRefresh(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "5")
	if isForScript(r) {
		http.Error(w, "the issuer does not respond", http.StatusServiceUnavailable)
		return
	}
	s.refuseLogin(w, r, http.StatusServiceUnavailable, problemIssuer)
}

// failIssuer writes the page of a sign-in that the issuer did not complete.
func (s *Server) failIssuer(w http.ResponseWriter, r *http.Request, err error) {
	s.Log.Info("A sign-in failed", "issuer", s.Issuer.URL(), "cause", errorText(err))
	switch {
	case errors.Is(err, issuer.ErrRefused):
		s.refuseLogin(w, r, http.StatusUnauthorized, problemRefused)
	case errors.Is(err, issuer.ErrInvalidToken):
		s.refuseLogin(w, r, http.StatusUnauthorized, problemToken)
	default:
		w.Header().Set("Retry-After", "5")
		s.refuseLogin(w, r, http.StatusServiceUnavailable, problemIssuer)
	}
}

func errorText(err error) string {
	if err == nil {
		return "its tokens are too long for a cookie"
	}
	return err.Error()
}

// signOutAtIssuer shows that the session has ended, and sends the user to the page of the issuer that ends
// the session there. A redirect would not do: browsers apply the content security policy for forms to
// it.
func (s *Server) signOutAtIssuer(w http.ResponseWriter, r *http.Request) {
	v := s.newLoginView()
	address, err := s.Issuer.SignOutURL(r.Context())
	if err != nil {
		s.Log.Info("Cannot end the session at the issuer", "issuer", s.Issuer.URL(), "cause", errorText(err))
		v.Problem = locale.Of(r).Text("signInProblem.issuerSilent")
	}
	if v.SignOutURL = address; address != "" {
		w.Header().Set("Refresh", "0; url="+address)
	}
	s.writeSignIn(w, r, http.StatusOK, "signed-out", v)
}
