package appinstance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// target is what the spec comes to.
type target struct {
	app     *catalog.App
	version *v1alpha1.PublishedVersion
	wish    catalog.Wish
	// values is the digest of what the tenant gives.
	values string
}

func (r *Reconciler) resolve(ctx context.Context, s *scope) error {
	if s.instance.Spec.DesiredState == v1alpha1.StateAbsent {
		return nil
	}
	t, err := r.find(ctx, s)
	if err != nil {
		s.stillRuns(err)
		return status.At(v1alpha1.ConditionResolved, err)
	}
	s.target = t
	s.instance.Status.AvailableUpdate = t.update()
	return nil
}

// stillRuns keeps an instance ready whose spec cannot be resolved: what runs goes on
// running when its source is gone or closed, or a newer version asks for more.
func (s *scope) stillRuns(err error) {
	have := s.instance.Status.Version
	if have != "" && meta.IsStatusConditionTrue(s.instance.Status.Conditions, v1alpha1.ConditionReady) {
		s.keeper.Serving(fmt.Sprintf("running version %s; %s", have, err))
	}
}

// resolved notes that the target is known. That waits for the chart to be prepared
// where it must be: a milestone that is reached and lost in every reconcile would be
// written each time.
func (s *scope) resolved() {
	s.keeper.Reached(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, "version "+s.target.version.Version)
}

func (r *Reconciler) find(ctx context.Context, s *scope) (*target, error) {
	app, err := r.Catalog.Find(ctx, s.instance.Spec.AppRef, s.instance.Namespace)
	if err != nil {
		return nil, err
	}
	// An instance without a range keeps the version it has.
	version, err := app.Version(cmp.Or(s.instance.Spec.Version, s.instance.Status.Version))
	if err != nil {
		return nil, err
	}
	wish, err := r.wish(ctx, s)
	if err != nil {
		return nil, err
	}
	// The platform's values are left out: a market keeper who changes them does not
	// restart what tenants run. The UID keeps the digest of a short secret from being
	// looked up in a table.
	text, err := json.Marshal([]any{s.instance.UID, wish.Values, wish.Envs})
	if err != nil {
		return nil, fmt.Errorf("encode values: %w", err)
	}
	return &target{app: app, version: version, wish: wish, values: hydrate.Digest(text)}, nil
}

// update is a published version that is newer than the target, empty if there is
// none.
func (t *target) update() string {
	newest, err := t.app.Version("")
	if err != nil || !catalog.Newer(newest.Version, t.version.Version) {
		return ""
	}
	return newest.Version
}

// prepare renders the target. Inputs that are missing are a matter of the spec.
func (r *Reconciler) prepare(ctx context.Context, t *target) (*hydrate.Draft, error) {
	plan, err := r.Catalog.Prepare(ctx, t.app, t.version, t.wish)
	if err != nil {
		return nil, err
	}
	if len(plan.Wrong) > 0 {
		var said []string
		for _, w := range plan.Wrong {
			said = append(said, w.Input.Name+": "+w.Problem)
		}
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidSpec, errors.New("give these inputs in spec.envs: "+strings.Join(said, "; ")))
	}
	return plan.Draft, nil
}
