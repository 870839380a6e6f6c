package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// maxETag bounds the validator of an index, which ends up in status.
const maxETag = 1024

// repository is a Helm repository over HTTP: a static server, ChartMuseum, or
// what else serves an index.yaml.
type repository struct {
	listingOptions
	client *httpClient
	// base ends in a slash; index is below it.
	baseURL  *url.URL
	indexURL *url.URL
}

func newRepository(cfg Config, chosen listingOptions) (*repository, error) {
	base, err := url.Parse(cfg.Helm.URL)
	if err != nil {
		return nil, errors.New("read URL: it cannot be parsed")
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("read URL %q: %w", redactURL(base), netguard.ErrScheme)
	}
	if base.User != nil {
		return nil, fmt.Errorf("read URL %q: credentials must not stand in it", redactURL(base))
	}
	base.Fragment = ""
	base = base.JoinPath("/")
	if path, ok := strings.CutSuffix(base.Path, "/index.yaml/"); ok {
		base.Path, base.RawPath = path+"/", ""
	}
	web, err := newHTTPClient(cfg, base)
	if err != nil {
		return nil, err
	}
	return &repository{listingOptions: chosen, client: web, baseURL: base, indexURL: base.JoinPath("index.yaml")}, nil
}

// List asks for the index once, with the validator of the last answer.
func (r *repository) List(ctx context.Context, since hydrate.Mark) (hydrate.Listing, error) {
	header := conditionalHeader(since)
	response, err := r.client.sendGet(ctx, r.indexURL, header)
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified && len(header) > 0 {
		return hydrate.Listing{Revision: since.Revision, ETag: since.ETag, NotModified: true}, nil
	}
	if err := checkStatus(response, r.indexURL, time.Now()); err != nil {
		return hydrate.Listing{}, err
	}
	if err := hydrate.Reading(ctx, responseValidator(response.Header)); err != nil {
		return hydrate.Listing{}, err
	}
	shelf, err := readIndex(response.Body, r.listingOptions)
	if outcome.IsStalled(err) {
		return hydrate.Listing{}, fmt.Errorf("get %s: %w", redactURL(r.indexURL), err)
	}
	if err != nil {
		return hydrate.Listing{}, r.client.connectionError(r.indexURL, err)
	}
	return shelf.toListing(responseValidator(response.Header), since), nil
}

// readIndex reads an index and selects the versions that are listed.
func readIndex(in io.Reader, chosen listingOptions) (*versionSelector, error) {
	selector, complete, err := index.Read(in, func() *versionSelector { return newVersionSelector(chosen, v1alpha1.ReasonInvalidIndex) })
	if err != nil {
		return nil, err
	}
	selector.incomplete = !complete
	return selector, nil
}

// conditions are the headers by which a server says that nothing is new since a mark.
func conditionalHeader(since hydrate.Mark) http.Header {
	if since.ETag == "" || since.Revision == "" {
		return http.Header{}
	}
	if _, err := http.ParseTime(since.ETag); err == nil {
		return http.Header{"If-Modified-Since": {since.ETag}}
	}
	return http.Header{"If-None-Match": {since.ETag}}
}

// validator is the ETag of an answer, or otherwise its Last-Modified. A time stamp
// does not tell two changes within a second apart: it counts only once that second has
// passed by the clock of the server (RFC 9110, 8.8.2.2).
func responseValidator(answer http.Header) string {
	if etag := answer.Get("ETag"); etag != "" && len(etag) <= maxETag {
		return etag
	}
	modified, err := http.ParseTime(answer.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	sent, err := http.ParseTime(answer.Get("Date"))
	if err != nil || sent.Sub(modified) < 2*time.Second {
		return ""
	}
	return answer.Get("Last-Modified")
}

// Fetch gets the archive of an offer.
func (r *repository) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.Payload, error) {
	target, err := r.resolveURL(offer.URL)
	if err != nil {
		return hydrate.Payload{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, err)
	}
	// An archive is gzip itself: what a server says of its encoding is often wrong,
	// and its digest is of the bytes as they come.
	response, err := r.client.sendGet(ctx, target, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return hydrate.Payload{}, err
	}
	defer response.Body.Close()
	if err := checkStatus(response, target, time.Now()); err != nil {
		return hydrate.Payload{}, err
	}
	data, err := r.client.readArchiveBody(response, target)
	if err != nil {
		return hydrate.Payload{}, err
	}
	return hydrate.Payload{Archive: data}, nil
}

// resolve reads the URL of an offer, relative to the repository as Helm does it:
// a query of the repository's own, which may be what lets us in, goes with it.
func (r *repository) resolveURL(text string) (*url.URL, error) {
	if err := checkURL(text); err != nil {
		return nil, fmt.Errorf("get chart: %w", err)
	}
	reference, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("get chart: URL cannot be parsed")
	}
	if reference.Scheme == "oci" {
		return nil, fmt.Errorf("get %s: the index names an OCI registry, which a source of type Helm cannot read: "+
			"list an http or https URL of the archive in the index, or exclude the app in spec.exclude", redactURL(reference))
	}
	target := r.baseURL.ResolveReference(reference)
	if reference.Scheme == "" && reference.Host == "" && target.RawQuery == "" {
		target.RawQuery = r.baseURL.RawQuery
	}
	target.Fragment = ""
	return target, nil
}
