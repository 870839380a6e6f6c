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
	// maxTokenChecks is the number of tokens that the API server checks at the same time, and tokenCheckWait
	// the time for which a request waits for its turn.
	maxTokenChecks, tokenCheckWait = 8, 10 * time.Second
)

// logIn signs in the owner of a token. The API server returns the name of the user.
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, problem string) { s.refuseLogin(w, r, status, problem) }
	switch {
	case s.Link != nil:
		refuse(http.StatusForbidden, "signInProblem.ownMachine")
		return
	case s.Issuer != nil || s.Proxy != nil:
		refuse(http.StatusForbidden, "signInProblem.noTokens")
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" || len(token) > session.MaxTokenBytes || strings.ContainsAny(token, " \t\r\n") {
		refuse(http.StatusBadRequest, "signInProblem.incomplete")
		return
	}
	giveBack, ok := s.takeAttempt(r, token)
	if !ok {
		w.Header().Set("Retry-After", "60")
		refuse(http.StatusTooManyRequests, "signInProblem.tooManyAttempts")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), tokenCheckWait)
	defer cancel()
	select {
	case s.tokenChecks <- struct{}{}:
		defer func() { <-s.tokenChecks }()
	case <-ctx.Done():
		giveBack()
		refuse(http.StatusServiceUnavailable, problemNoServer)
		return
	}
	user, err := s.Cluster.UserWithToken(token)
	if err != nil {
		refuse(http.StatusBadRequest, "signInProblem.incomplete")
		return
	}
	name, err := user.FetchName(r.Context())
	switch {
	case apierrors.IsUnauthorized(err) || kube.IsAnonymous(err):
		refuse(http.StatusUnauthorized, "signInProblem.rejected")
		return
	case err != nil:
		giveBack()
		s.Log.Error(err, "Cannot check a token")
		refuse(http.StatusServiceUnavailable, problemNoServer)
		return
	}
	giveBack()
	s.beginSession(w, r, session.New(name, token, s.SessionMaxAge, time.Now()))
}

// takeAttempt reports whether a client may try a token now, and returns the function to call if the API server
// does not reject the token: only failed attempts count. They count for the address of the client, which
// several users have in common behind a proxy that is not trusted. JSON Web Tokens do not count at all, because
// their signatures cannot be guessed, so failed attempts of one user never prevent others from signing in with them.
func (s *Server) takeAttempt(r *http.Request, token string) (giveBack func(), ok bool) {
	if session.IsSigned(token) {
		return func() {}, true
	}
	return s.logins.Take(s.addressOf(r), time.Now())
}
