package drift

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

	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

const (
	// maxDrifted bounds the number of objects that are reported.
	maxDrifted = 50
	// maxComparisons bounds the number of objects that are compared concurrently.
	maxComparisons = 8
)

// Comparison compares the objects of a release with the cluster.
type Comparison struct {
	// Client acts as the tenant.
	Client *cluster.Client
	// Revision is the newest complete revision of the release.
	Revision *release.Release
	// History contains all revisions of the release.
	History []*release.Release
}

// Compare lists the first 50 objects of the release, in the order of its manifest, that differ from the
// revision. Such an object does not exist, or Helm would change fields of it if it applied the manifest
// again, according to a dry run on the API server. Hooks and CRDs of the folder crds are not compared.
//
// The following differences are not drift: fields that the manifest does not set, replicas of the
// target of a HorizontalPodAutoscaler, the field by which a workload is stopped, the time of its
// restart, and the deletion of a Job, which its time to live may have caused. An object that is being deleted is not compared until
// it is gone. If an object cannot be compared, Compare continues with the others.
func (c *Comparison) Compare(ctx context.Context) ([]plain.Drifted, error) {
	found, err := c.findDrift(ctx)
	return toDrifted(found), err
}

// Correct restores every object that has drifted, and lists the first 50 restored objects. It does
// not write objects that do not differ. If an object cannot be restored, Correct continues with the
// others.
//
// Correct does not change volume claims: an empty claim in place of a missing one would hide the
// loss of data, and an enlarged claim cannot shrink. It does not change objects that another
// release has taken over. Compare lists both.
func (c *Comparison) Correct(ctx context.Context) ([]plain.Drifted, error) {
	found, err := c.findDrift(ctx)
	failed := []error{err}
	var corrected []*driftItem
	for _, one := range found {
		if one.readOnly {
			continue
		}
		if err := one.correctObject(ctx); err != nil {
			failed = append(failed, fmt.Errorf("correct %s: %w", one.Ref, err))
			continue
		}
		corrected = append(corrected, one)
	}
	return toDrifted(corrected), errors.Join(failed...)
}

func toDrifted(found []*driftItem) []plain.Drifted {
	var all []plain.Drifted
	for _, one := range found[:min(len(found), maxDrifted)] {
		all = append(all, plain.Drifted{Object: one.Ref, Missing: one.live == nil, Fields: one.fields})
	}
	return all
}

// findDrift compares all objects of the release and returns the deviations in the order of the manifest.
func (c *Comparison) findDrift(ctx context.Context) ([]*driftItem, error) {
	objects, err := c.desiredObjects()
	if err != nil {
		return nil, err
	}
	found, failed := make([]*driftItem, len(objects)), make([]error, len(objects))
	var all sync.WaitGroup
	turns := make(chan struct{}, maxComparisons)
	for i, one := range objects {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if found[i], failed[i] = one.compareWithRecover(ctx); failed[i] != nil {
				failed[i] = fmt.Errorf("compare %s: %w", one.Ref, failed[i])
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

// driftItem describes how an object differs from its manifest.
type driftItem struct {
	desiredObject
	// live is the object in the cluster, or nil if it does not exist.
	live   *unstructured.Unstructured
	fields []string
	patch  Patch
	// readOnly reports that Correct must not change the object.
	readOnly bool
}

// compareWithRecover calls compareLive and returns a panic as an error, because it runs in its own goroutine and
// compares objects that tenants can write.
func (i desiredObject) compareWithRecover(ctx context.Context) (found *driftItem, err error) {
	defer outcome.Recover(&err)
	return i.compareLive(ctx)
}

// compareLive compares an object with the live object. It returns nil if they agree.
func (i desiredObject) compareLive(ctx context.Context) (*driftItem, error) {
	objects, err := i.comparison.Client.ResourceClient(i.Ref)
	if meta.IsNoMatchError(err) {
		return i.missingItem(), nil // deleted with its kind
	}
	if err != nil {
		return nil, err
	}
	var found *driftItem
	err = retry.RetryOnConflict(Conflicts, func() error {
		found, err = i.compareObject(ctx, objects)
		return err
	})
	if apierrors.IsNotFound(err) {
		return i.missingItem(), nil
	}
	return found, err
}

// missingItem returns the deviation of an object that does not exist, or nil for a Job.
func (i desiredObject) missingItem() *driftItem {
	if i.Ref.Kind == "Job" {
		return nil
	}
	return &driftItem{desiredObject: i, readOnly: cluster.IsClaim(i.Ref)}
}

func (i desiredObject) compareObject(ctx context.Context, objects dynamic.ResourceInterface) (*driftItem, error) {
	live, err := objects.Get(ctx, i.Ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if live.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	wanted, err := i.scalers.WithoutScaledFields(ctx, i.Ref, i.Object, live)
	if err != nil {
		return nil, err
	}
	change, err := NewPatch(wanted, live, i.olderData(wanted, live)...)
	if err != nil || change.IsEmpty() {
		return nil, err
	}
	after, err := change.Send(ctx, objects, metav1.DryRunAll)
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
		readOnly: cluster.IsClaim(i.Ref) || cluster.IsOwnedByOther(live, i.comparison.Revision),
	}, nil
}

// correctObject restores an object. If the object has changed since it was compared, correctObject compares
// it again.
func (d *driftItem) correctObject(ctx context.Context) error {
	objects, err := d.comparison.Client.ResourceClient(d.Ref)
	if err != nil {
		return err
	}
	if d.live == nil {
		_, err := objects.Create(ctx, d.Object, metav1.CreateOptions{FieldManager: kube.ManagedFieldsManager})
		return err
	}
	_, err = d.patch.Send(ctx, objects)
	if !apierrors.IsConflict(err) {
		return err
	}
	return retry.RetryOnConflict(Conflicts, func() error {
		now, err := d.compareObject(ctx, objects)
		if err != nil || now == nil {
			return err
		}
		_, err = now.patch.Send(ctx, objects)
		return err
	})
}

// isRefused reports whether the API server rejects a change regardless of the permissions of the
// account: the field is immutable, a policy of the cluster forbids the change, or an admission
// webhook does not support dry runs.
func isRefused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsForbidden(err) && len(impersonation.Denials(err.Error())) == 0
}
