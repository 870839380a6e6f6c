package release

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/appmarket/operator/internal/helm/storage"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

const (
	// versionAge is the maximum age of the Kubernetes version in .Capabilities.
	versionAge = 30 * time.Second
	// capabilitiesAge is the maximum age of the kinds in .Capabilities. An operation refreshes them
	// before it renders a chart.
	capabilitiesAge = time.Second
)

// Clients creates Helm clients for tenants. All clients share one transport and one cache of the
// kinds of the cluster, which is read with the identity of the operator. Creating a client is
// therefore cheap.
type Clients struct {
	// ChunkSizes specifies how large records are stored. NewClients sets the default.
	ChunkSizes storage.ChunkSizes

	transport http.RoundTripper
	host      string
	userAgent string
	kinds     *kinds.Kinds

	mu      sync.Mutex
	version *chartutil.KubeVersion
	asked   time.Time
}

// NewClients returns Clients for the cluster of cfg, whose identity must have permission to
// impersonate the service accounts and their groups.
func NewClients(cfg *rest.Config, known *kinds.Kinds) (*Clients, error) {
	base, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("make transport: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("read address of the cluster: %w", err)
	}
	return &Clients{
		transport: base, host: host.String(), userAgent: cfg.UserAgent, kinds: known,
		ChunkSizes: storage.DefaultChunkSizes,
	}, nil
}

// For returns the client of a tenant, for releases in the namespace of the tenant. If known is nil,
// the client trusts every record of a release.
func (c *Clients) For(t plain.Tenant, known plain.Records) *Client {
	return &Client{clients: c, tenant: t, known: known, transport: c.impersonatingTransport(t)}
}

func (c *Clients) restConfigFor(with http.RoundTripper) *rest.Config {
	return &rest.Config{Host: c.host, UserAgent: c.userAgent, Transport: with, QPS: -1}
}

// impersonatingTransport returns a transport that acts as the service account of the tenant.
func (c *Clients) impersonatingTransport(t plain.Tenant) http.RoundTripper {
	as := impersonation.Config(&rest.Config{}, t).Impersonate
	return transport.NewImpersonatingRoundTripper(
		transport.ImpersonationConfig{UserName: as.UserName, Groups: as.Groups}, c.transport)
}

// cachedCapabilities returns the capabilities of the cluster, and refreshes them when they are outdated.
// Discovery does not accept a context, so known returns when ctx ends without waiting for it.
func (c *Clients) cachedCapabilities(ctx context.Context) (*chartutil.Capabilities, error) {
	var capabilities *chartutil.Capabilities
	done := make(chan error, 1)
	go func() {
		done <- outcome.Guarded(func() (err error) {
			capabilities, err = c.queryCapabilities(ctx)
			return err
		})()
	}()
	select {
	case err := <-done:
		return capabilities, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Clients) queryCapabilities(ctx context.Context) (*chartutil.Capabilities, error) {
	if err := c.kinds.Refresh(ctx, capabilitiesAge); err != nil {
		return nil, err
	}
	cluster, err := c.kinds.Discovery(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := action.GetVersionSet(cluster)
	if err != nil {
		return nil, fmt.Errorf("get kinds of the cluster: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == nil || time.Since(c.asked) > versionAge {
		version, err := cluster.ServerVersion()
		if err != nil {
			return nil, fmt.Errorf("get version of the cluster: %w", err)
		}
		c.asked = time.Now()
		c.version = &chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor}
	}
	return &chartutil.Capabilities{
		KubeVersion: *c.version, APIVersions: versions, HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}

// Client performs operations on the releases of a tenant. Its methods may be called concurrently,
// but only one operation at a time may run on a release.
type Client struct {
	clients   *Clients
	tenant    plain.Tenant
	known     plain.Records
	transport http.RoundTripper
}
