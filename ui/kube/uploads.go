package kube

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/appmarket/operator/internal/access"
)

const (
	// uploadAudience is the audience of a token that only the repository accepts.
	uploadAudience = "appmarket.io"
	// uploadTokenSeconds is the lifetime of such a token, the shortest that the API server allows.
	uploadTokenSeconds = 600
)

// AllowsUpload reports whether the user has a right for the uploads of a source, which the repository reviews.
func (p *User) AllowsUpload(ctx context.Context, verb, namespace, source string) (bool, error) {
	decision, err := p.cluster.reviews.Review(ctx, p.credential, access.Right{
		Verb: verb, Group: Group, Resource: Sources, Subresource: "upload", Namespace: namespace, Name: source,
	})
	if err != nil {
		return false, err
	}
	if decision == access.Unauthenticated {
		return false, apierrors.NewUnauthorized("the credential is not accepted")
	}
	return decision == access.Allowed, nil
}

// FetchUploadToken returns the token with which the user uploads charts: the token of the user or, for a user
// without one, a token of a service account that only the repository accepts. The user must have the
// permission to create such tokens.
func (p *User) FetchUploadToken(ctx context.Context, namespace, account string) (string, error) {
	if p.token != "" {
		return p.token, nil
	}
	accounts, err := coreclient.NewForConfig(p.config)
	if err != nil {
		return "", fmt.Errorf("create client: %w", err)
	}
	seconds := int64(uploadTokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{uploadAudience}, ExpirationSeconds: &seconds}}
	created, err := accounts.ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token of service account %q: %w", account, err)
	}
	return created.Status.Token, nil
}
