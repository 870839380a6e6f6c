package pages

import (
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/session"
)

// logIn signs in the owner of a token. The API server says who that is.
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, problem string) { s.refuseLogin(w, r, status, problem) }
	switch {
	case s.Link != nil:
		refuse(http.StatusForbidden, "This server runs on your machine. Use its one-time link.")
		return
	case s.Issuer != nil || s.Proxy != nil:
		refuse(http.StatusForbidden, "This server does not accept tokens in a form.")
		return
	}
	if !s.logins.Allow(addressOf(r), time.Now()) {
		w.Header().Set("Retry-After", "60")
		refuse(http.StatusTooManyRequests, "Too many attempts from your address. Try again in a minute.")
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" || len(token) > session.MaxTokenBytes || strings.ContainsAny(token, " \t\r\n") {
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
