// Package impersonation acts as the service account of a tenant, and as nobody else.
//
// The operator's own rights are not enough to read a tenant's Secrets or to touch
// its objects; it may impersonate service accounts, and what it does for a tenant
// it does as that tenant's own.
package impersonation

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/release"
)

// Config is the operator's configuration, acting as a tenant's service account. No
// groups are asked for: the API server adds those of the account by itself, and an
// operator that may not impersonate groups cannot become any. The requests are not
// held back by the client: the API server's own fairness does that.
func Config(cfg *rest.Config, tenant release.Tenant) *rest.Config {
	as := rest.CopyConfig(cfg)
	as.Impersonate = rest.ImpersonationConfig{
		UserName: fmt.Sprintf("system:serviceaccount:%s:%s", tenant.Namespace, tenant.ServiceAccount),
	}
	as.QPS = -1
	return as
}

// maxClients bounds the clients that are kept; making one anew costs no request.
const maxClients = 1000

// Clients makes clients that act as tenants.
type Clients struct {
	Config *rest.Config
	Mapper meta.RESTMapper
	Scheme *runtime.Scheme

	mu      sync.Mutex
	clients map[release.Tenant]client.Client
}

// ClientFor returns a client that does what the tenant may do. It asks the API
// server each time: what a tenant may read can change at any moment.
func (c *Clients) ClientFor(tenant release.Tenant) (client.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.clients[tenant]; ok {
		return known, nil
	}
	made, err := client.New(Config(c.Config, tenant), client.Options{Mapper: c.Mapper, Scheme: c.Scheme})
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if c.clients == nil || len(c.clients) >= maxClients {
		c.clients = map[release.Tenant]client.Client{}
	}
	c.clients[tenant] = made
	return made, nil
}
