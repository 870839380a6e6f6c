// Package repository reads the files of the repository of a market: charts, and the reports about them.
//
// A repository is read through the API server, with the permission to get services/proxy, or directly at a URL.
// Its content is not trusted: each file has a limit, and the URL of a report in a status is only used for its
// digest, so that a forged status cannot send a request elsewhere.
package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
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

// MaxReportBytes is the maximum size of a report.
const MaxReportBytes = 8 << 20

// Errors for a repository that the user cannot read.
var (
	// ErrNoService means that a namespace contains no Service of a repository.
	ErrNoService = errors.New("no Service of a repository exists")
	// ErrUnauthorized means that the repository requires a token.
	ErrUnauthorized = errors.New("the source is not shared with all namespaces")
	// ErrTooLarge means that a file is larger than its limit.
	ErrTooLarge = errors.New("the file is larger than the limit")
)

// reportPattern matches the end of the URL of the reports of a version.
var reportPattern = regexp.MustCompile(`/reports/([0-9a-f]{64})/?$`)

// Client reads the files of the repository of a market.
type Client interface {
	// Get returns the file with a path. A file with more than limit bytes is an error. The error for a missing
	// file matches fs.ErrNotExist.
	Get(ctx context.Context, limit int64, path ...string) ([]byte, error)
}

// urlRepository reads a repository at its URL.
type urlRepository struct {
	base  *url.URL
	token string
	http  *http.Client
}

// ReportDigest returns the digest in the URL of the reports of a version.
func ReportDigest(reportURL string) (digest string, valid bool) {
	if found := reportPattern.FindStringSubmatch(reportURL); found != nil {
		return found[1], true
	}
	return "", false
}

// GetReport returns a report of the version that has the report URL.
func GetReport(ctx context.Context, c Client, reportURL, name string) ([]byte, error) {
	digest, valid := ReportDigest(reportURL)
	if !valid {
		return nil, fmt.Errorf("report %s: the version has no reports: %w", name, fs.ErrNotExist)
	}
	return c.Get(ctx, MaxReportBytes, "reports", digest, name)
}

// NewURLClient returns a client of the repository at a URL. The token is sent to it, unless it is empty.
func NewURLClient(address, token string) (Client, error) {
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

// Get implements Client.
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
		return nil, fmt.Errorf("get %s: %w; give a token of an account that can get the MarketSource with --token-file", address.Path, ErrUnauthorized)
	}
	return nil, fmt.Errorf("get %s: the repository returned the status %d", address.Path, response.StatusCode)
}

// serviceRepository reads a repository through the API server.
type serviceRepository struct {
	clients   *kubernetes.Clientset
	namespace string
	service   string
	port      string
}

// FindServiceClient returns a client of the repository that a namespace contains. Requests are sent through the API
// server, which requires the permission to get services/proxy.
func FindServiceClient(ctx context.Context, config *rest.Config, k client.Client, namespace string) (Client, error) {
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
	return nil, fmt.Errorf("namespace %q: %w", namespace, ErrNoService)
}

// Get implements Client.
func (r *serviceRepository) Get(ctx context.Context, limit int64, path ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, requestTimeout)
	defer stop()
	scheme := ""
	if r.port == "https" {
		scheme = "https"
	}
	body, err := r.clients.CoreV1().Services(r.namespace).ProxyGet(scheme, r.service, r.port, strings.Join(path, "/"), nil).Stream(ctx)
	if apierrors.IsUnauthorized(err) {
		return nil, fmt.Errorf("get %s: %w, and the API server does not forward a token; use --repository-url and --token-file", strings.Join(path, "/"), ErrUnauthorized)
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
		return nil, fmt.Errorf("get %s: %w of %d bytes", path, ErrTooLarge, limit)
	}
	return content, nil
}
