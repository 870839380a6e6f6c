package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// OlaresConfig configures an app store with the protocol of Olares.
type OlaresConfig struct {
	// URL is the URL below which the paths of the protocol are. Its scheme must be http or https, and it
	// must not contain credentials.
	URL string
	// SystemVersion is the version of Olares in requests. It can be empty.
	SystemVersion string
	// Username and Password, or Token, are sent only to the scheme, host and port of URL.
	Username, Password, Token string
	TransportConfig
	// Timeout is the timeout of one request, including its body. Defaults to DefaultTimeout.
	Timeout time.Duration
}

// olaresSource is a source of type Olares.
type olaresSource struct {
	listingOptions
	client  *httpClient
	baseURL *url.URL
	version string
}

func newOlaresSource(cfg Config, listed listingOptions) (*olaresSource, error) {
	from := *cfg.Olares
	base, err := url.Parse(from.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("spec.olares.url: must be an http or https URL")
	}
	if base.User != nil {
		return nil, fmt.Errorf("spec.olares.url: %q must not contain credentials: put them into the Secret of spec.olares.secretRef", redactURL(base))
	}
	base.RawQuery, base.Fragment = "", ""
	base = base.JoinPath("/")
	client, err := newHTTPClient(cfg, httpAccess{
		field: "spec.olares", username: from.Username, password: from.Password, token: from.Token, transport: from.TransportConfig, timeout: from.Timeout,
	}, base)
	if err != nil {
		return nil, err
	}
	return &olaresSource{listingOptions: listed, client: client, baseURL: base, version: from.SystemVersion}, nil
}

// List requests the hash of the apps. If it has changed, it requests the identifiers of all apps, and the
// details of ten apps at a time.
func (s *olaresSource) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, maxListingTime)
	defer cancel()
	var hash storeHash
	if err := s.getDocument(ctx, "api/v1/appstore/hash", maxHashBytes, &hash); err != nil {
		return hydrate.Listing{}, err
	}
	if len(hash.Hash) > maxStoreHash {
		return hydrate.Listing{}, outcome.Stalled(v1alpha1.ReasonInvalidIndex, fmt.Errorf(
			"get %s: the hash of the app store is longer than %d bytes", redactURL(s.baseURL), maxStoreHash))
	}
	if hash.Hash != "" && hash.Hash == since.ETag && since.Revision != "" {
		return hydrate.Listing{Revision: since.Revision, ETag: since.ETag, NotModified: true}, nil
	}
	if err := hydrate.ReportReading(ctx, hash.Hash); err != nil {
		return hydrate.Listing{}, err
	}
	var overview storeOverview
	if err := s.getDocument(ctx, "api/v1/appstore/info", maxOverviewBytes, &overview); err != nil {
		return hydrate.Listing{}, err
	}
	selector := newVersionSelector(s.listingOptions, v1alpha1.ReasonInvalidIndex)
	if err := s.addApps(ctx, selector, overview.Data.Apps); err != nil {
		return hydrate.Listing{}, err
	}
	return selector.toListing(hash.Hash, since), nil
}

// addApps requests the details of all apps.
func (s *olaresSource) addApps(ctx context.Context, selector *versionSelector, apps storeApps) error {
	var wanted []string
	for _, id := range slices.Sorted(maps.Keys(apps)) {
		if id == "" || len(id) > maxStoreID {
			selector.Skip(id, fmt.Errorf("the identifier of the app is empty or longer than %d bytes", maxStoreID))
			continue
		}
		// The details are not requested if the name is known and not wanted.
		if app, err := parseStoreApp(apps[id]); err == nil && app.Name != "" && !selector.Wants(app.Name) {
			continue
		}
		wanted = append(wanted, id)
	}
	for batch := range slices.Chunk(wanted, detailsBatch) {
		details, err := s.requestDetails(ctx, batch)
		if err != nil {
			return err
		}
		for _, id := range batch {
			if err := addStoreApp(selector, id, details.Apps[id]); err != nil {
				return fmt.Errorf("get %s: %w", redactURL(s.baseURL), err)
			}
		}
	}
	return nil
}

// addStoreApp adds an app to a listing. An app without details is skipped.
func addStoreApp(selector *versionSelector, id string, details json.RawMessage) error {
	if len(details) == 0 {
		selector.Skip(id, errors.New("the app store lists the app and has no details of it"))
		return nil
	}
	app, err := parseStoreApp(details)
	if err != nil {
		selector.Skip(id, err)
		return nil
	}
	if app.hasLabel(removeLabel) || !selector.Wants(app.Name) {
		return nil
	}
	if err := selector.Add(app.Name, app.toEntry()); err != nil {
		return err
	}
	selector.setPresentation(app.Name, app.toPresentation())
	if app.hasLabel(suspendLabel) {
		selector.markWithdrawn(app.Name)
	}
	return nil
}

// requestDetails requests the details of a batch of apps.
func (s *olaresSource) requestDetails(ctx context.Context, ids []string) (storeDetails, error) {
	body, err := json.Marshal(detailsRequest{AppIDs: ids, Version: s.version})
	if err != nil {
		return storeDetails{}, fmt.Errorf("encode request: %w", err)
	}
	target := s.baseURL.JoinPath("api/v1/applications/info")
	response, err := s.client.send(ctx, http.MethodPost, target, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if err != nil {
		return storeDetails{}, err
	}
	defer response.Body.Close()
	var details storeDetails
	err = s.decodeResponse(response, target, maxDetailsBytes, &details)
	return details, err
}

// getDocument requests a document.
func (s *olaresSource) getDocument(ctx context.Context, path string, limit int64, into any) error {
	target := s.baseURL.JoinPath(path)
	target.RawQuery = url.Values{"version": {s.version}}.Encode()
	response, err := s.client.sendGet(ctx, target, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return s.decodeResponse(response, target, limit, into)
}

// decodeResponse decodes a response. Errors do not quote it.
func (s *olaresSource) decodeResponse(response *http.Response, target *url.URL, limit int64, into any) error {
	if err := s.client.checkStatus(response, target); err != nil {
		return err
	}
	data, err := netguard.ReadBody(response, limit)
	if errors.Is(err, netguard.ErrTooLarge) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("get %s: the response is larger than %d bytes", redactURL(target), limit))
	}
	if err != nil {
		return s.client.connectionError(target, err)
	}
	err = json.Unmarshal(data, into)
	if errors.Is(err, errTooManyApps) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("get %s: %w", redactURL(target), errTooManyApps))
	}
	if err != nil {
		return outcome.Stalled(v1alpha1.ReasonInvalidIndex, fmt.Errorf("get %s: the response is not a document of the app-store protocol: check the URL", redactURL(target)))
	}
	return nil
}

// Fetch fetches the archive of an app.
func (s *olaresSource) Fetch(ctx context.Context, offer hydrate.Offer) (hydrate.ChartContent, error) {
	reference, err := url.Parse(offer.URL)
	if err != nil || reference.IsAbs() || reference.Host != "" || !strings.HasPrefix(reference.Path, "api/v1/applications/") {
		return hydrate.ChartContent{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, errors.New("get chart: the URL is not one of the app store"))
	}
	target := s.baseURL.ResolveReference(reference)
	target.Fragment = ""
	response, err := s.client.sendGet(ctx, target, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	defer response.Body.Close()
	if err := s.client.checkStatus(response, target); err != nil {
		return hydrate.ChartContent{}, err
	}
	data, err := s.client.readArchiveBody(response, target)
	if err != nil {
		return hydrate.ChartContent{}, err
	}
	return hydrate.ChartContent{Archive: data}, nil
}
