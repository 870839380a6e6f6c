// Package impersonation creates clients that act as the service account of a tenant.
//
// The operator itself has no permission to read the Secrets of a tenant or to change its
// objects. It has permission to impersonate service accounts, and uses the service account
// of the tenant for everything that it does on behalf of the tenant.
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

// Config returns the configuration of the operator, impersonating the service account of a
// tenant. No groups are set: the API server adds the groups of the account, and an operator
// that may not impersonate groups cannot add others. The client does not limit its request
// rate; the API server applies priority and fairness.
func Config(cfg *rest.Config, tenant release.Tenant) *rest.Config {
	as := rest.CopyConfig(cfg)
	as.Impersonate = rest.ImpersonationConfig{
		UserName: fmt.Sprintf("system:serviceaccount:%s:%s", tenant.Namespace, tenant.ServiceAccount),
	}
	as.QPS = -1
	return as
}

// maxClients bounds the number of cached clients. Creating a client makes no request.
const maxClients = 1000

// Clients creates and caches clients that act as tenants.
type Clients struct {
	Config *rest.Config
	Mapper meta.RESTMapper
	Scheme *runtime.Scheme

	mu      sync.Mutex
	clients map[release.Tenant]client.Client
}

// ClientFor returns a client with the permissions of the tenant. It does not cache objects,
// because the permissions of a tenant can change at any time.
func (c *Clients) ClientFor(tenant release.Tenant) (client.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.clients[tenant]; ok {
		return known, nil
	}
	created, err := client.New(Config(c.Config, tenant), client.Options{Mapper: c.Mapper, Scheme: c.Scheme})
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	if c.clients == nil || len(c.clients) >= maxClients {
		c.clients = map[release.Tenant]client.Client{}
	}
	c.clients[tenant] = created
	return created, nil
}
