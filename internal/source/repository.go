package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// repository is a Helm repository over HTTP: a static server, ChartMuseum, or
// what else serves an index.yaml.
type repository struct {
	selection
	web *getter
	// base ends in a slash; index is below it.
	base  *url.URL
	index *url.URL
}

func newRepository(cfg HelmConfig, chosen selection, agent string) (*repository, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("read URL: it cannot be parsed")
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("read URL %q: %w", shown(base), errScheme)
	}
	if base.User != nil {
		return nil, fmt.Errorf("read URL %q: credentials must not stand in it", shown(base))
	}
	base.Fragment = ""
	base = base.JoinPath("/")
	if path, ok := strings.CutSuffix(base.Path, "/index.yaml/"); ok {
		base.Path, base.RawPath = path+"/", ""
	}
	web, err := newGetter(cfg, base, agent)
	if err != nil {
		return nil, err
	}
	return &repository{selection: chosen, web: web, base: base, index: base.JoinPath("index.yaml")}, nil
}

// List asks for the index once, with the validator of the last answer.
func (r *repository) List(ctx context.Context, since hydrate.Mark) (hydrate.Listing, error) {
	header := http.Header{}
	if since.ETag != "" && since.Revision != "" {
		header.Set("If-None-Match", since.ETag)
	}
	response, err := r.web.get(ctx, r.index, header)
	if err != nil {
		return hydrate.Listing{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified && header.Get("If-None-Match") != "" {
		return hydrate.Listing{Revision: since.Revision, ETag: since.ETag, NotModified: true}, nil
	}
	if err := checkStatus(response, r.index, time.Now()); err != nil {
		return hydrate.Listing{}, err
	}
	shelf, err := readIndex(response.Body, r.selection)
	if outcome.IsStalled(err) {
		return hydrate.Listing{}, fmt.Errorf("get %s: %w", shown(r.index), err)
	}
	if err != nil {
		return hydrate.Listing{}, r.web.failed(r.index, err)
	}
	return shelf.listing(response.Header.Get("ETag"), since), nil
}

// Fetch gets the archive of an offer.
func (r *repository) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.Payload, error) {
	target, err := r.resolve(offer.URL)
	if err != nil {
		return hydrate.Payload{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, err)
	}
	// An archive is gzip itself: what a server says of its encoding is often wrong,
	// and its digest is of the bytes as they come.
	response, err := r.web.get(ctx, target, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return hydrate.Payload{}, err
	}
	defer response.Body.Close()
	if err := checkStatus(response, target, time.Now()); err != nil {
		return hydrate.Payload{}, err
	}
	data, err := r.web.readArchive(response, target)
	if err != nil {
		return hydrate.Payload{}, err
	}
	return hydrate.Payload{Archive: data}, nil
}

// resolve reads the URL of an offer, relative to the repository as Helm does it:
// a query of the repository's own, which may be what lets us in, goes with it.
func (r *repository) resolve(text string) (*url.URL, error) {
	if err := checkURL(text); err != nil {
		return nil, fmt.Errorf("get chart: %w", err)
	}
	reference, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("get chart: URL cannot be parsed")
	}
	if reference.Scheme == "oci" {
		return nil, fmt.Errorf("get %s: the index points to an OCI registry, which a source of type helm does not read", shown(reference))
	}
	target := r.base.ResolveReference(reference)
	if reference.Scheme == "" && reference.Host == "" && target.RawQuery == "" {
		target.RawQuery = r.base.RawQuery
	}
	target.Fragment = ""
	return target, nil
}
