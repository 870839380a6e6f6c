package access

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// SelfReviewer reviews rights with the credential of the user who has them
// (SelfSubjectAccessReview). The program that asks needs no permission to review. It is safe for
// concurrent use.
type SelfReviewer struct {
	decisions decisionCache
	slots     chan struct{}
}

// Credential identifies the user whose rights are reviewed.
type Credential struct {
	// Key is the digest of the credential. Decisions are cached by it.
	Key [32]byte
	// Reviews sends reviews with the credential.
	Reviews authorizationclient.SelfSubjectAccessReviewInterface
}

// NewSelfReviewer returns a SelfReviewer that caches allowed and other decisions for these times.
func NewSelfReviewer(allowedAge, refusedAge time.Duration) *SelfReviewer {
	r := &SelfReviewer{decisions: newDecisionCache(allowedAge), slots: make(chan struct{}, maxConcurrentReviews)}
	r.decisions.refusedAge = refusedAge
	return r
}

// Review returns the decision whether the owner of a credential has a right. An error means that
// the API server did not decide.
func (r *SelfReviewer) Review(ctx context.Context, credential Credential, right Right) (Decision, error) {
	if decision, known := r.decisions.cachedDecision(credential.Key, right); known {
		return decision, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return Unauthenticated, fmt.Errorf("wait for other reviews: %w", ctx.Err())
	}
	requestedAt := time.Now()
	decision, err := reviewSelf(ctx, credential.Reviews, right)
	if err == nil {
		r.decisions.addDecision(credential.Key, right, decision, requestedAt)
	}
	return decision, err
}

func reviewSelf(ctx context.Context, reviews authorizationclient.SelfSubjectAccessReviewInterface, right Right) (Decision, error) {
	review, err := reviews.Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: right.Verb, Group: right.Group, Resource: right.Resource, Subresource: right.Subresource, Namespace: right.Namespace, Name: right.Name,
		}},
	}, metav1.CreateOptions{})
	switch {
	case apierrors.IsUnauthorized(err):
		return Unauthenticated, nil
	case err != nil:
		return Forbidden, fmt.Errorf("review access: %w", err)
	case review.Status.Allowed && !review.Status.Denied:
		return Allowed, nil
	}
	return Forbidden, nil
}
