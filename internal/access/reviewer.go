package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
)

const (
	// reviewTimeout bounds the reviews of one request, including the time to wait for a slot.
	reviewTimeout = 10 * time.Second
	// maxConcurrentReviews is the number of tokens that are reviewed at the same time.
	maxConcurrentReviews = 16
)

// Decision is the result of a review.
type Decision int

const (
	// Unauthenticated means that the token is not valid.
	Unauthenticated Decision = iota
	// Forbidden means that the owner of the token does not have the right.
	Forbidden
	// Allowed means that the owner of the token has the right.
	Allowed
)

// Right is a permission to review: a verb on an object, or, if Path is set, on a path of the
// API server.
type Right struct {
	Verb                             string
	Group, Resource, Namespace, Name string
	// Subresource is a part of the object, such as exec of pods. If it is empty, the object itself is meant.
	Subresource string
	Path        string
}

// Options configure a Reviewer.
type Options struct {
	// Audience is an additional audience of accepted tokens. A token for this audience cannot
	// be used for the API server itself. Defaults to the audience of the API server only.
	Audience string
	// Age is the time for which a decision is cached.
	Age time.Duration
}

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Reviewer reviews tokens and rights. It is safe for concurrent use.
type Reviewer struct {
	tokens    authenticationclient.TokenReviewInterface
	access    authorizationclient.SubjectAccessReviewInterface
	options   Options
	decisions decisionCache
	locks     tokenLocks
	slots     chan struct{}
}

// New returns a Reviewer that uses the API server of cfg. The account of cfg needs permission
// to create TokenReviews and SubjectAccessReviews.
func New(cfg *rest.Config, options Options) (*Reviewer, error) {
	tokens, err := authenticationclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	access, err := authorizationclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	return &Reviewer{
		tokens: tokens.TokenReviews(), access: access.SubjectAccessReviews(), options: options,
		decisions: newDecisionCache(options.Age), slots: make(chan struct{}, maxConcurrentReviews),
	}, nil
}

// Review returns the decision whether the owner of a token has a right. An error means that
// the API server did not decide.
func (r *Reviewer) Review(ctx context.Context, token string, right Right) (Decision, error) {
	if token == "" {
		return Unauthenticated, nil
	}
	key := sha256.Sum256([]byte(token))
	if decision, known := r.decisions.cachedDecision(key, right); known {
		return decision, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	release, err := r.locks.acquireLock(ctx, key)
	if err != nil {
		return Unauthenticated, fmt.Errorf("wait for another review of the same token: %w", err)
	}
	defer release()
	if decision, known := r.decisions.cachedDecision(key, right); known {
		return decision, nil
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return Unauthenticated, fmt.Errorf("wait for the reviews of other tokens: %w", ctx.Err())
	}
	requestedAt := time.Now()
	decision, err := r.reviewAccess(ctx, token, right)
	if err == nil {
		r.decisions.addDecision(key, right, decision, requestedAt)
	}
	return decision, err
}

func (r *Reviewer) reviewAccess(ctx context.Context, token string, right Right) (Decision, error) {
	user, err := r.reviewToken(ctx, token)
	if user == nil || err != nil {
		return Unauthenticated, err
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
	}}
	if right.Path != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: right.Path, Verb: right.Verb}
	} else {
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Verb: right.Verb, Group: right.Group, Resource: right.Resource, Subresource: right.Subresource, Namespace: right.Namespace, Name: right.Name,
		}
	}
	review, err = r.access.Create(ctx, review, metav1.CreateOptions{})
	switch {
	case err != nil:
		return Forbidden, fmt.Errorf("review access of %s: %w", user.Username, err)
	case review.Status.Allowed && !review.Status.Denied:
		return Allowed, nil
	}
	return Forbidden, nil
}

// reviewToken returns the owner of a token, nil if the token is invalid.
func (r *Reviewer) reviewToken(ctx context.Context, token string) (*authenticationv1.UserInfo, error) {
	audiences := [][]string{nil}
	if r.options.Audience != "" {
		audiences = append(audiences, []string{r.options.Audience})
	}
	for _, wanted := range audiences {
		review, err := r.tokens.Create(ctx, &authenticationv1.TokenReview{
			Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: wanted},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("review token: %w", err)
		}
		// An authenticator that does not support audiences returns none.
		if review.Status.Authenticated && (wanted == nil || slices.Contains(review.Status.Audiences, r.options.Audience)) {
			if review.Status.User.Username == "" {
				return nil, errors.New("review token: the API server returned no user name")
			}
			return &review.Status.User, nil
		}
	}
	return nil, nil
}
