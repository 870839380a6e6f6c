package appinstance

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
)

// wish gathers what the tenant gives, read as the tenant.
func (r *Reconciler) wish(ctx context.Context, s *scope) (catalog.Wish, error) {
	tenant, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return catalog.Wish{}, fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	return r.Catalog.Gather(ctx, tenant, s.tenant, catalog.GivenBy(s.instance))
}

// complete adds to the wish what counts only for an operation, and is not worth a
// look while none is due: the inputs that are there for every app, and the
// credential of one that was bought.
func (r *Reconciler) complete(ctx context.Context, s *scope) error {
	tenant, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	wish := &s.target.wish
	wish.At = hydrate.Place{Namespace: s.instance.Namespace, Instance: s.instance.Name}
	if wish.Credential, err = r.Catalog.License(ctx, tenant, s.tenant, s.target.app, s.target.version, s.instance.Spec.CredentialRef); err != nil {
		return err
	}
	wish.Supplied, err = r.Catalog.Supply(ctx, tenant, s.tenant, s.target.app)
	return err
}
