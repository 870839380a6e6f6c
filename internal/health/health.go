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
	looks = 8
	// firstPause and lastPause are how soon and how seldom an instance that is not
	// ready is looked at again though no watch speaks: pods are not watched, and
	// objects elsewhere neither.
	firstPause = time.Second
	lastPause  = 5 * time.Minute
	// explainAfter is how long after a change pods are not asked why a workload is not ready:
	// in most cases it is in a moment.
	explainAfter = 900 * time.Millisecond
	// lookAge is how long a look at an object without a state counts that cannot be
	// watched.
	lookAge = 10 * time.Second
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
	if synced, err := t.synced(); !synced || err != nil {
		return release.Health{}, false, err
	}
	if err := t.look(ctx, w.mapper); err != nil {
		return release.Health{}, false, err
	}
	sum, err := t.sum(ctx)
	if err != nil {
		return release.Health{}, false, err
	}
	w.schedule(t, sum)
	return sum, true, nil
}

// schedule has an instance that is not ready looked at again, at ever longer
// intervals as long as nothing changes.
func (w *Watcher) schedule(t *tracked, sum release.Health) {
	if t.again != nil {
		t.again.Stop()
		t.again = nil
	}
	if sum.Healthy() {
		t.pause, t.last = 0, sum
		if t.reused {
			// What caused this call may have removed an object that was not looked at now.
			t.again = time.AfterFunc(lookAge, func() { w.changes.notify(t.name) })
		}
		return
	}
	if t.pause == 0 || sum != t.last {
		t.pause = firstPause
	} else {
		t.pause = min(2*t.pause, lastPause)
	}
	t.last = sum
	t.again = time.AfterFunc(t.pause, func() { w.changes.notify(t.name) })
}

func (t *tracked) synced() (bool, error) {
	all := true
	for i := range t.objects {
		one := &t.objects[i]
		if !one.isWatched() {
			continue
		}
		synced, err := one.watch.state()
		if err != nil {
			return false, denied(err)
		}
		all = all && synced
	}
	return all, nil
}

// isWatched reports whether an object is followed by a watch. One without a state is
// looked at instead if its tenant may not watch it.
func (o *object) isWatched() bool {
	return o.watch != nil && (!o.inert || o.watch.key.closely || !o.watch.isRefused())
}

// look gets the objects that are not watched, and those that their watch does not have:
// they may have lost the label of Helm, or be too new for the watch.
func (t *tracked) look(ctx context.Context, mapper meta.RESTMapper) error {
	verdicts := make([]*verdict, len(t.objects))
	t.reused = false
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(looks)
	for i := range t.objects {
		one := &t.objects[i]
		if !t.needsLook(one) {
			t.reused = t.reused || !one.isWatched()
			continue
		}
		group.Go(outcome.Guarded(func() error {
			found, err := t.lookAt(ctx, one, mapper)
			verdicts[i] = &found
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return denied(err)
	}
	for i := range t.objects {
		if one := &t.objects[i]; verdicts[i] != nil {
			t.looked[one.ref] = look{verdict: *verdicts[i], at: time.Now()}
		}
	}
	return nil
}

// look is a verdict on an object that was looked at.
type look struct {
	verdict
	at time.Time
}

// needsLook reports whether an object must be looked at.
func (t *tracked) needsLook(one *object) bool {
	if one.isWatched() {
		return !ends(one.ref) && !one.watch.has(one.ref) && one.watch.reached(one.ref, t.least[one.ref])
	}
	last := t.looked[one.ref]
	return !one.inert || last.state != current || time.Since(last.at) > lookAge
}

func (t *tracked) lookAt(ctx context.Context, one *object, mapper meta.RESTMapper) (verdict, error) {
	if one.unknown != nil {
		gvk := schema.FromAPIVersionAndKind(one.ref.APIVersion, one.ref.Kind)
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			return kindMissing(one.ref), nil
		}
		if err != nil {
			return verdict{message: oneLine("its kind cannot be found: " + err.Error())}, nil
		}
		one.resource, one.inert, one.unknown = mapping.Resource, inert[gvk.GroupKind()], nil
	}
	if one.inert {
		_, err := t.meta.Resource(one.resource).Namespace(one.ref.Namespace).Get(ctx, one.ref.Name, metav1.GetOptions{})
		return verdict{state: current}.unless(err, one.ref)
	}
	var objects dynamic.ResourceInterface = t.dynamic.Resource(one.resource)
	if one.ref.Namespace != "" {
		objects = t.dynamic.Resource(one.resource).Namespace(one.ref.Namespace)
	}
	live, err := objects.Get(ctx, one.ref.Name, metav1.GetOptions{})
	if err != nil {
		return verdict{}.unless(err, one.ref)
	}
	return judge(live), nil
}

// unless is the verdict, or that on an object that is not there, or the error.
func (v verdict) unless(err error, ref v1alpha1.ObjectReference) (verdict, error) {
	switch {
	case apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
		// No API answers for the resource: the mapper still has a kind whose CRD is gone.
		return kindMissing(ref), nil
	case apierrors.IsNotFound(err):
		return missing(ref), nil
	}
	return v, err
}

// sum adds up the verdicts and explains the first object that is not ready; one
// that has failed comes before those that only take long.
func (t *tracked) sum(ctx context.Context) (release.Health, error) {
	sum := release.Health{Total: len(t.objects)}
	pods := podLists{of: t.dynamic}
	var first *object
	var why verdict
	for i := range t.objects {
		one := &t.objects[i]
		v, err := t.verdictOn(ctx, one, &pods)
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
	if why.says || time.Since(t.refreshed) < explainAfter {
		sum.Message = first.ref.String() + " " + oneLine(why.message)
		return sum, nil
	}
	message, err := t.explain(ctx, first, why, &pods)
	sum.Message = first.ref.String() + ": " + message
	if pods.refused != nil {
		sum.Message += "; " + pods.refused.Error()
	}
	return sum, err
}

// isWorse reports whether a verdict explains more than those that were added up.
func isWorse(v verdict, sum release.Health) bool {
	return v.state == failed && !sum.Failed || v.gone && sum.Missing == 0 || v.kindMissing && !sum.KindMissing
}

// verdictOn is that of kstatus, except that a volume claim without a volume is no
// fault as long as no pod wants it: it may wait for its first consumer.
func (t *tracked) verdictOn(ctx context.Context, one *object, pods *podLists) (verdict, error) {
	v := t.looked[one.ref].verdict
	if one.isWatched() && (one.watch.has(one.ref) || ends(one.ref)) {
		v = one.watch.verdict(one.ref)
	}
	if one.isWatched() && !one.watch.reached(one.ref, t.least[one.ref]) {
		return verdict{message: unobserved}, nil
	}
	if !v.pending {
		return v, nil
	}
	used, err := pods.use(ctx, one.ref)
	if err == nil && !used {
		v.state = current
		v.remark = "has no volume, and no pod uses it yet"
	}
	return v, err
}

// explain says why an object is not ready, by its pods if it has any.
func (t *tracked) explain(ctx context.Context, one *object, why verdict, pods *podLists) (string, error) {
	if len(why.pods) == 0 {
		return oneLine(why.message), nil
	}
	reason, err := pods.reason(ctx, one.ref.Namespace, why.pods)
	if err != nil {
		return "", err
	}
	switch {
	case reason != "":
		return oneLine(reason), nil
	case why.trouble != "":
		return oneLine(why.trouble), nil
	}
	return oneLine(why.message), nil
}

// podsResource are pods.
var podsResource = corev1.SchemeGroupVersion.WithResource("pods")
