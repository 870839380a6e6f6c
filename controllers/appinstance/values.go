package appinstance

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/internal/catalog"
)

// wish gathers what the tenant gives, read as the tenant.
func (r *Reconciler) wish(ctx context.Context, s *scope) (catalog.Wish, error) {
	reader, err := r.Tenants.ReaderFor(s.tenant)
	if err != nil {
		return catalog.Wish{}, fmt.Errorf("read as service account %s: %w", s.tenant.ServiceAccount, err)
	}
	spec := s.instance.Spec
	return catalog.Gather(ctx, reader, s.tenant, catalog.Given{Values: spec.Values, ValuesFrom: spec.ValuesFrom, Envs: spec.Envs})
}
