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
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/text"
)

const (
	// The maximum number of drifted objects in status, and of fields of each object.
	maxDrift  = 50
	maxFields = 20
	// The minimum and the maximum time until corrected objects are corrected again. The
	// backoff limits a conflict with another controller.
	firstBackoff = 5 * time.Second
	lastBackoff  = 10 * time.Minute
)

// shouldDetectDrift reports whether drift detection is enabled. It is disabled while the instance is
// stopped, because stopped workloads differ from the release.
func shouldDetectDrift(instance *v1alpha1.AppInstance) bool {
	return !instance.Status.Stopped && admission.DetectsDrift(instance)
}

// detectDrift compares the objects with the releases after an object has changed. Depending on
// spec.driftPolicy, it corrects the drift or lists it in status.
func (r *Reconciler) detectDrift(ctx context.Context, s *scope) error {
	key := client.ObjectKeyFromObject(s.instance)
	if s.operated {
		// The operation may have removed a difference without changing an object.
		r.driftChecks.deleteCheck(key)
	}
	if s.target == nil || !shouldDetectDrift(s.instance) {
		r.driftChecks.deleteCheck(key)
		s.instance.Status.Drift = nil
		s.statusWriter.SetFlag(v1alpha1.ConditionDrifted, "", "")
		return nil
	}
	mark, known, err := r.Monitor.Digest(ctx, key)
	// A change of the policy requires another comparison.
	mark = string(s.instance.Spec.DriftPolicy) + " " + mark
	if err != nil || !known || !r.driftChecks.isDue(key, mark, r.Wake) {
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
			return fmt.Errorf("compare release %q: %w", known.Name, err)
		}
		found = append(found, some...)
	}
	corrected := len(found) > 0 && s.instance.Spec.DriftPolicy == v1alpha1.DriftCorrect
	r.driftChecks.recordCheck(key, mark, corrected)
	reportDrift(s, found)
	if !corrected {
		return nil
	}
	// The health that was observed before the correction is outdated.
	r.staleHealth.Store(key, true)
	return r.trackObjects(ctx, s)
}

// reportDrift sets status.drift and the Drifted condition. Corrected objects are listed until
// the next comparison, but do not set the condition.
func reportDrift(s *scope, found []release.Drifted) {
	st := &s.instance.Status
	st.Drift = nil
	corrects := s.instance.Spec.DriftPolicy == v1alpha1.DriftCorrect
	now := metav1.Now()
	for _, d := range catalog.FirstItems(found, maxDrift) {
		drifted := v1alpha1.DriftedObject{Object: d.Object, Missing: d.Missing, Fields: catalog.FirstItems(d.Fields, maxFields)}
		if corrects {
			drifted.CorrectedAt = &now
		}
		st.Drift = append(st.Drift, drifted)
	}
	switch {
	case len(found) == 0 || corrects:
		s.statusWriter.SetFlag(v1alpha1.ConditionDrifted, "", "")
	default:
		s.statusWriter.SetFlag(v1alpha1.ConditionDrifted, v1alpha1.ReasonDrifted, fmt.Sprintf(
			"%s from the Helm release, first %s; see status.drift", text.Count(len(found), "object differs", "objects differ"), found[0].Object))
	}
	if len(found) > 0 && corrects {
		s.statusWriter.Event("", corev1.EventTypeNormal, v1alpha1.EventDriftCorrected,
			text.Count(len(found), "object", "objects")+" corrected to match the Helm release, first "+found[0].Object.String())
	}
}

// driftTracker records the last comparison of each instance to avoid repeated comparisons.
// It is kept in memory, so that a restart repeats each comparison once.
type driftTracker struct {
	mu   sync.Mutex
	last map[types.NamespacedName]*driftCheck
}

type driftCheck struct {
	// objectsDigest is the digest of the objects that were compared. It is empty after a correction,
	// so that objects that change back to the same state are corrected again.
	objectsDigest string
	backoff       time.Duration
	until         time.Time
	// isScheduled reports whether a reconcile at the end of the backoff is scheduled.
	isScheduled bool
}

// isDue reports whether the objects have changed since the last comparison and no backoff is
// in effect. If a backoff delays the comparison, it schedules wake for its end.
func (c *driftTracker) isDue(key types.NamespacedName, mark string, wake func(types.NamespacedName)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last[key]
	if last == nil {
		return true
	}
	if last.objectsDigest == mark {
		return false
	}
	left := time.Until(last.until)
	if left > 0 && !last.isScheduled {
		last.isScheduled = true
		time.AfterFunc(left, func() { wake(key) })
	}
	return left <= 0
}

// recordCheck records a comparison. After a correction, it starts a backoff that doubles each time.
func (c *driftTracker) recordCheck(key types.NamespacedName, mark string, corrected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[types.NamespacedName]*driftCheck{}
	}
	next := &driftCheck{objectsDigest: mark}
	if last := c.last[key]; corrected {
		next.objectsDigest, next.backoff = "", firstBackoff
		if last != nil && last.backoff > 0 {
			next.backoff = min(2*last.backoff, lastBackoff)
		}
		next.until = time.Now().Add(next.backoff)
	} else if last != nil && time.Since(last.until) < last.backoff {
		next.backoff, next.until = last.backoff, last.until
	}
	c.last[key] = next
}

func (c *driftTracker) deleteCheck(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, key)
}
