package appinstance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// apply runs Helm if what is installed is not what it should be.
func (r *Reconciler) apply(ctx context.Context, s *scope) error {
	if s.target == nil {
		return r.remove(ctx, s)
	}
	if installed(s) {
		s.resolved()
		s.applied()
		return nil
	}
	operation := v1alpha1.Operation{
		Type: kindOf(s.instance), Version: s.target.version.Version,
		ChartDigest: s.target.version.Digest, ValuesDigest: s.target.values,
	}
	if err := failedBefore(s, operation); err != nil {
		s.resolved()
		return err
	}
	draft, err := r.prepare(ctx, s.target)
	if err != nil {
		s.stillRuns(err)
		return status.At(v1alpha1.ConditionResolved, err)
	}
	s.resolved()
	plans := releases(s.instance, draft)
	s.instance.Status.Releases = planned(s.instance.Status.Releases, plans)
	if err := s.begin(ctx, operation, working(operation)); err != nil {
		return err
	}
	if err := r.run(ctx, s, draft, plans); err != nil {
		return r.failed(s, err)
	}
	st := &s.instance.Status
	st.Version, st.ChartDigest, st.ValuesDigest = operation.Version, operation.ChartDigest, operation.ValuesDigest
	st.Retained = nil
	st.Entrances = entrances(draft.Manifest)
	s.conclude(v1alpha1.OutcomeSucceeded, "", nil)
	s.keeper.Reached(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, done(operation))
	return s.keeper.Save(ctx)
}

// installed reports whether the target is what runs. A chart that was published
// again under its version, with other parameters say, is no reason to touch what
// runs, unless somebody asks. After an operation that did not succeed nobody knows
// what runs.
func installed(s *scope) bool {
	st := s.instance.Status
	if len(st.History) > 0 && st.History[0].Outcome != v1alpha1.OutcomeSucceeded {
		return false
	}
	same := len(st.Releases) > 0 && st.Version == s.target.version.Version && st.ValuesDigest == s.target.values
	return same && (!s.asked() || st.ChartDigest == s.target.version.Digest)
}

// applied notes that what runs is what this spec asks for, in the words that it was
// noted with first.
func (s *scope) applied() {
	message := "version " + s.instance.Status.Version + " is installed"
	if c := meta.FindStatusCondition(s.instance.Status.Conditions, v1alpha1.ConditionApplied); c != nil && c.Reason == v1alpha1.ReasonApplied {
		message = c.Message
	}
	s.keeper.Reached(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, message)
}

// asked reports whether somebody asks for a reconcile that was not carried out yet.
func (s *scope) asked() bool {
	return s.instance.Annotations[v1alpha1.ReconcileRequestAnnotation] != s.instance.Status.LastHandledReconcileAt
}

// kindOf tells the first operation from later ones.
func kindOf(instance *v1alpha1.AppInstance) v1alpha1.OperationType {
	if instance.Status.ChartDigest == "" {
		return v1alpha1.OperationInstall
	}
	return v1alpha1.OperationUpgrade
}

// failedBefore reports the failure of the same operation again, instead of running
// it again, until the spec is changed, the instance is deleted or somebody asks.
func failedBefore(s *scope, next v1alpha1.Operation) error {
	st := s.instance.Status
	again := s.asked() || st.ObservedGeneration != s.instance.Generation || !s.instance.DeletionTimestamp.IsZero()
	if again || len(st.History) == 0 {
		return nil
	}
	last := st.History[0]
	same := last.Operation.Type == next.Type && last.Operation.ChartDigest == next.ChartDigest &&
		last.Operation.ValuesDigest == next.ValuesDigest
	if last.Outcome != v1alpha1.OutcomeFailed || !same {
		return nil
	}
	return status.At(v1alpha1.ConditionApplied, outcome.Stalled(last.Reason, errors.New(last.Message)))
}

// failed notes a failed operation. What Helm or the API server refused is final,
// but for the removal of an instance that is being deleted; a plain error is tried
// again, as an operation of its own.
func (r *Reconciler) failed(s *scope, err error) error {
	reason := outcome.Reason(err, "")
	if reason == "" {
		s.conclude(v1alpha1.OutcomeInterrupted, v1alpha1.ReasonInterrupted, err)
		return status.At(v1alpha1.ConditionApplied, outcome.Failed(v1alpha1.ReasonInterrupted, err))
	}
	s.conclude(v1alpha1.OutcomeFailed, reason, err)
	if !s.instance.DeletionTimestamp.IsZero() {
		return status.At(v1alpha1.ConditionApplied, outcome.Failed(reason, err))
	}
	return status.At(v1alpha1.ConditionApplied, outcome.Stalled(reason, err))
}

// plan is one release to be.
type plan struct {
	name string
	unit hydrate.Unit
}

// releases are the releases of an app: one of the name of the instance, or for an
// app of several units one each, of which the unit that bears the app's own name
// is named after the instance alone.
func releases(instance *v1alpha1.AppInstance, draft *hydrate.Draft) []plan {
	var plans []plan
	for _, unit := range draft.Units {
		name := instance.Name
		if unit.Name != draft.Chart.Name {
			name += "-" + unit.Name
		}
		plans = append(plans, plan{name: shortened(name), unit: unit})
	}
	return plans
}

// planned notes the releases before they are made, so that they are found after an
// interruption. Those that the app no longer has stay, to be removed.
func planned(known []v1alpha1.Release, plans []plan) []v1alpha1.Release {
	for _, p := range plans {
		if !slices.ContainsFunc(known, func(k v1alpha1.Release) bool { return k.Name == p.name }) {
			known = append(known, v1alpha1.Release{Name: p.name, Unit: p.unit.Dir})
		}
	}
	return known
}

// run installs or upgrades every release in order, and then removes those that the
// app no longer has.
func (r *Reconciler) run(ctx context.Context, s *scope, draft *hydrate.Draft, plans []plan) error {
	var made []v1alpha1.Release
	var objects []v1alpha1.ObjectReference
	for _, p := range plans {
		rel, err := r.install(ctx, s, release.Spec{
			Name: p.name, Labels: map[string]string{v1alpha1.InstanceLabel: s.instance.Name}, Files: hydrate.UnitFiles(draft.Files, p.unit.Dir), Values: p.unit.Values,
			MaxHistory: int(s.instance.Spec.History), Timeout: timeout(s.instance),
		})
		if err != nil {
			return err
		}
		made = append(made, described(rel, p.unit.Dir))
		objects = append(objects, rel.Objects...)
	}
	for _, known := range s.instance.Status.Releases {
		if slices.ContainsFunc(made, func(m v1alpha1.Release) bool { return m.Name == known.Name }) {
			continue
		}
		if err := s.helm.Uninstall(ctx, known.Name, false, timeout(s.instance)); err != nil {
			return fmt.Errorf("remove release %s, which the app no longer has: %w", known.Name, err)
		}
	}
	s.instance.Status.Releases = made
	s.instance.Status.Inventory = inventory(objects)
	return nil
}

// install makes the first revision of a release, or a further one.
func (r *Reconciler) install(ctx context.Context, s *scope, spec release.Spec) (*release.Release, error) {
	have, err := s.helm.Get(ctx, spec.Name)
	switch {
	case err != nil:
		return nil, err
	case have == nil:
		return s.helm.Install(ctx, spec)
	case have.Pending:
		if err := s.helm.Settle(ctx, spec.Name); err != nil {
			return nil, err
		}
	}
	return s.helm.Upgrade(ctx, spec)
}

func described(rel *release.Release, unit string) v1alpha1.Release {
	return v1alpha1.Release{
		Name: rel.Name, Unit: unit, Revision: int32(rel.Revision), Status: rel.Status, Chart: catalog.Bounded(rel.ChartName+"-"+rel.ChartVersion, 512),
	}
}

func entrances(m *hydrate.Manifest) []v1alpha1.Entrance {
	if m == nil {
		return nil
	}
	var out []v1alpha1.Entrance
	for _, e := range catalog.First(m.Entrances, 50) {
		out = append(out, catalog.Entrance(e))
	}
	return out
}

// maxInventory bounds the objects that are listed in status.
const maxInventory = 200

func inventory(objects []v1alpha1.ObjectReference) *v1alpha1.Inventory {
	return &v1alpha1.Inventory{Total: int32(len(objects)), Objects: objects[:min(len(objects), maxInventory)]}
}

func working(o v1alpha1.Operation) string {
	return map[v1alpha1.OperationType]string{
		v1alpha1.OperationInstall:   "installing version ",
		v1alpha1.OperationUpgrade:   "upgrading to version ",
		v1alpha1.OperationUninstall: "removing version ",
	}[o.Type] + o.Version
}

func done(o v1alpha1.Operation) string {
	if o.Type == v1alpha1.OperationInstall {
		return "installed version " + o.Version
	}
	return "upgraded to version " + o.Version
}
