package helm

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	core "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

const (
	// versionAge is how long the Kubernetes version of .Capabilities may lag behind the
	// cluster.
	versionAge = 30 * time.Second
	// capabilitiesAge is how long the kinds of .Capabilities may lag behind the cluster.
	// An operation asks before it renders.
	capabilitiesAge = time.Second
)

// Clients makes Helm clients for tenants. All share one transport and what is
// known of the cluster's kinds, which is asked for with the operator's identity,
// so that a client costs next to nothing.
type Clients struct {
	transport http.RoundTripper
	host      string
	userAgent string
	kinds     *kinds.Kinds
	chunks    chunkSizes

	mu      sync.Mutex
	version *chartutil.KubeVersion
	asked   time.Time
}

// NewClients makes Clients that reach the cluster with cfg, which must be allowed
// to impersonate the service accounts and their groups.
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
		chunks: chunkSizes{whole: core.MaxSecretSize, chunk: chunkBytes},
	}, nil
}

// For gives the client of a tenant, whose releases live in the tenant's
// namespace. Without known it trusts every record of a release.
func (c *Clients) For(t Tenant, known plain.Records) *Client {
	return &Client{clients: c, tenant: t, known: known, transport: c.impersonate(t)}
}

func (c *Clients) config(with http.RoundTripper) *rest.Config {
	return &rest.Config{Host: c.host, UserAgent: c.userAgent, Transport: with, QPS: -1}
}

// impersonate acts as the service account of the tenant.
func (c *Clients) impersonate(t Tenant) http.RoundTripper {
	as := impersonation.Config(&rest.Config{}, t).Impersonate
	return transport.NewImpersonatingRoundTripper(
		transport.ImpersonationConfig{UserName: as.UserName, Groups: as.Groups}, c.transport)
}

// known gives the capabilities of the cluster, asked for again when they are old.
// Discovery takes no context; whoever waits for it leaves with theirs.
func (c *Clients) known(ctx context.Context) (*chartutil.Capabilities, error) {
	var capabilities *chartutil.Capabilities
	done := make(chan error, 1)
	go func() {
		done <- outcome.Guarded(func() (err error) {
			capabilities, err = c.ask(ctx)
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

func (c *Clients) ask(ctx context.Context) (*chartutil.Capabilities, error) {
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

// Client carries out operations on the releases of a tenant. Its methods may be
// called side by side, but one release bears only one operation at a time.
type Client struct {
	clients   *Clients
	tenant    Tenant
	known     plain.Records
	transport http.RoundTripper
}
