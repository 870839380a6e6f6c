package status_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/conformance"
)

// allOutcomes returns an error for each way in which a reconcile can end.
func allOutcomes(conditionType string) map[string]error {
	return map[string]error{
		"nil":                         nil,
		"plain":                       errBroken,
		"plain, for a condition":      status.ForCondition(conditionType, errBroken),
		"a message that is not UTF-8": outcome.Stalled(v1alpha1.ReasonNotFound, errors.New("read \xff\xfe: not UTF-8")),
		"waiting":                     status.ForCondition(conditionType, outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Second, errBroken)),
		"waiting without a reason":    outcome.Waiting("", 0, errBroken),
		"suspended":                   outcome.Waiting(v1alpha1.ReasonSuspended, 0, errBroken),
	}
}

func TestFinishTwiceWritesOnce(t *testing.T) {
	for why, err := range allOutcomes(v1alpha1.ConditionRendered) {
		t.Run(why, func(t *testing.T) {
			b := newFixture(t)
			first, firstErr := b.reconcileWith(err)
			b.Expect(b.writes.Take()).To(Equal([]string{"patch status"}))
			second, secondErr := b.reconcileWith(err)
			b.Expect(b.writes.Take()).To(BeEmpty())
			b.Expect(second.IsZero()).To(Equal(first.IsZero()), "the result for the queue is the same")
			b.Expect(secondErr != nil).To(Equal(firstErr != nil))
		})
	}
}

// TestFinishKeepsTheStatusContract ends a reconcile of every kind in every way, and checks the
// status contract.
func TestFinishKeepsTheStatusContract(t *testing.T) {
	app := v1alpha1.AppReference{Source: "market", Name: "web"}
	for _, c := range []struct {
		object v1alpha1.Object
		kind   status.ConditionSet
	}{
		{&v1alpha1.MarketSource{Spec: v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/"}}}, status.MarketSource},
		{newApp(""), status.AppInfo},
		{&v1alpha1.AppInstance{Spec: v1alpha1.AppInstanceSpec{AppRef: app}}, status.AppInstance},
		{&v1alpha1.AppInstallTask{Spec: v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, AppRef: app}}, status.AppInstallTask},
	} {
		for why, err := range allOutcomes(c.kind.Progress[1]) {
			t.Run(fmt.Sprintf("%T %s", c.object, why), func(t *testing.T) {
				b := newFixture(t)
				object := c.object.DeepCopyObject().(v1alpha1.Object)
				object.SetNamespace(b.app.Namespace)
				object.SetName("one")
				b.Expect(b.client.Create(b.ctx, object)).To(Succeed())

				writer := status.NewWriter(b.client, b.recorder, c.kind, object)
				writer.MarkTrue(c.kind.Progress[0], firstReason(c.kind), "first step completed")
				if c.kind.Summary == v1alpha1.ConditionSucceeded {
					writer.SetReady(v1alpha1.ReasonSucceeded, "done")
				}
				if task, ok := object.(*v1alpha1.AppInstallTask); ok && (err == nil || outcome.IsStalled(err)) {
					task.Status.CompletionTime = &metav1.Time{Time: time.Now()}
				}
				_, _ = writer.Finish(b.ctx, err, 0)
				b.Expect(b.client.Get(b.ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				conformance.ExpectContract(b, object)
				var order []string
				for _, condition := range object.GetConditions() {
					order = append(order, condition.Type)
				}
				read := slices.Concat(c.kind.Progress, []string{c.kind.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled})
				b.Expect(slices.IsSortedFunc(order, func(a, b string) int { return slices.Index(read, a) - slices.Index(read, b) })).To(BeTrue(), "%v", order)
			})
		}
	}
}

func firstReason(kind status.ConditionSet) string {
	return map[string]string{
		v1alpha1.ConditionReachable: v1alpha1.ReasonReachable, v1alpha1.ConditionFetched: v1alpha1.ReasonFetched,
		v1alpha1.ConditionResolved: v1alpha1.ReasonResolved, v1alpha1.ConditionAdmitted: v1alpha1.ReasonAdmitted,
	}[kind.Progress[0]]
}

// TestSuspendedObjectIsNotReconciling suspends an app that is served. kubectl, Argo CD and Flux
// must not wait for the new generation.
func TestSuspendedObjectIsNotReconciling(t *testing.T) {
	b := newFixture(t)
	_, err := b.reconcileWith(nil)
	b.Expect(err).NotTo(HaveOccurred())
	b.editSpec(func(app *v1alpha1.AppInfo) {
		suspend := true
		app.Spec.Suspend = &suspend
	})
	_, err = b.reconcileWith(outcome.Waiting(v1alpha1.ReasonSuspended, 0, errBroken))
	b.Expect(err).NotTo(HaveOccurred())
	stored := b.getStored()
	b.Expect(meta.IsStatusConditionTrue(stored.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "a suspended app is still served")
	conformance.ExpectContract(b, stored)
}

func TestFinishReturnsTheRequeueResult(t *testing.T) {
	stalled := outcome.Stalled(v1alpha1.ReasonNotFound, errBroken)
	for _, c := range []struct {
		why      string
		err      error
		interval time.Duration
		min, max time.Duration
		returned error
	}{
		{why: "nil, without an interval", err: nil},
		{why: "nil, with an interval", err: nil, interval: time.Minute, min: 54 * time.Second, max: 66 * time.Second},
		{why: "plain: the error is returned for the backoff", err: errBroken, interval: time.Minute, returned: errBroken},
		{why: "waiting: requeued after the delay", err: outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Second, errBroken), interval: time.Minute, min: time.Second, max: time.Second},
		{why: "waiting for a watch", err: outcome.Waiting(v1alpha1.ReasonWaitingForApp, 0, errBroken), interval: time.Minute},
		{why: "stalled, without an interval: terminal", err: stalled, returned: reconcile.TerminalError(nil)},
		{why: "stalled, with an interval: requeued", err: stalled, interval: time.Minute, min: 54 * time.Second, max: 66 * time.Second},
	} {
		t.Run(c.why, func(t *testing.T) {
			b := newFixture(t)
			for range 20 { // The interval varies.
				b.reload()
				result, err := b.newWriter().Finish(b.ctx, c.err, c.interval)
				b.Expect(result.RequeueAfter).To(And(BeNumerically(">=", c.min), BeNumerically("<=", c.max)))
				if c.returned == nil {
					b.Expect(err).NotTo(HaveOccurred())
				} else {
					b.Expect(err).To(MatchError(c.returned))
					b.Expect(err).To(MatchError(errBroken))
					b.Expect(errors.Is(err, reconcile.TerminalError(nil))).To(Equal(outcome.IsStalled(c.err)))
				}
			}
		})
	}
}

// TestFinishRechecksANewWait checks that an object that begins to wait is reconciled once more:
// controllers find waiting objects by the reason, which may be written too late.
func TestFinishRechecksANewWait(t *testing.T) {
	for _, reason := range []string{v1alpha1.ReasonWaitingForSource, v1alpha1.ReasonWaitingForDependency} {
		t.Run(reason, func(t *testing.T) {
			b := newFixture(t)
			for _, after := range []time.Duration{time.Second, 0, 0} {
				result, err := b.reconcileWith(outcome.Waiting(reason, 0, errBroken))
				b.Expect(err).NotTo(HaveOccurred())
				b.Expect(result.RequeueAfter).To(Equal(after))
			}
			_, err := b.reconcileWith(errBroken)
			b.Expect(err).To(MatchError(errBroken))
			result, err := b.reconcileWith(outcome.Waiting(reason, time.Hour, errBroken))
			b.Expect(err).NotTo(HaveOccurred())
			b.Expect(result.RequeueAfter).To(Equal(time.Second), "a new wait is rechecked")
		})
	}
}

func TestObservedGeneration(t *testing.T) {
	for _, c := range []struct {
		why  string
		err  error
		want int64
	}{
		{"well", nil, 2},
		{"stalled", outcome.Stalled(v1alpha1.ReasonNotFound, errBroken), 2},
		{"plain", errBroken, 1},
		{"waiting", outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, errBroken), 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			b := newFixture(t)
			b.Expect(b.getStored().Status.ObservedGeneration).To(BeEquivalentTo(-1))
			_, err := b.reconcileWith(nil)
			b.Expect(err).NotTo(HaveOccurred())
			b.editSpec(func(app *v1alpha1.AppInfo) {
				app.Spec.Withdrawn = true
				app.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: "now"}
			})
			_, _ = b.reconcileWith(c.err)
			stored := b.getStored()
			b.Expect(stored.Status.ObservedGeneration).To(Equal(c.want))
			handled := map[int64]string{1: "", 2: "now"}[c.want]
			b.Expect(stored.Status.LastHandledReconcileAt).To(Equal(handled), "the request is echoed only if it was processed")
			for _, condition := range stored.Status.Conditions {
				b.Expect(condition.ObservedGeneration).To(Or(BeEquivalentTo(2), Equal(c.want)), condition.Type)
			}
		})
	}
}

func TestFinishOnConflict(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	b.editSpec(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
	result, err := writer.Finish(b.ctx, nil, time.Hour)
	b.Expect(err).NotTo(HaveOccurred(), "a conflict is not an error")
	b.Expect(result).To(HaveField("Requeue", BeTrue()), "the object is requeued with backoff")
	b.Expect(result.RequeueAfter).To(BeZero(), "a delay would reset the backoff")
	b.Expect(b.getStored().Status.Conditions).To(BeEmpty(), "no status is written for an outdated object")
	b.Expect(b.takeEvents()).To(BeEmpty(), "no event is emitted")
}

func TestFinishOfADeletedObject(t *testing.T) {
	for why, err := range allOutcomes(v1alpha1.ConditionFetched) {
		t.Run(why, func(t *testing.T) {
			b := newFixture(t)
			writer := b.newWriter()
			b.Expect(b.client.Delete(b.ctx, b.app.DeepCopy())).To(Succeed())
			result, err := writer.Finish(b.ctx, err, time.Hour)
			b.Expect(err).NotTo(HaveOccurred())
			b.Expect(result).To(Equal(ctrl.Result{}))
			b.Expect(b.takeEvents()).To(BeEmpty())
		})
	}
}

func TestFinishReturnsWriteErrors(t *testing.T) {
	b := newFixture(t)
	refused := apierrors.NewServiceUnavailable("the server is down")
	b.client = interceptor.NewClient(b.client, interceptor.Funcs{
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return refused
		},
	})
	_, err := b.newWriter().Finish(b.ctx, outcome.Stalled(v1alpha1.ReasonNotFound, errBroken), 0)
	b.Expect(err).To(MatchError(refused))
	b.Expect(errors.Is(err, reconcile.TerminalError(nil))).To(BeFalse(), "a failed write is retried")
	b.Expect(b.takeEvents()).To(BeEmpty())
}

func TestMarkReconciling(t *testing.T) {
	b := newFixture(t)
	_, _ = b.reconcileWith(outcome.Stalled(v1alpha1.ReasonNotFound, errBroken))
	b.writes.Take()
	b.reload()
	writer := b.newWriter()
	writer.MarkReconciling("hydrating version 2.0.0")
	b.Expect(writer.Save(b.ctx)).To(Succeed())
	conditions := b.getStored().Status.Conditions
	b.Expect(meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling)).To(BeTrue(), "Reconciling is visible during the reconcile")
	b.Expect(meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)).To(BeNil())

	writer.MarkTrue(v1alpha1.ConditionFetched, v1alpha1.ReasonFetched, "version 2.0.0")
	writer.SetReady(v1alpha1.ReasonReady, "serving 2.0.0")
	_, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.writes.Take()).To(Equal([]string{"patch status", "patch status"}))
	b.Expect(meta.FindStatusCondition(b.getStored().Status.Conditions, v1alpha1.ConditionReady).Message).To(Equal("serving 2.0.0"))
	conformance.ExpectContract(b, b.getStored())
}

func TestKeepReady(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	writer.KeepReady("serving 1.0.0; 2.0.0 failed")
	_, _ = writer.Finish(b.ctx, status.ForCondition(v1alpha1.ConditionFetched, outcome.Stalled(v1alpha1.ReasonNotFound, errBroken)), 0)
	summary := meta.FindStatusCondition(b.getStored().Status.Conditions, v1alpha1.ConditionReady)
	b.Expect(*summary).To(And(matchCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonServingPrevious),
		HaveField("Message", "serving 1.0.0; 2.0.0 failed")))
	conformance.ExpectContract(b, b.getStored())
}
