package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// maxETag is the maximum length of the validator of an index, which is stored in the status.
const maxETag = 1024

// repository is a source of type Helm: a static server, ChartMuseum, or any other HTTP
// server with an index.yaml.
type repository struct {
	listingOptions
	client *httpClient
	// baseURL ends with a slash. indexURL is relative to it.
	baseURL  *url.URL
	indexURL *url.URL
	// registries is the access to registries in the URLs of the index.
	registries registryAccess
}

// newRepository opens the repository of cfg.Helm. The field is the field of the spec with the references to
// its Secrets, or empty.
func newRepository(cfg Config, field string, listed listingOptions) (*repository, error) {
	base, err := url.Parse(cfg.Helm.URL)
	if err != nil {
		return nil, errors.New("spec.helm.url: the URL cannot be parsed")
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("spec.helm.url: %q: %w", redactURL(base), netguard.ErrScheme)
	}
	if base.User != nil {
		return nil, fmt.Errorf("spec.helm.url: %q must not contain credentials: put them into the Secret of spec.helm.secretRef", redactURL(base))
	}
	base.Fragment = ""
	base = base.JoinPath("/")
	if path, ok := strings.CutSuffix(base.Path, "/index.yaml/"); ok {
		base.Path, base.RawPath = path+"/", ""
	}
	web, err := newHTTPClient(cfg, httpAccess{
		field: field, username: cfg.Helm.Username, password: cfg.Helm.Password, token: cfg.Helm.Token,
		transport: cfg.Helm.TransportConfig, timeout: cfg.Helm.Timeout,
	}, base)
	if err != nil {
		return nil, err
	}
	return &repository{
		listingOptions: listed, client: web, baseURL: base, indexURL: base.JoinPath("index.yaml"),
		registries: registryAccess{
			network: cfg.Network, userAgent: cfg.UserAgent, transport: cfg.Helm.ForOtherServer(), timeout: cfg.Helm.Timeout,
		},
	}, nil
}

// List requests the index, conditionally on the validator of the last listing.
func (r *repository) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	header := conditionalHeader(since)
	response, err := r.client.sendGet(ctx, r.indexURL, header)
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified && len(header) > 0 {
		return hydrate.Listing{Revision: since.Revision, ETag: since.ETag, NotModified: true}, nil
	}
	if err := r.client.checkStatus(response, r.indexURL); err != nil {
		return hydrate.Listing{}, err
	}
	if err := hydrate.ReportReading(ctx, responseValidator(response.Header)); err != nil {
		return hydrate.Listing{}, err
	}
	selector, err := readIndex(response.Body, r.listingOptions)
	if outcome.IsStalled(err) {
		return hydrate.Listing{}, fmt.Errorf("get %s: %w", redactURL(r.indexURL), err)
	}
	if err != nil {
		return hydrate.Listing{}, r.client.connectionError(r.indexURL, err)
	}
	return selector.toListing(responseValidator(response.Header), since), nil
}

// readIndex reads an index and selects the versions that are listed.
func readIndex(in io.Reader, listed listingOptions) (*versionSelector, error) {
	selector, complete, err := index.Read(in, func() *versionSelector { return newVersionSelector(listed, v1alpha1.ReasonInvalidIndex) })
	if err != nil {
		return nil, err
	}
	selector.incomplete = !complete
	return selector, nil
}

// conditionalHeader returns the header for which a server returns 304 Not Modified if the
// index has not changed since the mark.
func conditionalHeader(since hydrate.Cursor) http.Header {
	if since.ETag == "" || since.Revision == "" {
		return http.Header{}
	}
	if _, err := http.ParseTime(since.ETag); err == nil {
		return http.Header{"If-Modified-Since": {since.ETag}}
	}
	return http.Header{"If-None-Match": {since.ETag}}
}

// responseValidator returns the ETag of a response, or its Last-Modified if it has no ETag.
// A timestamp does not distinguish two changes within one second, so it is used only if that
// second has passed according to the clock of the server (RFC 9110, section 8.8.2.2).
func responseValidator(header http.Header) string {
	if etag := header.Get("ETag"); etag != "" && len(etag) <= maxETag {
		return etag
	}
	modified, err := http.ParseTime(header.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	sent, err := http.ParseTime(header.Get("Date"))
	if err != nil || sent.Sub(modified) < 2*time.Second {
		return ""
	}
	return header.Get("Last-Modified")
}

// Fetch fetches the archive of an offer, which can be in an OCI registry.
func (r *repository) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	if strings.HasPrefix(offer.URL, ociScheme) {
		return r.fetchFromRegistry(ctx, offer)
	}
	target, err := r.resolveURL(offer.URL)
	if err != nil {
		return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, err)
	}
	// An archive is compressed itself. Servers often send a wrong Content-Encoding for it,
	// and the digest is computed from the bytes as they are sent.
	response, err := r.client.sendGet(ctx, target, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	defer response.Body.Close()
	if err := r.client.checkStatus(response, target); err != nil {
		return hydrate.ChartContent{}, err
	}
	data, err := r.client.readArchiveBody(response, target)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	return hydrate.ChartContent{Archive: data}, nil
}

// fetchFromRegistry fetches the archive of an offer from the registry in its URL. The registry is
// accessed anonymously, because the credentials of the source are for its own server.
func (r *repository) fetchFromRegistry(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	tag, client, err := r.openRegistry(offer)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	archive, err := client.fetchChart(ctx, tag)
	return hydrate.ChartContent{Archive: archive}, err
}

// openRegistry returns the tag in the URL of an offer, and a client of its registry.
func (r *repository) openRegistry(offer hydrate.Offer) (name.Tag, *registryClient, error) {
	reference := strings.TrimPrefix(offer.URL, ociScheme)
	if !strings.Contains(path.Base(reference), ":") {
		reference += ":" + versionTag(offer.Version)
	}
	tag, err := name.NewTag(reference, name.StrictValidation)
	if err != nil {
		return name.Tag{}, nil, outcome.Stalled(v1alpha1.ReasonFetchFailed, errors.New("get chart: the URL in the index is not a tag of a registry; exclude the app in spec.filter.exclude"))
	}
	client, err := newRegistryClient(r.registries, tag.Registry)
	return tag, client, err
}

// resolveURL resolves the URL of an offer relative to the repository as Helm does. The query
// of the URL of the repository, which may contain an access token, is added to a relative URL.
func (r *repository) resolveURL(text string) (*url.URL, error) {
	if err := checkURL(text); err != nil {
		return nil, fmt.Errorf("get chart: %w", err)
	}
	reference, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("get chart: URL cannot be parsed")
	}
	target := r.baseURL.ResolveReference(reference)
	if reference.Scheme == "" && reference.Host == "" && target.RawQuery == "" {
		target.RawQuery = r.baseURL.RawQuery
	}
	target.Fragment = ""
	return target, nil
}
