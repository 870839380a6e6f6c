package appinstance

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/text"
)

const (
	// maxDrift bounds the objects that are listed in status, and maxFields the
	// fields of each.
	maxDrift  = 50
	maxFields = 20
	// firstTruce and lastTruce are how long objects that were just corrected are
	// left alone before they are corrected again: somebody may fight for them.
	firstTruce = 5 * time.Second
	lastTruce  = 10 * time.Minute
)

// minds reports whether changes of the objects matter. While the instance is stopped
// its objects are not what Helm made of them, on purpose.
func (s *scope) minds() bool {
	if s.instance.Status.Stopped {
		return false
	}
	return s.instance.Spec.DriftPolicy == v1alpha1.DriftCorrect || s.instance.Spec.DriftPolicy == v1alpha1.DriftWarn
}

// compare looks at what somebody has changed of the objects, whenever somebody has
// changed any, and mends it or lists it.
func (r *Reconciler) compare(ctx context.Context, s *scope) error {
	key := client.ObjectKeyFromObject(s.instance)
	if s.operated {
		// What differed before may not any more, though no object was changed.
		r.compared.forget(key)
	}
	if s.target == nil || !s.minds() {
		r.compared.forget(key)
		s.instance.Status.Drift = nil
		s.keeper.SetFlag(v1alpha1.ConditionDrifted, "", "")
		return nil
	}
	mark, known, err := r.Monitor.Digest(ctx, key)
	// What was only listed before is looked at again when it is to be mended.
	mark = string(s.instance.Spec.DriftPolicy) + " " + mark
	if err != nil || !known || !r.compared.due(key, mark, r.Wake) {
		return err
	}
	look := s.helm.Drift
	if s.instance.Spec.DriftPolicy == v1alpha1.DriftCorrect {
		look = s.helm.Correct
	}
	var found []release.Drifted
	for _, known := range s.instance.Status.Releases {
		some, err := look(ctx, known.Name)
		if err != nil {
			return fmt.Errorf("compare release %s: %w", known.Name, err)
		}
		found = append(found, some...)
	}
	corrected := len(found) > 0 && s.instance.Spec.DriftPolicy == v1alpha1.DriftCorrect
	r.compared.done(key, mark, corrected)
	s.differs(found)
	if !corrected {
		return nil
	}
	// What was seen of the objects before does not count any more.
	r.owed.Store(key, true)
	return r.track(ctx, s)
}

// differs lists what was found. What was corrected is listed too, until the objects
// are looked at again, but is no difference any more.
func (s *scope) differs(found []release.Drifted) {
	st := &s.instance.Status
	st.Drift = nil
	corrects := s.instance.Spec.DriftPolicy == v1alpha1.DriftCorrect
	now := metav1.Now()
	for _, d := range catalog.First(found, maxDrift) {
		drifted := v1alpha1.DriftedObject{Object: d.Object, Missing: d.Missing, Fields: catalog.First(d.Fields, maxFields)}
		if corrects {
			drifted.CorrectedAt = &now
		}
		st.Drift = append(st.Drift, drifted)
	}
	switch {
	case len(found) == 0 || corrects:
		s.keeper.SetFlag(v1alpha1.ConditionDrifted, "", "")
	default:
		s.keeper.SetFlag(v1alpha1.ConditionDrifted, v1alpha1.ReasonDrifted, fmt.Sprintf(
			"%s from the release, the first is %s; see status.drift", text.Count(len(found), "object differs", "objects differ"), found[0].Object))
	}
	if len(found) > 0 && corrects {
		s.keeper.Event("", corev1.EventTypeNormal, v1alpha1.EventDriftCorrected,
			text.Count(len(found), "object was", "objects were")+" brought back to what the release made, the first is "+found[0].Object.String())
	}
}

// comparisons remembers what was compared last, so that nothing is compared twice.
// It is lost with the process: then everything is compared once more.
type comparisons struct {
	mu   sync.Mutex
	last map[types.NamespacedName]*comparison
}

type comparison struct {
	// mark is that of the objects as they were compared, empty where they were then
	// corrected: whoever changes them back to what they were is corrected again.
	mark  string
	truce time.Duration
	until time.Time
	// woken says that a look after the truce is arranged for.
	woken bool
}

// due reports whether the objects are others than those that were compared. During
// a truce they are not, and wake is called when it ends.
func (c *comparisons) due(key types.NamespacedName, mark string, wake func(types.NamespacedName)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last[key]
	if last == nil {
		return true
	}
	if last.mark == mark {
		return false
	}
	left := time.Until(last.until)
	if left > 0 && !last.woken {
		last.woken = true
		time.AfterFunc(left, func() { wake(key) })
	}
	return left <= 0
}

// done notes a comparison. Whatever had to be corrected gets a truce, a longer one
// each time.
func (c *comparisons) done(key types.NamespacedName, mark string, corrected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[types.NamespacedName]*comparison{}
	}
	next := &comparison{mark: mark}
	if last := c.last[key]; corrected {
		next.mark, next.truce = "", firstTruce
		if last != nil && last.truce > 0 {
			next.truce = min(2*last.truce, lastTruce)
		}
		next.until = time.Now().Add(next.truce)
	} else if last != nil && time.Since(last.until) < last.truce {
		next.truce, next.until = last.truce, last.until
	}
	c.last[key] = next
}

func (c *comparisons) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, key)
}
