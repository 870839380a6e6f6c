// Package installplan makes the plan of an installation: the chart of a published version, the
// values and inputs of the tenant, the inputs that the source and the namespace supply, and the
// credential of a purchased app.
//
// Resolve is the only way to make a plan. The task controller makes one to admit a task, and the
// instance controller makes one for each operation, so that what was checked is what is
// installed. Resolve reads only what identifies an installation: the values and inputs of the
// tenant. What an operation needs in addition (supplied inputs, credential, rendered chart) is
// read by the first call of Plan.Render, so that an installed instance can be compared with its
// spec at a low cost.
//
// Everything that belongs to the tenant is read with the permissions of the tenant. Package
// catalog finds the app and the version. Charts are parsed and rendered by a worker.
package installplan

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/addresses"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/release"
)

// Archives opens published charts.
type Archives interface {
	// Archive returns a published chart by its digest in the form "sha256:<hex>".
	Archive(digest string) ([]byte, error)
}

// Cluster answers the queries of charts.
type Cluster interface {
	// Capabilities returns the version and the API versions of the cluster.
	Capabilities(ctx context.Context) (*hydrate.Capabilities, error)
	// Lookup returns a function that looks up objects with the permissions of a tenant.
	Lookup(tenant release.Tenant) hydrate.Lookup
}

// Tenants returns a client that acts with the permissions of a service account.
type Tenants interface {
	ClientFor(tenant release.Tenant) (client.Client, error)
}

// Issuers contains the clients for license issuers.
type Issuers struct {
	Keys     *license.Keys
	Checkout *license.Checkout
}

// Planner resolves requests to plans. It is safe for concurrent use.
type Planner struct {
	// Objects reads AppInstances, usually from a cache.
	Objects client.Reader
	// Secrets reads Secrets and ConfigMaps in the namespaces of sources with the
	// permissions of the operator.
	Secrets client.Reader
	// Tenants returns the clients that read values, inputs and credentials.
	Tenants  Tenants
	Archives Archives
	Profiles platform.Profiles
	// Worker parses and renders charts within limits.
	Worker hydrate.Worker
	// Cluster supplies the capabilities and objects that charts query. If nil, charts are
	// rendered with default capabilities and without objects.
	Cluster Cluster
	// Addresses adds objects that give the entrances of apps an address. If nil, it adds none.
	Addresses *addresses.Policy
	// Issuers returns the clients for the license issuers that the sources of a namespace
	// specify.
	Issuers func(namespace string) Issuers

	cachedPlans planCache
}

// Request specifies an installation: which version of which app, for whom, and with which
// settings.
type Request struct {
	App     *catalog.App
	Version *v1alpha1.PublishedVersion
	// Tenant is the namespace and the service account of the installation.
	Tenant release.Tenant
	// Instance is the name of the AppInstance.
	Instance string
	// Sources contains the values and the inputs of the tenant.
	Sources ValueSources
	// CredentialRef is the key of the Secret with the credential of a purchased app.
	CredentialRef *v1alpha1.KeyReference
	// ForPermissions renders the app without the values and inputs that the tenant may not read,
	// and although inputs are missing, to determine the permissions that it requires. The result
	// must not be installed.
	ForPermissions bool
	// AssumesPasswords renders the app with a placeholder for each missing password, to check everything
	// else. The result must not be installed.
	AssumesPasswords bool
	// ValuePaths are paths in values that the rendered plan describes; see
	// hydrate.Prepared.ValuePaths.
	ValuePaths [][]string
	// Purchase returns the credential if the Secret of CredentialRef does not exist. If nil,
	// a missing Secret is an error.
	Purchase func(ctx context.Context, tenant client.Client) (string, error)
}

// Resolve reads the values and the inputs of the tenant and returns the plan. It does not open
// the chart. An object that is missing or that the tenant may not read is an error with reason
// ReferenceNotFound or PermissionDenied. It is not Stalled because the operator is not notified when
// the cause is fixed.
func (p *Planner) Resolve(ctx context.Context, request Request) (*Plan, error) {
	tenant, err := p.Tenants.ClientFor(request.Tenant)
	if err != nil {
		return nil, fmt.Errorf("impersonate service account %q: %w", request.Tenant.ServiceAccount, err)
	}
	given, err := p.readSettings(ctx, tenant, request)
	if err != nil {
		return nil, err
	}
	return &Plan{Request: request, settings: given, planner: p, client: tenant}, nil
}
