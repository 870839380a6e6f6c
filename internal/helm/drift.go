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
	// lookers bounds the number of objects that are compared concurrently.
	lookers = 8
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
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.drift(name)
	return report(found), o.judge(v1alpha1.ReasonUpgradeFailed, err)
}

// Correct restores every object that has drifted, and lists the first 50 restored objects. It does
// not write objects that do not differ. If an object cannot be restored, Correct continues with the
// others. Errors have the same reasons as errors of Drift.
//
// Correct does not change volume claims: an empty claim in place of a missing one would hide the
// loss of data, and an enlarged claim cannot shrink. It does not change objects that another
// release has taken over. Drift lists both.
func (c *Client) Correct(ctx context.Context, name string) ([]Drifted, error) {
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.drift(name)
	failed := []error{err}
	var corrected []*deviation
	for _, one := range found {
		if one.leave {
			continue
		}
		if err := one.correct(); err != nil {
			failed = append(failed, fmt.Errorf("correct %s: %w", one.ref, err))
			continue
		}
		corrected = append(corrected, one)
	}
	return report(corrected), o.judge(v1alpha1.ReasonUpgradeFailed, errors.Join(failed...))
}

func report(found []*deviation) []Drifted {
	var all []Drifted
	for _, one := range found[:min(len(found), maxDrifted)] {
		all = append(all, Drifted{Object: one.ref, Missing: one.live == nil, Fields: one.fields})
	}
	return all
}

// drift compares all objects of a release and returns the deviations in the order of the manifest.
func (o *operation) drift(name string) ([]*deviation, error) {
	history, err := o.history(name)
	if err != nil {
		return nil, err
	}
	present := newestComplete(history)
	if present == nil {
		return nil, nil
	}
	if err := o.client.clients.kinds.Refresh(o.ctx, capabilitiesAge); err != nil {
		return nil, err
	}
	objects, err := o.intended(present)
	if err != nil {
		return nil, err
	}
	if err := o.findOlderSecrets(objects, history); err != nil {
		return nil, err
	}
	found, failed := make([]*deviation, len(objects)), make([]error, len(objects))
	var all sync.WaitGroup
	turns := make(chan struct{}, lookers)
	for i, one := range objects {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if found[i], failed[i] = one.lookSafely(); failed[i] != nil {
				failed[i] = fmt.Errorf("look at %s: %w", one.ref, failed[i])
			}
		})
	}
	all.Wait()
	var deviations []*deviation
	for _, one := range found {
		if one != nil {
			deviations = append(deviations, one)
		}
	}
	return deviations, errors.Join(failed...)
}

// newestComplete returns the newest revision that was complete, or nil if there is none or the
// release is removed.
func newestComplete(history []*release.Release) *release.Release {
	if len(history) == 0 || removed(history[len(history)-1]) {
		return nil
	}
	if last := lastComplete(history); last >= 0 {
		return history[last]
	}
	return nil
}

// deviation describes how an object differs from its manifest.
type deviation struct {
	intended
	// live is the object in the cluster, or nil if it does not exist.
	live   *unstructured.Unstructured
	fields []string
	patch  patch
	// leave reports that Correct must not change the object.
	leave bool
}

// lookSafely calls look and returns a panic as an error, because it runs in its own goroutine and
// compares objects that tenants can write.
func (i intended) lookSafely() (found *deviation, err error) {
	defer i.operation.cluster.recovered(&err)
	return i.look()
}

// look compares an object with the live object. It returns nil if they agree.
func (i intended) look() (*deviation, error) {
	objects, err := i.operation.resource(i.ref)
	if meta.IsNoMatchError(err) {
		return i.missing(), nil // deleted with its kind
	}
	if err != nil {
		return nil, err
	}
	var found *deviation
	err = retry.RetryOnConflict(conflicts, func() error {
		found, err = i.compare(objects)
		return err
	})
	if apierrors.IsNotFound(err) {
		return i.missing(), nil
	}
	return found, err
}

// missing returns the deviation of an object that does not exist, or nil for a Job.
func (i intended) missing() *deviation {
	if i.ref.Kind == "Job" {
		return nil
	}
	return &deviation{intended: i, leave: isClaimRef(i.ref)}
}

func (i intended) compare(objects dynamic.ResourceInterface) (*deviation, error) {
	live, err := objects.Get(i.operation.ctx, i.ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if live.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	wanted, err := i.withoutOthers(live)
	if err != nil {
		return nil, err
	}
	change, err := patchTo(wanted, live, i.olderData(wanted, live)...)
	if err != nil || change.isEmpty() {
		return nil, err
	}
	after, err := change.send(i.operation.ctx, objects, metav1.DryRunAll)
	if refused(err) {
		after, err = change.expected, nil
	}
	if err != nil {
		return nil, err
	}
	fields := changedFields(live, after)
	if len(fields) == 0 {
		return nil, nil
	}
	return &deviation{
		intended: i, live: live, fields: fields, patch: change,
		leave: isClaimRef(i.ref) || ofAnother(live, i.owner),
	}, nil
}

// correct restores an object. If the object has changed since it was compared, correct compares it
// again.
func (d *deviation) correct() error {
	objects, err := d.operation.resource(d.ref)
	if err != nil {
		return err
	}
	if d.live == nil {
		_, err := objects.Create(d.operation.ctx, d.object, metav1.CreateOptions{FieldManager: kube.ManagedFieldsManager})
		return err
	}
	_, err = d.patch.send(d.operation.ctx, objects)
	if !apierrors.IsConflict(err) {
		return err
	}
	return retry.RetryOnConflict(conflicts, func() error {
		now, err := d.compare(objects)
		if err != nil || now == nil {
			return err
		}
		_, err = now.patch.send(d.operation.ctx, objects)
		return err
	})
}

// refused reports whether the API server rejects a change regardless of the permissions of the
// account: the field is immutable, a policy of the cluster forbids the change, or an admission
// webhook does not support dry runs.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsForbidden(err) && !denied.MatchString(err.Error())
}

func isClaimRef(ref ObjectRef) bool { return ref == claimRef(ref.Namespace, ref.Name) }
