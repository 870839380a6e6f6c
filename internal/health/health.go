package health

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

const (
	// looks is how many objects are looked at side by side.
	maxConcurrentPolls = 8
	// firstPause and lastPause are how soon and how seldom an instance that is not
	// ready is looked at again though no watch speaks: pods are not watched, and
	// objects elsewhere neither.
	minRecheckInterval = time.Second
	maxRecheckInterval = 5 * time.Minute
	// explainAfter is how long after a change pods are not asked why a workload is not ready:
	// in most cases it is in a moment.
	explainDelay = 900 * time.Millisecond
	// lookAge is how long a look at an object without a state counts that cannot be
	// watched.
	maxPollAge = 10 * time.Second
)

// Health adds up the objects of an instance. It is false, without an error, while
// the watches have not brought everything, and for an instance that is not
// followed; an event comes when they have. PermissionDenied says that the tenant
// may not see its own objects.
func (w *Watcher) Health(ctx context.Context, instance types.NamespacedName) (release.Health, bool, error) {
	w.mu.Lock()
	t := w.instances[instance]
	w.mu.Unlock()
	if t == nil {
		return release.Health{}, false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if synced, err := t.hasSynced(); !synced || err != nil {
		return release.Health{}, false, err
	}
	if err := t.pollObjects(ctx, w.mapper); err != nil {
		return release.Health{}, false, err
	}
	sum, err := t.sumHealth(ctx)
	if err != nil {
		return release.Health{}, false, err
	}
	w.scheduleRecheck(t, sum)
	return sum, true, nil
}

// schedule has an instance that is not ready looked at again, at ever longer
// intervals as long as nothing changes.
func (w *Watcher) scheduleRecheck(t *trackedInstance, sum release.Health) {
	if t.recheckTimer != nil {
		t.recheckTimer.Stop()
		t.recheckTimer = nil
	}
	if sum.Healthy() {
		t.recheckInterval, t.lastHealth = 0, sum
		if t.reused {
			// What caused this call may have removed an object that was not looked at now.
			t.recheckTimer = time.AfterFunc(maxPollAge, func() { w.changes.notifyChanged(t.name) })
		}
		return
	}
	if t.recheckInterval == 0 || sum != t.lastHealth {
		t.recheckInterval = minRecheckInterval
	} else {
		t.recheckInterval = min(2*t.recheckInterval, maxRecheckInterval)
	}
	t.lastHealth = sum
	t.recheckTimer = time.AfterFunc(t.recheckInterval, func() { w.changes.notifyChanged(t.name) })
}

func (t *trackedInstance) hasSynced() (bool, error) {
	all := true
	for i := range t.objects {
		one := &t.objects[i]
		if !one.isWatched() {
			continue
		}
		synced, err := one.watch.syncState()
		if err != nil {
			return false, permissionError(err)
		}
		all = all && synced
	}
	return all, nil
}

// isWatched reports whether an object is followed by a watch. One without a state is
// looked at instead if its tenant may not watch it.
func (o *trackedObject) isWatched() bool {
	return o.watch != nil && (!o.stateless || o.watch.key.closely || !o.watch.isRefused())
}

// look gets the objects that are not watched, and those that their watch does not have:
// they may have lost the label of Helm, or be too new for the watch.
func (t *trackedInstance) pollObjects(ctx context.Context, mapper meta.RESTMapper) error {
	verdicts := make([]*objectStatus, len(t.objects))
	t.reused = false
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentPolls)
	for i := range t.objects {
		one := &t.objects[i]
		if !t.needsPoll(one) {
			t.reused = t.reused || !one.isWatched()
			continue
		}
		group.Go(outcome.Guarded(func() error {
			found, err := t.pollObject(ctx, one, mapper)
			verdicts[i] = &found
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return permissionError(err)
	}
	for i := range t.objects {
		if one := &t.objects[i]; verdicts[i] != nil {
			t.polled[one.ref] = polledStatus{objectStatus: *verdicts[i], at: time.Now()}
		}
	}
	return nil
}

// look is a verdict on an object that was looked at.
type polledStatus struct {
	objectStatus
	at time.Time
}

// needsLook reports whether an object must be looked at.
func (t *trackedInstance) needsPoll(one *trackedObject) bool {
	if one.isWatched() {
		return !runsToCompletion(one.ref) && !one.watch.hasObject(one.ref) && one.watch.hasObserved(one.ref, t.leastObserved[one.ref])
	}
	last := t.polled[one.ref]
	return !one.stateless || last.state != current || time.Since(last.at) > maxPollAge
}

func (t *trackedInstance) pollObject(ctx context.Context, one *trackedObject, mapper meta.RESTMapper) (objectStatus, error) {
	if one.mappingError != nil {
		gvk := schema.FromAPIVersionAndKind(one.ref.APIVersion, one.ref.Kind)
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			return kindMissingStatus(one.ref), nil
		}
		if err != nil {
			return objectStatus{message: oneLine("its kind cannot be found: " + err.Error())}, nil
		}
		one.resource, one.stateless, one.mappingError = mapping.Resource, statelessKinds[gvk.GroupKind()], nil
	}
	if one.stateless {
		_, err := t.meta.Resource(one.resource).Namespace(one.ref.Namespace).Get(ctx, one.ref.Name, metav1.GetOptions{})
		return objectStatus{state: current}.orMissing(err, one.ref)
	}
	var objects dynamic.ResourceInterface = t.dynamic.Resource(one.resource)
	if one.ref.Namespace != "" {
		objects = t.dynamic.Resource(one.resource).Namespace(one.ref.Namespace)
	}
	live, err := objects.Get(ctx, one.ref.Name, metav1.GetOptions{})
	if err != nil {
		return objectStatus{}.orMissing(err, one.ref)
	}
	return computeStatus(live), nil
}

// unless is the verdict, or that on an object that is not there, or the error.
func (v objectStatus) orMissing(err error, ref v1alpha1.ObjectReference) (objectStatus, error) {
	switch {
	case apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
		// No API answers for the resource: the mapper still has a kind whose CRD is gone.
		return kindMissingStatus(ref), nil
	case apierrors.IsNotFound(err):
		return missingStatus(ref), nil
	}
	return v, err
}

// sum adds up the verdicts and explains the first object that is not ready; one
// that has failed comes before those that only take long.
func (t *trackedInstance) sumHealth(ctx context.Context) (release.Health, error) {
	sum := release.Health{Total: len(t.objects)}
	pods := podLists{client: t.dynamic}
	var first *trackedObject
	var why objectStatus
	for i := range t.objects {
		one := &t.objects[i]
		v, err := t.statusOf(ctx, one, &pods)
		if err != nil {
			return release.Health{}, err
		}
		if v.remark != "" && sum.Remark == "" {
			sum.Remark = one.ref.String() + " " + v.remark
		}
		if v.state == current {
			sum.Ready++
			continue
		}
		if first == nil || isWorse(v, sum) {
			first, why = one, v
		}
		sum.Failed = sum.Failed || v.state == failed
		if v.gone {
			sum.Missing++
		}
		sum.KindMissing = sum.KindMissing || v.kindMissing
	}
	if first == nil {
		return sum, nil
	}
	if why.isSentence || time.Since(t.refreshed) < explainDelay {
		sum.Message = first.ref.String() + " " + oneLine(why.message)
		return sum, nil
	}
	message, err := t.explainObject(ctx, first, why, &pods)
	sum.Message = first.ref.String() + ": " + message
	if pods.refused != nil {
		sum.Message += "; " + pods.refused.Error()
	}
	return sum, err
}

// isWorse reports whether a verdict explains more than those that were added up.
func isWorse(v objectStatus, sum release.Health) bool {
	return v.state == failed && !sum.Failed || v.gone && sum.Missing == 0 || v.kindMissing && !sum.KindMissing
}

// verdictOn is that of kstatus, except that a volume claim without a volume is no
// fault as long as no pod wants it: it may wait for its first consumer.
func (t *trackedInstance) statusOf(ctx context.Context, one *trackedObject, pods *podLists) (objectStatus, error) {
	v := t.polled[one.ref].objectStatus
	if one.isWatched() && (one.watch.hasObject(one.ref) || runsToCompletion(one.ref)) {
		v = one.watch.cachedStatus(one.ref)
	}
	if one.isWatched() && !one.watch.hasObserved(one.ref, t.leastObserved[one.ref]) {
		return objectStatus{message: unobservedMessage}, nil
	}
	if !v.pending {
		return v, nil
	}
	used, err := pods.isClaimUsed(ctx, one.ref)
	if err == nil && !used {
		v.state = current
		v.remark = "has no volume, and no pod uses it yet"
	}
	return v, err
}

// explain says why an object is not ready, by its pods if it has any.
func (t *trackedInstance) explainObject(ctx context.Context, one *trackedObject, why objectStatus, pods *podLists) (string, error) {
	if len(why.pods) == 0 {
		return oneLine(why.message), nil
	}
	reason, err := pods.podsReason(ctx, one.ref.Namespace, why.pods)
	if err != nil {
		return "", err
	}
	switch {
	case reason != "":
		return oneLine(reason), nil
	case why.replicaFailure != "":
		return oneLine(why.replicaFailure), nil
	}
	return oneLine(why.message), nil
}

// podsResource are pods.
var podsResource = corev1.SchemeGroupVersion.WithResource("pods")
