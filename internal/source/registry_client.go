package source

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"k8s.io/utils/lru"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
	"github.com/appmarket/operator/internal/text"
)

// chartConfigType is the media type of the metadata of a chart that `helm push` stores.
const chartConfigType types.MediaType = "application/vnd.cncf.helm.config.v1+json"

const (
	// maxTags is the maximum number of tags of a repository.
	maxTags = 20_000
	// maxManifestBytes is the maximum size of a manifest, a page of tags or a configuration.
	maxManifestBytes = 4 << 20
	// createdAnnotation is the annotation of a manifest with the creation time of the chart.
	createdAnnotation = "org.opencontainers.image.created"
)

// chartsByDigest caches the entries of charts, and the errors of other artifacts, by chartKey. It is shared by all sources,
// because a source is opened for every reconcile. It contains only what follows from bytes whose digest was compared.
var chartsByDigest = lru.New(10_000)

// chartKey identifies a manifest. The field access is the digest of the configuration of the client, so that an answer that
// another source got through its own proxy, or with its credentials, is never used.
type chartKey struct{ access, manifest string }

// registryClient reads charts in one registry.
type registryClient struct {
	puller  *remote.Puller
	timeout time.Duration
	guard   *registryTransport
	// access is the digest of the configuration.
	access string
	// field is the field of the spec with the references to the Secrets for the registry, or empty.
	field string
}

// registryAccess configures the access to one registry.
type registryAccess struct {
	// field is spec.oci. It is empty if no credentials can be specified for the registry.
	field     string
	network   netguard.Policy
	userAgent string
	// username and password are empty for anonymous access.
	username, password string
	transport          TransportConfig
	insecure           bool
	timeout            time.Duration
}

func newRegistryClient(access registryAccess, registry name.Registry) (*registryClient, error) {
	server := &url.URL{Host: registry.RegistryStr()}
	options := netguard.TransportOptions{Policy: access.network, UserAgent: access.userAgent}
	base, err := transports.getTransport(options, access.transport, server)
	if err != nil {
		return nil, fmt.Errorf("%s.%w", access.field, err)
	}
	c := &registryClient{
		access: chart.Digest(fmt.Appendf(nil, "%q", []any{
			access.network, access.username, access.password, access.transport.Digest(server), access.insecure,
		})),
		timeout: cmp.Or(access.timeout, DefaultTimeout), field: access.field,
		guard: &registryTransport{base: base, registry: registry, insecure: access.insecure, authenticated: access.username != ""},
	}
	credentials := authn.Anonymous
	if access.username != "" {
		credentials = &authn.Basic{Username: access.username, Password: access.password}
	}
	c.puller, err = remote.NewPuller(
		remote.WithAuth(credentials),
		remote.WithTransport(c.guard),
		// The caller repeats requests with its own backoff.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryStatusCodes(),
	)
	return c, err
}

// listTags returns the tags of a repository.
func (c *registryClient) listTags(ctx context.Context, repository name.Repository) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	pages, err := c.puller.Lister(ctx, repository)
	if err != nil {
		return nil, c.toError(repository, err)
	}
	var tags []string
	for pages.HasNext() {
		page, err := pages.Next(ctx)
		if err != nil {
			return nil, c.toError(repository, err)
		}
		if tags = append(tags, page.Tags...); len(tags) > maxTags {
			return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("%s has more than %d tags", urlOf(repository), maxTags))
		}
	}
	return tags, nil
}

// readTag returns the entry of the chart with a tag.
func (c *registryClient) readTag(ctx context.Context, tag name.Tag) (index.Entry, error) {
	digest, err := c.readDigest(ctx, tag)
	if err != nil {
		return index.Entry{}, err
	}
	return c.readChart(ctx, tag, digest)
}

// readDigest returns the digest of the manifest with a tag.
func (c *registryClient) readDigest(ctx context.Context, tag name.Tag) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	manifest, err := c.puller.Head(ctx, tag)
	if err != nil {
		return "", c.toError(tag, err)
	}
	return manifest.Digest.String(), nil
}

// readChart returns the entry of the chart with a tag, whose manifest has the digest. A manifest that is not the manifest of a
// chart is stalled with InvalidChart.
func (c *registryClient) readChart(ctx context.Context, tag name.Tag, digest string) (index.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	at := tag.Digest(digest)
	key := chartKey{c.access, at.Name()}
	if cached, ok := chartsByDigest.Get(key); ok {
		if err, isError := cached.(error); isError {
			return index.Entry{}, err
		}
		return withURL(cached.(index.Entry), tag), nil
	}
	if err := hydrate.ReportReading(ctx, ""); err != nil {
		return index.Entry{}, err
	}
	entry, err := c.readManifest(ctx, at)
	if outcome.Reason(err, "") == v1alpha1.ReasonInvalidChart {
		chartsByDigest.Add(key, err)
	}
	if err != nil {
		return index.Entry{}, err
	}
	chartsByDigest.Add(key, entry)
	return withURL(entry, tag), nil
}

// withURL returns an entry with the URL of a tag, because several tags can have one manifest.
func withURL(entry index.Entry, tag name.Tag) index.Entry {
	entry.URL = urlOf(tag)
	return entry
}

// readManifest reads a manifest and its configuration, which is the Chart.yaml in JSON. An error with InvalidChart is about
// bytes whose digest was compared.
func (c *registryClient) readManifest(ctx context.Context, at name.Digest) (index.Entry, error) {
	answer, err := c.puller.Get(ctx, at)
	if err != nil {
		return index.Entry{}, c.toError(at, err)
	}
	var manifest v1.Manifest
	if json.Unmarshal(answer.Manifest, &manifest) != nil || manifest.Config.MediaType != chartConfigType {
		return index.Entry{}, invalidChart("%s is not a Helm chart", urlOf(at))
	}
	archive := archiveLayer(manifest)
	if archive == nil {
		return index.Entry{}, invalidChart("%s has no layer with a Helm chart", urlOf(at))
	}
	if manifest.Config.Size > maxManifestBytes {
		return index.Entry{}, invalidChart("the configuration of %s is larger than %d bytes", urlOf(at), maxManifestBytes)
	}
	config, err := c.readBlob(ctx, at.Context().Digest(manifest.Config.Digest.String()), maxManifestBytes)
	if err != nil {
		return index.Entry{}, err
	}
	var metadata struct {
		Name, Version, AppVersion string
		Deprecated                bool
	}
	if json.Unmarshal(config, &metadata) != nil {
		return index.Entry{}, invalidChart("the configuration of %s is not a Chart.yaml in JSON", urlOf(at))
	}
	// The entry is cached, so its texts are truncated, to one byte more than is valid.
	return index.Entry{
		Name: text.Truncate(metadata.Name, maxName+1), Version: text.Truncate(metadata.Version, maxVersion+1),
		AppVersion: text.Truncate(metadata.AppVersion, maxAppVersion), Deprecated: metadata.Deprecated,
		Digest: archive.Digest.String(), Created: text.Truncate(manifest.Annotations[createdAnnotation], 64),
	}, nil
}

// archiveLayer returns the layer that is the archive of a chart, or nil.
func archiveLayer(manifest v1.Manifest) *v1.Descriptor {
	for i, layer := range manifest.Layers {
		if chart.IsArchiveMediaType(string(layer.MediaType)) {
			return &manifest.Layers[i]
		}
	}
	return nil
}

// fetchChart reads the archive of the chart with a tag.
func (c *registryClient) fetchChart(ctx context.Context, tag name.Tag) ([]byte, error) {
	entry, err := c.readTag(ctx, tag)
	if err != nil {
		return nil, err
	}
	return c.readArchive(ctx, tag.Digest(entry.Digest))
}

// readArchive reads the archive with a digest.
func (c *registryClient) readArchive(ctx context.Context, at name.Digest) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.readBlob(ctx, at, chart.MaxArchiveBytes)
}

// readBlob reads a blob of at most limit bytes. The library compares its digest.
func (c *registryClient) readBlob(ctx context.Context, at name.Digest, limit int64) ([]byte, error) {
	layer, err := c.puller.Layer(ctx, at)
	if err != nil {
		return nil, c.toError(at, err)
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, c.toError(at, err)
	}
	data, err := io.ReadAll(netguard.LimitBody(body, limit))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, c.toError(at, err)
	}
	return data, nil
}

func invalidChart(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf(format, args...))
}
