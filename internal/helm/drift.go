package helm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
	plain "github.com/appmarket/operator/internal/release"
)

// Drifted describes an object that differs from its release.
type Drifted = plain.Drifted

const (
	// maxDrifted bounds the number of objects that are reported.
	maxDrifted = 50
	// maxComparisons bounds the number of objects that are compared concurrently.
	maxComparisons = 8
)

// Drift lists the first 50 objects of a release, in the order of its manifest, that differ from the
// newest complete revision. Such an object does not exist, or Helm would change fields of it if it
// applied the manifest again, according to a dry run on the API server. Hooks and CRDs of the
// folder crds are not compared.
//
// The following differences are not drift: fields that the manifest does not set, replicas of the
// target of a HorizontalPodAutoscaler, the field by which Stop has stopped a workload, and the
// deletion of a Job, which its time to live may have caused. An object that is being deleted is not
// compared until it is gone.
//
// A release that does not exist, was never complete, or is removed has no drift. Do not call Drift
// while an operation is in progress. An error has the reason UpgradeFailed or PermissionDenied. The
// returned list then contains the objects that could be compared.
func (c *Client) Drift(ctx context.Context, name string) ([]Drifted, error) {
	o, err := c.newOperation(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.findDrift(name)
	return toDrifted(found), o.classifyError(v1alpha1.ReasonUpgradeFailed, err)
}

// Correct restores every object that has drifted, and lists the first 50 restored objects. It does
// not write objects that do not differ. If an object cannot be restored, Correct continues with the
// others. Errors have the same reasons as errors of Drift.
//
// Correct does not change volume claims: an empty claim in place of a missing one would hide the
// loss of data, and an enlarged claim cannot shrink. It does not change objects that another
// release has taken over. Drift lists both.
func (c *Client) Correct(ctx context.Context, name string) ([]Drifted, error) {
	o, err := c.newOperation(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.findDrift(name)
	failed := []error{err}
	var corrected []*driftItem
	for _, one := range found {
		if one.readOnly {
			continue
		}
		if err := one.correctObject(); err != nil {
			failed = append(failed, fmt.Errorf("correct %s: %w", one.ref, err))
			continue
		}
		corrected = append(corrected, one)
	}
	return toDrifted(corrected), o.classifyError(v1alpha1.ReasonUpgradeFailed, errors.Join(failed...))
}

func toDrifted(found []*driftItem) []Drifted {
	var all []Drifted
	for _, one := range found[:min(len(found), maxDrifted)] {
		all = append(all, Drifted{Object: one.ref, Missing: one.live == nil, Fields: one.fields})
	}
	return all
}

// findDrift compares all objects of a release and returns the deviations in the order of the manifest.
func (o *operation) findDrift(name string) ([]*driftItem, error) {
	history, err := o.readHistory(name)
	if err != nil {
		return nil, err
	}
	present := newestCompleteRevision(history)
	if present == nil {
		return nil, nil
	}
	if err := o.client.clients.kinds.Refresh(o.ctx, capabilitiesAge); err != nil {
		return nil, err
	}
	objects, err := o.desiredObjects(present)
	if err != nil {
		return nil, err
	}
	if err := o.findOlderSecrets(objects, history); err != nil {
		return nil, err
	}
	found, failed := make([]*driftItem, len(objects)), make([]error, len(objects))
	var all sync.WaitGroup
	turns := make(chan struct{}, maxComparisons)
	for i, one := range objects {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if found[i], failed[i] = one.compareWithRecover(); failed[i] != nil {
				failed[i] = fmt.Errorf("look at %s: %w", one.ref, failed[i])
			}
		})
	}
	all.Wait()
	var deviations []*driftItem
	for _, one := range found {
		if one != nil {
			deviations = append(deviations, one)
		}
	}
	return deviations, errors.Join(failed...)
}

// newestCompleteRevision returns the newest revision that was complete, or nil if there is none or the
// release is removed.
func newestCompleteRevision(history []*release.Release) *release.Release {
	if len(history) == 0 || isRemoved(history[len(history)-1]) {
		return nil
	}
	if last := lastCompleteIndex(history); last >= 0 {
		return history[last]
	}
	return nil
}

// driftItem describes how an object differs from its manifest.
type driftItem struct {
	desiredObject
	// live is the object in the cluster, or nil if it does not exist.
	live   *unstructured.Unstructured
	fields []string
	patch  patch
	// readOnly reports that Correct must not change the object.
	readOnly bool
}

// compareWithRecover calls look and returns a panic as an error, because it runs in its own goroutine and
// compares objects that tenants can write.
func (i desiredObject) compareWithRecover() (found *driftItem, err error) {
	defer i.operation.cluster.recoverPanic(&err)
	return i.compareLive()
}

// compareLive compares an object with the live object. It returns nil if they agree.
func (i desiredObject) compareLive() (*driftItem, error) {
	objects, err := i.operation.resourceClient(i.ref)
	if meta.IsNoMatchError(err) {
		return i.missingItem(), nil // deleted with its kind
	}
	if err != nil {
		return nil, err
	}
	var found *driftItem
	err = retry.RetryOnConflict(conflicts, func() error {
		found, err = i.compareObject(objects)
		return err
	})
	if apierrors.IsNotFound(err) {
		return i.missingItem(), nil
	}
	return found, err
}

// missingItem returns the deviation of an object that does not exist, or nil for a Job.
func (i desiredObject) missingItem() *driftItem {
	if i.ref.Kind == "Job" {
		return nil
	}
	return &driftItem{desiredObject: i, readOnly: isClaimRef(i.ref)}
}

func (i desiredObject) compareObject(objects dynamic.ResourceInterface) (*driftItem, error) {
	live, err := objects.Get(i.operation.ctx, i.ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if live.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	wanted, err := i.withoutForeignFields(live)
	if err != nil {
		return nil, err
	}
	change, err := newPatch(wanted, live, i.olderData(wanted, live)...)
	if err != nil || change.isEmpty() {
		return nil, err
	}
	after, err := change.sendPatch(i.operation.ctx, objects, metav1.DryRunAll)
	if isRefused(err) {
		after, err = change.expected, nil
	}
	if err != nil {
		return nil, err
	}
	fields := changedFields(live, after)
	if len(fields) == 0 {
		return nil, nil
	}
	return &driftItem{
		desiredObject: i, live: live, fields: fields, patch: change,
		readOnly: isClaimRef(i.ref) || isOwnedByOther(live, i.owner),
	}, nil
}

// correctObject restores an object. If the object has changed since it was compared, correct compares it
// again.
func (d *driftItem) correctObject() error {
	objects, err := d.operation.resourceClient(d.ref)
	if err != nil {
		return err
	}
	if d.live == nil {
		_, err := objects.Create(d.operation.ctx, d.object, metav1.CreateOptions{FieldManager: kube.ManagedFieldsManager})
		return err
	}
	_, err = d.patch.sendPatch(d.operation.ctx, objects)
	if !apierrors.IsConflict(err) {
		return err
	}
	return retry.RetryOnConflict(conflicts, func() error {
		now, err := d.compareObject(objects)
		if err != nil || now == nil {
			return err
		}
		_, err = now.patch.sendPatch(d.operation.ctx, objects)
		return err
	})
}

// isRefused reports whether the API server rejects a change regardless of the permissions of the
// account: the field is immutable, a policy of the cluster forbids the change, or an admission
// webhook does not support dry runs.
func isRefused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsForbidden(err) && !denied.MatchString(err.Error())
}

func isClaimRef(ref ObjectRef) bool { return ref == claimRef(ref.Namespace, ref.Name) }
