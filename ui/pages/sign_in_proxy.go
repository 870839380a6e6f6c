package pages

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
	"github.com/appmarket/operator/ui/session"
)

const (
	// checkInterval and checkBurst limit the credentials of an address that the API server checks.
	checkInterval, checkBurst = time.Second / 20, 200
	// nameAge is the time for which the name of the owner of a credential is kept, and maxNames the number of
	// names that are kept.
	nameAge, maxNames = 30 * time.Second, 10000
)

// identifyByProxy returns the user that an authenticating proxy sends. If the request is not accepted,
// it writes the response and returns false.
func (s *Server) identifyByProxy(w http.ResponseWriter, r *http.Request) (*kube.User, session.Session, bool) {
	none := session.Session{}
	identity, err := s.Proxy.Identify(r)
	if err != nil {
		s.refuseProxy(w, r, err)
		return nil, none, false
	}
	user, err := s.userOfProxy(identity)
	if err != nil {
		s.failClient(w, err)
		return nil, none, false
	}
	key := user.CredentialKey()
	id := hex.EncodeToString(key[:16])
	if !s.allowRequest(w, r, id) {
		return nil, none, false
	}
	name, known := s.names.find(key, time.Now())
	if !known {
		if !s.checks.Allow(s.addressOf(r), time.Now()) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return nil, none, false
		}
		if name, err = s.fetchProxyName(r.Context(), identity, user); err != nil {
			s.refuseProxy(w, r, err)
			return nil, none, false
		}
		s.names.add(key, name, time.Now())
	}
	return user, session.Session{ID: id, User: name, Token: identity.Token}, true
}

func (s *Server) userOfProxy(identity session.Identity) (*kube.User, error) {
	if identity.Token != "" {
		return s.Cluster.UserWithToken(identity.Token)
	}
	return s.Cluster.ImpersonatedUser(identity.User, identity.Groups)
}

// fetchProxyName returns the name by which the API server knows the user. An error is of type
// session.Refusal.
func (s *Server) fetchProxyName(ctx context.Context, identity session.Identity, user *kube.User) (string, error) {
	name, err := user.FetchName(ctx)
	switch {
	case err == nil:
		return name, nil
	case apierrors.IsUnauthorized(err) || kube.IsAnonymous(err):
		return "", &session.Refusal{Status: http.StatusUnauthorized, Reason: "signInProblem.proxyToken"}
	case apierrors.IsForbidden(err) && identity.Token == "":
		s.Log.Error(err, "Cannot impersonate a user")
		return "", &session.Refusal{Status: http.StatusForbidden, Reason: "signInProblem.impersonation"}
	}
	s.Log.Error(err, "Cannot check a user of the proxy")
	return "", &session.Refusal{Status: http.StatusServiceUnavailable, Reason: problemNoServer}
}

// refuseProxy writes the page that says why a request is not accepted. The reason is a message, or a sentence
// of package session.
func (s *Server) refuseProxy(w http.ResponseWriter, r *http.Request, err error) {
	refusal := &session.Refusal{Status: http.StatusForbidden, Reason: "signInProblem.notAccepted"}
	errors.As(err, &refusal)
	if s.logins.Allow(s.addressOf(r), time.Now()) {
		s.Log.Info("Refused a request", "address", r.RemoteAddr, "reason", locale.English.Text(refusal.Reason))
	}
	if isForScript(r) {
		http.Error(w, locale.Of(r).Text(refusal.Reason), refusal.Status)
		return
	}
	s.refuseLogin(w, r, refusal.Status, refusal.Reason)
}

// nameCache contains the names of the owners of credentials.
type nameCache struct {
	mu    sync.Mutex
	known map[[32]byte]knownName
}

type knownName struct {
	name  string
	until time.Time
}

func (c *nameCache) find(key [32]byte, now time.Time) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.known[key]
	return found.name, ok && now.Before(found.until)
}

func (c *nameCache) add(key [32]byte, name string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxNames {
		for each, found := range c.known {
			if !now.Before(found.until) || len(c.known) >= maxNames {
				delete(c.known, each)
			}
		}
	}
	c.known[key] = knownName{name, now.Add(nameAge)}
}
