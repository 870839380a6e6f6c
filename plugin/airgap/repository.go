package airgap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// requestTimeout limits a request to the repository.
const requestTimeout = 2 * time.Minute

// catalogLabel is the label of the Service of the repository.
const catalogLabel = "catalog.headlamp.dev/is-catalog"

// Repository returns the files of the repository of a market.
type Repository interface {
	// Get returns the file with a path. A file with more than limit bytes is an error. The error for a missing
	// file matches fs.ErrNotExist.
	Get(ctx context.Context, limit int64, path ...string) ([]byte, error)
}

// urlRepository is a repository that is reached directly.
type urlRepository struct {
	base  *url.URL
	token string
	http  *http.Client
}

// NewURLRepository returns the repository at a URL. The token is sent to it, unless it is empty.
func NewURLRepository(address, token string) (Repository, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, fmt.Errorf("repository URL %q must be an http or https URL without credentials", address)
	}
	return &urlRepository{base: base, token: token, http: &http.Client{
		Timeout: requestTimeout,
		// A redirect could send the token elsewhere, and the repository has none.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Get implements Repository.
func (r *urlRepository) Get(ctx context.Context, limit int64, path ...string) ([]byte, error) {
	address := r.base.JoinPath(path...)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return readLimited(response.Body, limit, address.Path)
	case http.StatusNotFound:
		return nil, fmt.Errorf("get %s: %w", address.Path, fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("get %s: the source is not shared with all namespaces; give a token of an account that can get the MarketSource with --token-file", address.Path)
	}
	return nil, fmt.Errorf("get %s: the repository returned the status %d", address.Path, response.StatusCode)
}

// serviceRepository is a repository that is reached through the API server.
type serviceRepository struct {
	clients   *kubernetes.Clientset
	namespace string
	service   string
	port      string
}

// FindServiceRepository returns the repository that a namespace contains. Requests are sent through the API
// server, which requires the permission to get services/proxy.
func FindServiceRepository(ctx context.Context, config *rest.Config, k client.Client, namespace string) (Repository, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var services corev1.ServiceList
	if err := k.List(ctx, &services, client.InNamespace(namespace), client.HasLabels{catalogLabel}); err != nil {
		return nil, err
	}
	for _, service := range services.Items {
		for _, port := range service.Spec.Ports {
			if port.Name == "http" || port.Name == "https" {
				return &serviceRepository{clients: clients, namespace: namespace, service: service.Name, port: port.Name}, nil
			}
		}
	}
	return nil, fmt.Errorf("namespace %q contains no Service of a repository", namespace)
}

// Get implements Repository.
func (r *serviceRepository) Get(ctx context.Context, limit int64, path ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, requestTimeout)
	defer stop()
	scheme := ""
	if r.port == "https" {
		scheme = "https"
	}
	body, err := r.clients.CoreV1().Services(r.namespace).ProxyGet(scheme, r.service, r.port, strings.Join(path, "/"), nil).Stream(ctx)
	if apierrors.IsUnauthorized(err) {
		return nil, fmt.Errorf("get %s: the source is not shared with all namespaces, and the API server does not forward a token; use --repository-url and --token-file", strings.Join(path, "/"))
	}
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get %s: %w", strings.Join(path, "/"), fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return readLimited(body, limit, strings.Join(path, "/"))
}

// readLimited reads a body with at most limit bytes.
func readLimited(body io.Reader, limit int64, path string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("get %s: %w of %d bytes", path, errTooLarge, limit)
	}
	return content, nil
}

var errTooLarge = errors.New("the file is larger than the limit")
