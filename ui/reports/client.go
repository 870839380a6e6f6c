// Package reports fetches the long texts that the repository publishes with each chart, such as
// the README and the values.
//
// Reports are fetched from one configured repository only, by digest, independently of the URL in an object: a
// user who can forge a status cannot have the server send a request elsewhere. The token of the
// user is sent with the request, because reports of sources that are not shared require it.
package reports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/images"
)

const (
	// MaxBytes is the largest report that is fetched.
	MaxBytes = 2 << 20
	timeout  = 5 * time.Second
)

// Names of reports.
const (
	Readme  = "README.md"
	Values  = "values.yaml"
	Schema  = "values.schema.json"
	App     = "app.json"
	Images  = "images.json"
	Layers  = images.LayersReport
	Objects = "objects.yaml"
	Chart   = "chart.json"
	Inputs  = "inputs.json"
	// Permissions contains what the objects of a version may do outside their Pods.
	Permissions = "permissions.json"
	// Audit contains the findings of the rules of the market.
	Audit = "audit.json"
)

// Names contains the reports that a user can download.
var Names = []string{Readme, Values, Schema, App, Images, Layers, Objects, Chart, Inputs, Permissions, Audit}

// Errors of Fetch.
var (
	// ErrNotFound means that the version has no such report.
	ErrNotFound = errors.New("the version has no such report")
	// ErrForbidden means that the user may not read reports of the source.
	ErrForbidden = errors.New("the repository requires the permission to get the MarketSource")
	// ErrTooLarge means that the report is larger than MaxBytes.
	ErrTooLarge = errors.New("the report is too large to be shown")
	// ErrNoRepository means that the client has no URL of a repository.
	ErrNoRepository = errors.New("the URL of the repository is not configured")
	// ErrOrigin means that the address is not one of the configured repository.
	ErrOrigin = errors.New("its URL is not in the repository of this market")
)

// Client fetches reports. It is safe for concurrent use.
type Client struct {
	// base is the URL of the repository, nil if there is none.
	base *url.URL
	http *http.Client
}

// New returns a client for the repository with a URL. If the URL is empty, no report can be fetched.
func New(repository string) (*Client, error) {
	c := &Client{http: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No proxy of the environment: the repository is in the cluster.
		Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: timeout},
	}}
	if repository == "" {
		return c, nil
	}
	base, err := url.Parse(repository)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") || base.User != nil {
		return nil, fmt.Errorf("repository URL %q: must be an http or https URL without credentials", repository)
	}
	c.base = base
	return c, nil
}

var digestPath = regexp.MustCompile(`/reports/([0-9a-f]{64})/?$`)

// HasRepository reports whether the client has the URL of a repository.
func (c *Client) HasRepository() bool { return c.base != nil }

// addressOf returns the address of a report. Of the URL in the status only the digest is used.
func (c *Client) addressOf(reportURL, name string) (string, error) {
	switch {
	case c.base == nil:
		return "", ErrNoRepository
	case reportURL == "":
		return "", ErrNotFound
	}
	given, err := url.Parse(reportURL)
	if err != nil {
		return "", ErrOrigin
	}
	digest := digestPath.FindStringSubmatch(given.Path)
	if digest == nil || given.Scheme != c.base.Scheme || given.Host != c.base.Host ||
		given.Path != strings.TrimSuffix(c.base.Path, "/")+digest[0] {
		return "", ErrOrigin
	}
	return c.base.JoinPath("reports", digest[1], name).String(), nil
}

// Fetch returns a report of the version that has the report URL. The token may be empty.
func (c *Client) Fetch(ctx context.Context, reportURL, name, token string) ([]byte, error) {
	address, err := c.addressOf(reportURL, name)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch report: %w", err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch report: %w", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, ErrForbidden
	default:
		return nil, fmt.Errorf("fetch report: unexpected status %d", response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("fetch report: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, ErrTooLarge
	}
	return text, nil
}
