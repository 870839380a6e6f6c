package scrape

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/access"
)

// decisionMaxAge is the time for which a decision of the API server is cached.
const decisionMaxAge = 30 * time.Second

// Filter admits requests whose bearer token belongs to an account that may get the path.
type Filter struct {
	reviewer *access.Reviewer
}

// New returns a Filter that uses the API server of cfg. The account of cfg needs permission
// to create TokenReviews and SubjectAccessReviews.
func New(cfg *rest.Config) (*Filter, error) {
	reviewer, err := access.New(cfg, access.Options{Age: decisionMaxAge})
	if err != nil {
		return nil, err
	}
	return &Filter{reviewer: reviewer}, nil
}

// Wrap returns a handler that passes admitted requests to next. Other requests are answered
// with status 401 if the token is missing or invalid, 403 if the account does not have the
// permission, and 500 if the API server cannot be reached, which is logged.
func (f *Filter) Wrap(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := f.admitRequest(r)
		if err != nil {
			log.Error(err, "Failed to review a request for metrics")
			status = http.StatusInternalServerError
		}
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admitRequest returns status 200 if a request is admitted.
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
