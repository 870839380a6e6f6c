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

// Drifted is an object that is not what its release made it.
type Drifted = plain.Drifted

const (
	// maxDrifted bounds how many objects are reported.
	maxDrifted = 50
	// lookers bounds how many objects are looked at side by side.
	lookers = 8
)

// Drift lists the first 50 objects of a release, in the order of its manifest,
// that differ from what the newest complete revision made them: that are gone, or
// on which Helm would change fields if it applied the manifest again, as the API
// server answers to a dry run. Hooks and CRDs are not looked at.
//
// No drift is what another may do: fields that the manifest does not set, replicas
// of the target of a HorizontalPodAutoscaler, the field by which Stop has stopped
// a workload, and the removal of a Job, which its time to live may have brought
// about. An object that is being removed is not looked at until it is gone.
//
// A release that is not there, was never complete or is removed has no drift.
// Drift must not be called while an operation is under way. An error carries
// UpgradeFailed or PermissionDenied; the list then has what was found in spite of
// it.
func (c *Client) Drift(ctx context.Context, name string) ([]Drifted, error) {
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.drift(name)
	return report(found), o.judge(v1alpha1.ReasonUpgradeFailed, err)
}

// Correct brings every object that has drifted back to what the release made it
// and lists the first 50 of those. Objects that do not differ are not written to.
// It goes on where one cannot be brought back; errors are as with Drift.
//
// Volume claims are left as they are: an empty one in the place of one that is
// gone would hide the loss, and one that was made larger cannot shrink. So is an
// object that another release has taken over. Drift lists both.
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

// drift looks at all objects of a release. What it finds is in the order of the
// manifest.
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

// newestComplete is the newest revision that was complete, nil if there is none
// or the release is removed.
func newestComplete(history []*release.Release) *release.Release {
	if len(history) == 0 || removed(history[len(history)-1]) {
		return nil
	}
	if last := lastComplete(history); last >= 0 {
		return history[last]
	}
	return nil
}

// deviation is how an object differs from what it should be.
type deviation struct {
	intended
	// live is the object as it is, nil if it is gone.
	live   *unstructured.Unstructured
	fields []string
	patch  patch
	// leave says that it is not ours to bring it back.
	leave bool
}

// lookSafely is look, with an error for a panic: nobody recovers one in a goroutine
// of ours, and what is compared is in the hands of tenants.
func (i intended) lookSafely() (found *deviation, err error) {
	defer i.operation.cluster.recovered(&err)
	return i.look()
}

// look compares an object with the live one; nil means that they agree.
func (i intended) look() (*deviation, error) {
	objects, err := i.operation.resource(i.ref)
	if meta.IsNoMatchError(err) {
		return i.missing(), nil // it is gone with its kind
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

// missing is what is said of an object that is gone.
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

// correct brings an object back, from what it is by now if it has changed since it
// was looked at.
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

// refused reports whether the API server will not have a change whoever asks for
// it: of a field that cannot be changed, or against a rule of the cluster, or
// because an admission webhook knows no dry run.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsForbidden(err) && !denied.MatchString(err.Error())
}

func isClaimRef(ref ObjectRef) bool { return ref == claimRef(ref.Namespace, ref.Name) }
