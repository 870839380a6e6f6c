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
	// maxConcurrentPolls bounds the requests that poll the objects of an instance.
	maxConcurrentPolls = 8
	// minRecheckInterval and maxRecheckInterval bound the polling of instances that are not
	// ready. Pods and objects in other namespaces are not watched.
	minRecheckInterval = time.Second
	maxRecheckInterval = 5 * time.Minute
	// explainDelay is the time after a change during which pods are not read. Most workloads
	// become ready in this time.
	explainDelay = 900 * time.Millisecond
	// maxPollAge is the time for which the result of polling an object without a status is used.
	maxPollAge = 10 * time.Second
)

// Health returns the health of the objects of an instance. It returns false until the watches
// have synced, after which an event is sent, and for an instance that is not tracked. The error
// has the reason PermissionDenied if the tenant may not read its own objects.
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

// scheduleRecheck schedules an event for an instance that is not ready, with growing intervals
// while its health does not change.
func (w *Watcher) scheduleRecheck(t *trackedInstance, sum release.Health) {
	if t.recheckTimer != nil {
		t.recheckTimer.Stop()
		t.recheckTimer = nil
	}
	if sum.IsHealthy() {
		t.recheckInterval, t.lastHealth = 0, sum
		if t.reused {
			// The change may have deleted an object that was not polled now.
			t.recheckTimer = time.AfterFunc(maxPollAge, func() { w.changes.notifyChanged(t.name) })
		}
		return
	}
	if t.recheckInterval == 0 || !sum.IsSame(t.lastHealth) {
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

// isWatched reports whether an object is watched. An object without a status is polled if the
// tenant may not watch it.
func (o *trackedObject) isWatched() bool {
	return o.watch != nil && (!o.stateless || o.watch.key.closely || !o.watch.isRefused())
}

// pollObjects reads the objects that are not watched, and the objects that are missing in their
// watch: they may have lost the Helm label, or be too new.
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

// polledStatus is the status of an object that was polled.
type polledStatus struct {
	objectStatus
	at time.Time
}

// needsPoll reports whether an object must be polled.
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
			return objectStatus{message: oneLine("the kind cannot be resolved: " + err.Error())}, nil
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

// orMissing returns the status, or the status of a missing object, or the error.
func (v objectStatus) orMissing(err error, ref v1alpha1.ObjectReference) (objectStatus, error) {
	switch {
	case apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
		// No API serves the resource: the mapper still contains a kind whose CRD was deleted.
		return kindMissingStatus(ref), nil
	case apierrors.IsNotFound(err):
		return missingStatus(ref), nil
	}
	return v, err
}

// sumHealth counts the ready objects, and lists and explains the objects that are not ready.
func (t *trackedInstance) sumHealth(ctx context.Context) (release.Health, error) {
	sum := release.Health{Total: len(t.objects)}
	pods := podLists{client: t.dynamic}
	var unready []unreadyObject
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
		unready = append(unready, unreadyObject{ref: one.ref, status: v})
		sum.Failed = sum.Failed || v.state == failed
		if v.gone {
			sum.Missing++
		}
		sum.NoKindMatch = sum.NoKindMatch || v.kindMissing
	}
	if len(unready) == 0 {
		return sum, nil
	}
	sortUnready(unready)
	first := unready[0]
	if first.status.isSentence || time.Since(t.refreshed) < explainDelay {
		separator := ": "
		if first.status.isSentence {
			separator = " "
		}
		sum.Unready = listUnready(unready)
		sum.Message = first.ref.String() + separator + oneLine(first.status.message)
		return sum, nil
	}
	message, err := t.explainObject(ctx, first, &pods)
	sum.Unready = listUnready(unready)
	sum.Unready[0].Message = message
	sum.Message = first.ref.String() + ": " + message
	if pods.refused != nil {
		sum.Message += "; " + pods.refused.Error()
	}
	return sum, err
}

// statusOf returns the status of an object. A volume claim without a volume is ready if no pod
// uses it, because it may wait for its first consumer.
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

// podsResource is the resource of pods.
var podsResource = corev1.SchemeGroupVersion.WithResource("pods")
