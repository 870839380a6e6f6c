package status_test

import (
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/conformance"
)

// TestEvents follows an app through its conditions. Each transition has one event, and an
// unchanged state has none.
func TestEvents(t *testing.T) {
	b := newFixture(t)
	missing := status.ForCondition(v1alpha1.ConditionFetched, outcome.Stalled(v1alpha1.ReasonNotFound, errBroken))
	down := status.ForCondition(v1alpha1.ConditionFetched, outcome.Failed(v1alpha1.ReasonFetchFailed, errBroken))
	waiting := outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, errBroken)
	for _, c := range []struct {
		why     string
		err     error
		serving string
		reached bool
		want    []string
	}{
		{why: "waiting", err: waiting},
		{why: "fetching fails and is retried", err: down, want: []string{"Warning FetchFailed broken"}},
		{why: "the retry fails", err: down},
		{why: "the chart is not found", err: missing, want: []string{"Warning NotFound broken"}},
		{why: "the chart is still not found", err: missing},
		{why: "the chart is found", reached: true, want: []string{"Normal Fetched 3 files", "Normal Ready serving 1.0.0"}},
		{why: "nothing changed", reached: true},
		{why: "the next version is not found", err: missing, serving: "serving 1.0.0; 2.0.0 failed",
			want: []string{"Normal ServingPrevious serving 1.0.0; 2.0.0 failed", "Warning NotFound broken"}},
		{why: "the next version is still not found, and the previous version is served", err: missing, serving: "serving 1.0.0; 2.0.0 failed"},
		{why: "waiting while serving", err: waiting},
	} {
		b.reload()
		writer := b.newWriter()
		if c.reached {
			writer.MarkTrue(v1alpha1.ConditionFetched, v1alpha1.ReasonFetched, "3 files")
			writer.SetReady(v1alpha1.ReasonReady, "serving 1.0.0")
		}
		if c.serving != "" {
			writer.KeepReady(c.serving)
		}
		_, _ = writer.Finish(b.ctx, c.err, 0)
		if c.want == nil {
			b.Expect(b.takeEvents()).To(BeEmpty(), c.why)
		} else {
			b.Expect(b.takeEvents()).To(Equal(c.want), c.why)
		}
	}
}

// TestLastProgressConditionHasNoEventWhenReady checks that the last progress condition has no
// event if the same write makes the summary condition True.
func TestLastProgressConditionHasNoEventWhenReady(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	writer.MarkTrue(v1alpha1.ConditionPublished, v1alpha1.ReasonPublished, "published")
	writer.SetReady(v1alpha1.ReasonReady, "serving 1.0.0")
	_, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Ready serving 1.0.0"}))
}

func TestLastProgressConditionHasAnEventWhileNotReady(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	writer.MarkTrue(v1alpha1.ConditionPublished, v1alpha1.ReasonPublished, "published")
	_, err := writer.Finish(b.ctx, outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, errBroken), 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Published published"}))
}

func TestEventsOfLongMessagesAndPercentSigns(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	writer.SetReady(v1alpha1.ReasonReady, "100% %s of "+strings.Repeat("a", 2000))
	_, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.takeEvents()).To(ConsistOf(And(
		HavePrefix("Normal Ready 100% %s of aaa"), WithTransform(func(s string) int { return len(s) }, BeNumerically("<=", 1024+len("Normal Ready "))))))
}

// TestReports checks that a report is emitted with the next write, and replaces the event of a
// progress condition with the same reason.
func TestReports(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	writer.MarkTrue(v1alpha1.ConditionPublished, v1alpha1.ReasonPublished, "published")
	writer.Report("Normal", v1alpha1.ReasonPublished, "published versions 1.1.0, 1.0.0")
	b.Expect(b.takeEvents()).To(BeEmpty(), "nothing was written yet")
	b.Expect(writer.Save(b.ctx)).To(Succeed())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Published published versions 1.1.0, 1.0.0"}))
	_, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Ready Ready"}))
}

// TestLogOfTransitions checks that each event has a log entry, and that only errors of the
// operator itself are logged as errors.
func TestLogOfTransitions(t *testing.T) {
	b := newFixture(t)
	var lines []string
	logger := funcr.NewJSON(func(line string) { lines = append(lines, line) }, funcr.Options{})
	b.ctx = logr.NewContext(b.ctx, logger)
	for _, c := range []struct {
		why  string
		err  error
		want string
	}{
		{"an error of the source", status.ForCondition(v1alpha1.ConditionFetched, outcome.Stalled(v1alpha1.ReasonNotFound, errBroken)), `"level":0,"msg":"Condition changed","reason":"NotFound","message":"broken","condition":"Ready","status":"False","duration":"`},
		{"the same error again", status.ForCondition(v1alpha1.ConditionFetched, outcome.Stalled(v1alpha1.ReasonNotFound, errBroken)), ""},
		{"an error of the operator", status.ForCondition(v1alpha1.ConditionPublished, outcome.Failed(v1alpha1.ReasonStorageFull, errBroken)), `"msg":"broken","error":null,"reason":"StorageFull"`},
		{"success", nil, `"level":0,"msg":"Condition changed","reason":"Ready"`},
	} {
		lines = nil
		_, err := b.reconcileWith(c.err)
		b.Expect(err == nil || status.IsReported(err)).To(BeTrue(), c.why)
		if c.want == "" {
			b.Expect(lines).To(BeEmpty(), c.why)
		} else {
			b.Expect(lines).To(ConsistOf(ContainSubstring(c.want)), c.why)
		}
	}
}

// TestSetNotReady checks that SetNotReady takes effect before the end of the reconcile.
func TestSetNotReady(t *testing.T) {
	b := newFixture(t)
	_, err := b.reconcileWith(nil)
	b.Expect(err).NotTo(HaveOccurred())
	b.takeEvents()
	b.reload()
	writer := b.newWriter()
	writer.SetNotReady(v1alpha1.ReasonChartNotFound, "the chart is missing")
	writer.MarkReconciling("hydrating version 1.0.0")
	b.Expect(writer.Save(b.ctx)).To(Succeed())
	b.Expect(b.takeEvents()).To(Equal([]string{"Warning ChartNotFound the chart is missing"}))
	conformance.ExpectContract(b, b.getStored())
	writer.SetNotReady(v1alpha1.ReasonProgressing, "a condition that is False is not changed")
	_, err = writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Ready Ready"}))
}

func TestEventsOfSave(t *testing.T) {
	b := newFixture(t)
	writer := b.newWriter()
	writer.MarkTrue(v1alpha1.ConditionFetched, v1alpha1.ReasonFetched, "3 files")
	b.Expect(writer.Save(b.ctx)).To(Succeed())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Fetched 3 files"}))
	_, err := writer.Finish(b.ctx, nil, 0)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(b.takeEvents()).To(Equal([]string{"Normal Ready Ready"}), "an event is emitted once")
}
