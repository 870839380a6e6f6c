package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// Rollback rolls a release back to an earlier complete revision. It creates a new revision from the
// recorded manifest and renders nothing. It waits for rollback hooks, but not for readiness. It
// deletes the objects that later revisions have added, except volume claims.
//
// It returns a stalled RevisionNotFound error if the revision is not recorded, and a stalled
// RollbackFailed error if the revision was never complete. When ctx ends, the operation ends, and
// Rollback settles the release.
func (c *Client) Rollback(ctx context.Context, to plain.Rollback) (*plain.Release, error) {
	const reason = v1alpha1.ReasonRollbackFailed
	if err := chartutil.ValidateReleaseName(to.Name); err != nil {
		return nil, outcome.Stalled(reason, fmt.Errorf("name release %q: %w", to.Name, err))
	}
	o, err := c.newOperationFor(ctx, to.Name)
	if err != nil {
		return nil, err
	}
	history, err := o.readHistory(to.Name)
	if err != nil {
		return nil, o.classifyError(reason, err)
	}
	request := fmt.Sprintf("rollback-%d", to.Revision)
	if to.Resumed && isAlreadyApplied(request, to.Labels, history) {
		last := len(history) - 1
		return o.finishOperation(to.Name, reason, o.cleanUp(replacedRevisions(history[:last]), history[last]))
	}
	target, err := c.findRevision(to, history)
	if err != nil {
		return nil, err
	}
	return o.finishOperation(to.Name, reason, o.rollBackRelease(to, target, request, history))
}

// findRevision returns the revision to roll back to.
func (c *Client) findRevision(to plain.Rollback, history []*release.Release) (*release.Release, error) {
	if len(history) == 0 || history[len(history)-1].Info.Status == release.StatusUninstalled {
		return nil, outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
			"roll back release %q: not found in namespace %s", to.Name, c.tenant.Namespace))
	}
	at := slices.IndexFunc(history, func(r *release.Release) bool { return r.Version == to.Revision })
	if at < 0 {
		return nil, outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
			"roll back Helm release %q: revision %d is not recorded; the recorded revisions are %s",
			to.Name, to.Revision, revisionsText(history)))
	}
	if !hasBeenDeployed(history[at : at+1]) {
		return nil, outcome.Stalled(v1alpha1.ReasonRollbackFailed, fmt.Errorf(
			"roll back Helm release %q: revision %d is %s and was never complete; choose a complete revision: %s",
			to.Name, to.Revision, history[at].Info.Status, revisionsText(completeRevisions(history))))
	}
	return history[at], nil
}

// completeRevisions returns the revisions that were complete.
func completeRevisions(history []*release.Release) []*release.Release {
	var found []*release.Release
	for i, revision := range history {
		if hasBeenDeployed(history[i : i+1]) {
			found = append(found, revision)
		}
	}
	return found
}

// revisionsText returns the numbers of revisions as a list in text form.
func revisionsText(history []*release.Release) string {
	numbers := make([]string, 0, len(history))
	for _, revision := range history {
		numbers = append(numbers, strconv.Itoa(revision.Version))
	}
	if len(numbers) == 0 {
		return "none"
	}
	return strings.Join(numbers, ", ")
}

// rollBackRelease settles interrupted revisions and then rolls back.
func (o *operation) rollBackRelease(
	to plain.Rollback, target *release.Release, request string, history []*release.Release,
) error {
	if err := o.client.clients.kinds.Refresh(o.ctx, 0); err != nil {
		return err
	}
	if err := o.refuseMissingKinds(target); err != nil {
		return err
	}
	if err := o.unlockPending(history); err != nil {
		return err
	}
	o.ignoreMissingKinds(history)
	delete(o.cluster.present, target.Manifest)
	if err := o.refuseForeignObjects(target, history[len(history)-1]); err != nil {
		return err
	}
	if err := o.storeIncomplete(replacedRevisions(history)); err != nil {
		return err
	}
	o.records.Labels = o.resumeRun(request, to.Labels, history)
	o.records.KeepRevision(to.Name, to.Revision)
	o.cluster.phase = phaseRollback
	rollback := action.NewRollback(o.action)
	rollback.Version, rollback.MaxHistory = to.Revision, max(to.MaxHistory, 0)
	rollback.Timeout = cmp.Or(to.Timeout, DefaultTimeout)
	if err := rollback.Run(to.Name); err != nil {
		return errors.Join(err, o.failPending("Rollback", err))
	}
	return o.completeRevision(replacedRevisions(history))
}

// failPending marks a revision as failed that Helm has left pending or uninstalling, as it does
// when a hook fails. Otherwise the revision would appear to be interrupted, and the next attempt
// would continue the same run. A record that does not exist anymore is ignored.
func (o *operation) failPending(what string, cause error) error {
	current := o.records.Current
	if current == nil || !isPending(current) || o.ctx.Err() != nil {
		return nil
	}
	current.SetStatus(release.StatusFailed, fmt.Sprintf("%s %q failed: %s", what, current.Name, cause))
	err := o.store.Update(current)
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("record release %q: %w", current.Name, err)
	}
	return nil
}

// refuseMissingKinds returns an error if the cluster does not serve the kind of an object of the
// revision. Helm detects this only after it has created the new revision, or later.
func (o *operation) refuseMissingKinds(target *release.Release) error {
	refs, err := o.ObjectRefs(target)
	if err != nil {
		return err
	}
	var missing []string
	for _, ref := range refs {
		_, err := o.MappingFor(ref)
		kind := fmt.Sprintf("kind %q in version %q", ref.Kind, ref.APIVersion)
		switch {
		case err == nil || meta.IsNoMatchError(err) && slices.Contains(missing, kind):
		case !meta.IsNoMatchError(err):
			return err
		case len(missing) < maxNamed:
			missing = append(missing, kind)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return outcome.Failed(v1alpha1.ReasonNoKindMatch, fmt.Errorf(
		"revision %d of Helm release %q: %w", target.Version, target.Name, noMatchError(missing)))
}

// refuseForeignObjects returns an error if an object that the newest revision does not contain exists and
// does not belong to the release. Helm checks this before an upgrade, but not before a rollback.
func (o *operation) refuseForeignObjects(target, newest *release.Release) error {
	wanted, err := o.ObjectRefs(target)
	if err != nil {
		return err
	}
	present, err := o.ObjectRefs(newest)
	if err != nil {
		return err
	}
	for _, ref := range wanted {
		if slices.ContainsFunc(present, func(one v1alpha1.ObjectReference) bool { return cluster.IdentityOf(one) == cluster.IdentityOf(ref) }) {
			continue
		}
		live, err := o.GetObject(o.ctx, ref)
		if err != nil {
			return fmt.Errorf("get %s: %w", ref, err)
		}
		if live != nil && !cluster.IsOwnedBy(target, live) {
			return outcome.Failed(v1alpha1.ReasonRollbackFailed, errors.New(ownerMessage(ref, live, target)))
		}
	}
	return nil
}

// ownerMessage describes the owner of an object that does not belong to the release.
func ownerMessage(ref v1alpha1.ObjectReference, live *unstructured.Unstructured, not *release.Release) string {
	said := fmt.Sprintf("%s %q", ref.Kind, ref.Name)
	if ref.Namespace != "" {
		said += fmt.Sprintf(" in namespace %q", ref.Namespace)
	}
	marks := live.GetAnnotations()
	name, namespace := marks[cluster.ReleaseNameAnnotation], marks[cluster.ReleaseNamespaceAnnotation]
	if name == not.Name {
		name = ""
	}
	if namespace == not.Namespace {
		namespace = ""
	}
	return alreadyExistsMessage(said, name, namespace)
}
