package installplan

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// TenantEnvs is the name of the ConfigMap and of the Secret that contain inputs for all
// apps in a namespace.
const TenantEnvs = "appmarket-envs"

// suppliedInputs contains inputs by name. plain contains the names of inputs that are stored in
// plain text and not in a Secret.
type suppliedInputs struct {
	texts map[string]string
	plain map[string]bool
}

func (s suppliedInputs) setInput(name, text string, plain bool) {
	s.texts[name], s.plain[name] = text, plain
}

// readSuppliedInputs returns the inputs that are supplied to every app, in this order of increasing
// precedence: the inputs of the source, the ConfigMap TenantEnvs and the Secret TenantEnvs
// in the tenant's namespace. The reader has the permissions of the tenant. The ConfigMap
// and the Secret are skipped if they do not exist or may not be read.
func (p *Planner) readSuppliedInputs(ctx context.Context, reader client.Reader, tenant release.Tenant, app *catalog.App) (suppliedInputs, error) {
	supplied := suppliedInputs{texts: map[string]string{}, plain: map[string]bool{}}
	if envs := app.Source.Spec.Inputs; len(envs) > 0 {
		market := p.sourceReader(app)
		for _, env := range envs {
			text, err := market.readInput(ctx, env)
			if err != nil {
				return suppliedInputs{}, fmt.Errorf("source %q: spec.inputs[%q]: %w", app.Source.Namespace+"/"+app.Source.Name, env.Name, err)
			}
			supplied.setInput(env.Name, text, !isSecretInput(env))
		}
	}
	at := types.NamespacedName{Namespace: tenant.Namespace, Name: TenantEnvs}
	config, hidden := &corev1.ConfigMap{}, &corev1.Secret{}
	group, reading := errgroup.WithContext(ctx)
	for _, object := range []client.Object{config, hidden} {
		group.Go(outcome.Guarded(func() error {
			err := reader.Get(reading, at, object)
			if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
				return nil
			}
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return suppliedInputs{}, fmt.Errorf("get ConfigMap and Secret %q in namespace %q: %w", TenantEnvs, tenant.Namespace, err)
	}
	for name, text := range config.Data {
		supplied.setInput(name, text, true)
	}
	for name, text := range hidden.Data {
		supplied.setInput(name, string(text), false)
	}
	return supplied, nil
}
