package scrape

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/access"
)

// answerAge is how long a decision of the API server is used again.
const decisionMaxAge = 30 * time.Second

// Filter admits requests with a bearer token of an account that may get the path.
type Filter struct {
	reviewer *access.Reviewer
}

// New returns a Filter that asks the API server that cfg reaches. Its account must be
// allowed to create TokenReviews and SubjectAccessReviews.
func New(cfg *rest.Config) (*Filter, error) {
	reviewer, err := access.New(cfg, access.Options{Age: decisionMaxAge})
	if err != nil {
		return nil, err
	}
	return &Filter{reviewer: reviewer}, nil
}

// Wrap returns a handler that passes the requests that are admitted on. Others are
// answered with 401, without a valid token; with 403, without the right; and with 500 if
// the API server could not be asked, which is logged.
func (f *Filter) Wrap(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := f.admitRequest(r)
		if err != nil {
			log.Error(err, "Could not ask who reads metrics")
			status = http.StatusInternalServerError
		}
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit returns status 200 if a request is admitted.
func (f *Filter) admitRequest(r *http.Request) (int, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return http.StatusUnauthorized, nil
	}
	if r.Method != http.MethodGet {
		return http.StatusForbidden, nil
	}
	decision, err := f.reviewer.Review(r.Context(), token, access.Right{Verb: "get", Path: r.URL.Path})
	switch {
	case err != nil:
		return 0, err
	case decision == access.Allowed:
		return http.StatusOK, nil
	case decision == access.Forbidden:
		return http.StatusForbidden, nil
	}
	return http.StatusUnauthorized, nil
}
