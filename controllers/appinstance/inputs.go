package appinstance

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
)

// readValues reads the values and the inputs of the instance with the permissions of the tenant.
func (r *Reconciler) readValues(ctx context.Context, s *scope) (catalog.Wish, error) {
	tenant, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return catalog.Wish{}, fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	return r.Catalog.Gather(ctx, tenant, s.tenant, catalog.GivenBy(s.instance))
}

// addDefaultInputs adds the credential and the inputs that the source supplies. They are only
// needed for an operation, so that they are not read in every reconcile.
func (r *Reconciler) addDefaultInputs(ctx context.Context, s *scope) error {
	tenant, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	wish := &s.target.valuesRequest
	wish.At = hydrate.Place{Namespace: s.instance.Namespace, Instance: s.instance.Name}
	if wish.Credential, err = r.Catalog.License(ctx, tenant, s.tenant, s.target.app, s.target.version, s.instance.Spec.CredentialRef); err != nil {
		return err
	}
	wish.Supplied, err = r.Catalog.Supply(ctx, tenant, s.tenant, s.target.app)
	return err
}
