package kube

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/access"
)

// FieldOwner is the field manager of the objects that the pages write.
const FieldOwner = "appmarket-ui"

// The clients of this many users are kept, each for this time. A client is expensive compared with a
// request, and all requests and streams of a user share it.
const (
	maxUsers = 500
	userAge  = 10 * time.Minute
)

// User reads and writes objects with the credential of a signed-in user. The API server decides
// whether the user may.
type User struct {
	client.Reader

	// Writer writes objects with the field manager FieldOwner.
	Writer client.Writer

	cluster    *Cluster
	token      string
	reviews    authenticationclient.SelfSubjectReviewInterface
	credential access.Credential
	// config is the configuration with the credential of the user.
	config *rest.Config
}

// UserWithToken returns the owner of a bearer token. The token is not checked here: the API
// server checks it with each request.
func (c *Cluster) UserWithToken(token string) (*User, error) {
	if token == "" {
		return nil, errors.New("the token is empty")
	}
	cfg := rest.AnonymousClientConfig(c.account)
	cfg.BearerToken = token
	return c.findUser(cfg, token, "token "+token)
}

// LocalUser returns the user of the kubeconfig that the process was started with.
func (c *Cluster) LocalUser() (*User, error) {
	return c.findUser(rest.CopyConfig(c.account), "", "local")
}

// ImpersonatedUser returns a user with a name and groups, for whom the account of the process must have
// the permission to impersonate. The caller must have verified the names.
func (c *Cluster) ImpersonatedUser(name string, groups []string) (*User, error) {
	if name == "" {
		return nil, errors.New("the name of the user is empty")
	}
	cfg := rest.CopyConfig(c.account)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: groups}
	key, err := json.Marshal(append([]string{name}, groups...))
	if err != nil {
		return nil, err
	}
	return c.findUser(cfg, "", "impersonated "+string(key))
}

// findUser returns the user of a configuration. The key identifies its credential: no credentials of two
// users may have the same one.
func (c *Cluster) findUser(cfg *rest.Config, token, key string) (*User, error) {
	digest := sha256.Sum256([]byte(key))
	if known, ok := c.users.Get(digest); ok {
		return known.(*User), nil
	}
	user, err := c.newUser(cfg, token, digest)
	if err != nil {
		return nil, err
	}
	c.users.Add(digest, user, userAge)
	return user, nil
}

func (c *Cluster) newUser(cfg *rest.Config, token string, digest [sha256.Size]byte) (*User, error) {
	cfg.QPS, cfg.Timeout = -1, requestTimeout
	web, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	objects, err := client.New(cfg, client.Options{HTTPClient: web, Scheme: c.scheme, Mapper: c.mapper})
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	authentication, err := authenticationclient.NewForConfigAndClient(cfg, web)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	authorization, err := authorizationclient.NewForConfigAndClient(cfg, web)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	return &User{
		Reader: objects, Writer: client.WithFieldOwner(objects, FieldOwner), cluster: c, token: token, config: cfg,
		reviews:    authentication.SelfSubjectReviews(),
		credential: access.Credential{Key: digest, Reviews: authorization.SelfSubjectAccessReviews()},
	}, nil
}

// Token returns the bearer token of the user, empty for a user without one.
func (p *User) Token() string { return p.token }

// CredentialKey returns the digest by which the credential of the user is known.
func (p *User) CredentialKey() [sha256.Size]byte { return p.credential.Key }

// OpenLog opens the log of a container with the rights of the user. The log has no time limit of its own:
// it ends with the context.
func (p *User) OpenLog(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	_, pods, err := p.unlimitedClient()
	if err != nil {
		return nil, err
	}
	return pods.Pods(namespace).GetLogs(pod, options).Stream(ctx)
}

// unlimitedClient returns the configuration of the user without a time limit, and a client with it.
func (p *User) unlimitedClient() (*rest.Config, *coreclient.CoreV1Client, error) {
	unlimited := rest.CopyConfig(p.config)
	unlimited.Timeout = 0
	pods, err := coreclient.NewForConfig(unlimited)
	if err != nil {
		return nil, nil, fmt.Errorf("create client: %w", err)
	}
	return unlimited, pods, nil
}

// FetchName returns the user name of the user. An error says that the API server does not accept
// the credential, or does not respond.
func (p *User) FetchName(ctx context.Context) (string, error) {
	review, err := p.reviews.Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("review token: %w", err)
	}
	if review.Status.UserInfo.Username == "" || review.Status.UserInfo.Username == "system:anonymous" {
		return "", errAnonymous
	}
	return review.Status.UserInfo.Username, nil
}

var errAnonymous = errors.New("review token: the API server knows no user of the token")

// IsAnonymous reports whether an error of FetchName says that the token belongs to no user.
func IsAnonymous(err error) bool { return errors.Is(err, errAnonymous) }
