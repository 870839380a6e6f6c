package scrape

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
)

const (
	// answerAge is how long an answer of the API server is used again.
	answerAge = 30 * time.Second
	// maxAnswers bounds the answers that are kept.
	maxAnswers = 1000
	// askTime bounds the two questions about one request.
	askTime = 10 * time.Second
)

// Filter admits requests with a bearer token of an account that may get the path.
type Filter struct {
	tokens authenticationclient.TokenReviewInterface
	access authorizationclient.SubjectAccessReviewInterface

	mu      sync.Mutex
	answers map[question]answer
}

// question is whether the owner of a token, kept as its digest, may get a path.
type question struct {
	token [sha256.Size]byte
	path  string
}

// answer is the HTTP status of a request, and until when it may be used again.
type answer struct {
	status int
	until  time.Time
}

// New returns a Filter that asks the API server that cfg reaches. Its account must be
// allowed to create TokenReviews and SubjectAccessReviews.
func New(cfg *rest.Config) (*Filter, error) {
	tokens, err := authenticationclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	access, err := authorizationclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &Filter{tokens: tokens.TokenReviews(), access: access.SubjectAccessReviews(), answers: map[question]answer{}}, nil
}

// Wrap returns a handler that passes the requests that are admitted on. Others are
// answered with 401, without a valid token; with 403, without the right; and with 500 if
// the API server could not be asked, which is logged.
func (f *Filter) Wrap(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := f.admit(r)
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
func (f *Filter) admit(r *http.Request) (int, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return http.StatusUnauthorized, nil
	}
	if r.Method != http.MethodGet {
		return http.StatusForbidden, nil
	}
	asked := question{token: sha256.Sum256([]byte(token)), path: r.URL.Path}
	if status, known := f.remembered(asked); known {
		return status, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	status, err := f.ask(ctx, token, r.URL.Path)
	if err == nil {
		f.remember(asked, status)
	}
	return status, err
}

func (f *Filter) ask(ctx context.Context, token, path string) (int, error) {
	owner, err := f.tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review token: %w", err)
	}
	if !owner.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := owner.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	may, err := f.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review access of %s: %w", user.Username, err)
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

func (f *Filter) remembered(asked question) (status int, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, ok := f.answers[asked]
	return found.status, ok && time.Now().Before(found.until)
}

func (f *Filter) remember(asked question, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.answers) >= maxAnswers {
		clear(f.answers)
	}
	f.answers[asked] = answer{status: status, until: time.Now().Add(answerAge)}
}
