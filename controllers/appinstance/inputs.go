package appinstance

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
)

// readValues reads the values and the inputs of the instance with the permissions of the tenant.
func (r *Reconciler) readValues(ctx context.Context, s *scope) (catalog.Request, error) {
	tenant, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return catalog.Request{}, fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	return r.Catalog.ResolveValues(ctx, tenant, s.tenant, catalog.ValueSourcesFor(s.instance))
}

// addDefaultInputs adds the credential and the inputs that the source supplies. They are only
// needed for an operation, so that they are not read in every reconcile.
func (r *Reconciler) addDefaultInputs(ctx context.Context, s *scope) error {
	tenant, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	wish := &s.target.valuesRequest
	wish.At = hydrate.InstallTarget{Namespace: s.instance.Namespace, Instance: s.instance.Name}
	if wish.Credential, err = r.Catalog.ReadCredential(ctx, tenant, s.tenant, s.target.app, s.target.version, s.instance.Spec.CredentialSecretRef); err != nil {
		return err
	}
	wish.Defaults, err = r.Catalog.ReadDefaultInputs(ctx, tenant, s.tenant, s.target.app)
	return err
}
