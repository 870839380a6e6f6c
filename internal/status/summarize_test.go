package status_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// errBroken is an unclassified error.
var errBroken = errors.New("broken")

// generation is the generation of the object in these tests.
const generation = 5

// previousCondition returns a condition of the previous generation.
func previousCondition(kind string, state metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: state, Reason: reason, Message: "before", ObservedGeneration: generation - 1,
		LastTransitionTime: metav1.NewTime(time.Unix(1, 0)),
	}
}

// matchCondition matches a condition by its type, status and reason.
func matchCondition(kind string, state metav1.ConditionStatus, reason string) types.GomegaMatcher {
	return And(HaveField("Type", kind), HaveField("Status", state), HaveField("Reason", reason))
}

func TestSummarize(t *testing.T) {
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	serving := status.Summary{Reason: v1alpha1.ReasonReady, Message: "serving 1.0.0", Serving: true}
	stalled := outcome.Stalled(v1alpha1.ReasonRenderFailed, errBroken)
	waiting := outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Minute, errBroken)
	suspended := outcome.Waiting(v1alpha1.ReasonSuspended, 0, errBroken)
	for _, c := range []struct {
		why     string
		kind    status.ConditionSet
		summary status.Summary
		have    []metav1.Condition
		err     error
		want    []types.GomegaMatcher
		result  status.Result
	}{
		{
			why: "nil: the summary condition is True", kind: status.AppInfo,
			want: []types.GomegaMatcher{matchCondition("Ready", yes, "Ready")}, result: status.Result{Done: true},
		},
		{
			why: "nil: Reconciling and Stalled are removed", kind: status.AppInfo,
			have: []metav1.Condition{previousCondition("Ready", no, "FetchFailed"), previousCondition("Reconciling", yes, "Progressing"), previousCondition("Stalled", yes, "NotFound")},
			want: []types.GomegaMatcher{matchCondition("Ready", yes, "Ready")}, result: status.Result{Done: true},
		},
		{
			why: "nil: progress conditions are kept", kind: status.AppInfo,
			have: []metav1.Condition{previousCondition("Fetched", yes, "Fetched")},
			want: []types.GomegaMatcher{matchCondition("Fetched", yes, "Fetched"), matchCondition("Ready", yes, "Ready")}, result: status.Result{Done: true},
		},
		{
			why: "plain: retried", kind: status.AppInfo, err: outcome.Failed(v1alpha1.ReasonFetchFailed, errBroken),
			have:   []metav1.Condition{previousCondition("Ready", yes, "Ready"), previousCondition("Stalled", yes, "NotFound")},
			want:   []types.GomegaMatcher{matchCondition("Ready", no, "FetchFailed"), matchCondition("Reconciling", yes, "ProgressingWithRetry")},
			result: status.Result{Err: errBroken},
		},
		{
			why: "plain: its condition is False, and later conditions are removed", kind: status.AppInfo,
			err:    status.ForCondition("Rendered", outcome.Failed(v1alpha1.ReasonLimitExceeded, errBroken)),
			have:   []metav1.Condition{previousCondition("Fetched", yes, "Fetched"), previousCondition("Rendered", yes, "Rendered"), previousCondition("Customized", yes, "Customized"), previousCondition("Published", yes, "Published")},
			want:   []types.GomegaMatcher{matchCondition("Fetched", yes, "Fetched"), matchCondition("Rendered", no, "LimitExceeded"), matchCondition("Ready", no, "LimitExceeded"), matchCondition("Reconciling", yes, "ProgressingWithRetry")},
			result: status.Result{Err: errBroken},
		},
		{
			why: "plain, serving: the summary condition stays True", kind: status.AppInfo, summary: serving, err: errBroken,
			have:   []metav1.Condition{previousCondition("Ready", yes, "Ready")},
			want:   []types.GomegaMatcher{And(matchCondition("Ready", yes, "ServingPrevious"), HaveField("Message", "serving 1.0.0")), matchCondition("Reconciling", yes, "ProgressingWithRetry")},
			result: status.Result{Err: errBroken},
		},
		{
			why: "waiting: the summary condition is Unknown", kind: status.AppInfo, err: waiting,
			want:   []types.GomegaMatcher{matchCondition("Reconciling", yes, "WaitingForApp"), matchCondition("Ready", unknown, "WaitingForApp")},
			result: status.Result{After: time.Minute},
		},
		{
			why: "waiting: a summary condition that is True is kept", kind: status.MarketSource, err: waiting,
			have:   []metav1.Condition{previousCondition("Ready", yes, "Ready"), previousCondition("Stalled", yes, "NotFound")},
			want:   []types.GomegaMatcher{matchCondition("Ready", yes, "Ready"), matchCondition("Reconciling", yes, "WaitingForApp")},
			result: status.Result{After: time.Minute},
		},
		{
			why: "waiting: an earlier failure is removed", kind: status.AppInstallTask, err: waiting,
			have:   []metav1.Condition{previousCondition("Succeeded", no, "RefNotPermitted")},
			want:   []types.GomegaMatcher{matchCondition("Succeeded", unknown, "WaitingForApp"), matchCondition("Reconciling", yes, "WaitingForApp")},
			result: status.Result{After: time.Minute},
		},
		{
			why: "waiting for an unmet condition: it is False, and later conditions are removed", kind: status.AppInstance,
			err:    status.ForCondition("Resolved", status.ForUnmetCondition("Resolved", waiting)),
			have:   []metav1.Condition{previousCondition("Resolved", yes, "Resolved"), previousCondition("Applied", yes, "Applied"), previousCondition("Ready", yes, "Ready")},
			want:   []types.GomegaMatcher{matchCondition("Resolved", no, "WaitingForApp"), matchCondition("Ready", yes, "Ready"), matchCondition("Reconciling", yes, "WaitingForApp")},
			result: status.Result{After: time.Minute},
		},
		{
			why: "waiting for a condition: it and later conditions are removed", kind: status.AppInstance, err: status.ForCondition("Healthy", waiting),
			have:   []metav1.Condition{previousCondition("Resolved", yes, "Resolved"), previousCondition("Applied", yes, "Applied"), previousCondition("Healthy", no, "Unhealthy"), previousCondition("Ready", yes, "Ready")},
			want:   []types.GomegaMatcher{matchCondition("Resolved", yes, "Resolved"), matchCondition("Applied", yes, "Applied"), matchCondition("Ready", yes, "Ready"), matchCondition("Reconciling", yes, "WaitingForApp")},
			result: status.Result{After: time.Minute},
		},
		{
			why: "waiting without a reason", kind: status.AppInfo, err: outcome.Waiting("", 0, errBroken),
			want: []types.GomegaMatcher{matchCondition("Ready", unknown, "Progressing"), matchCondition("Reconciling", yes, "Progressing")},
		},
		{
			why: "stalled: Reconciling is removed", kind: status.AppInfo, err: stalled,
			have:   []metav1.Condition{previousCondition("Ready", unknown, "Progressing"), previousCondition("Reconciling", yes, "Progressing")},
			want:   []types.GomegaMatcher{matchCondition("Ready", no, "RenderFailed"), matchCondition("Stalled", yes, "RenderFailed")},
			result: status.Result{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "stalled at the first progress condition", kind: status.AppInfo, err: fmt.Errorf("app web: %w", status.ForCondition("Fetched", outcome.Stalled(v1alpha1.ReasonNotFound, errBroken))),
			have:   []metav1.Condition{previousCondition("Fetched", yes, "Fetched"), previousCondition("Rendered", yes, "Rendered"), previousCondition("Ready", yes, "Ready")},
			want:   []types.GomegaMatcher{matchCondition("Fetched", no, "NotFound"), matchCondition("Ready", no, "NotFound"), matchCondition("Stalled", yes, "NotFound")},
			result: status.Result{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "stalled, serving: the summary condition stays True", kind: status.AppInfo, summary: serving, err: status.ForCondition("Rendered", stalled),
			have:   []metav1.Condition{previousCondition("Fetched", yes, "Fetched"), previousCondition("Ready", yes, "Ready")},
			want:   []types.GomegaMatcher{matchCondition("Fetched", yes, "Fetched"), matchCondition("Rendered", no, "RenderFailed"), matchCondition("Ready", yes, "ServingPrevious"), matchCondition("Stalled", yes, "RenderFailed")},
			result: status.Result{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "suspended: a long-lived object keeps its conditions, with a message", kind: status.AppInfo, err: suspended,
			have: []metav1.Condition{previousCondition("Ready", yes, "Ready"), previousCondition("Reconciling", yes, "Progressing")},
			want: []types.GomegaMatcher{And(matchCondition("Ready", yes, "Ready"), HaveField("Message", "broken; before"))}, result: status.Result{Done: true},
		},
		{
			why: "waiting: the summary condition has the interim message and its observed generation", kind: status.AppInstance, err: waiting,
			summary: status.Summary{Reason: v1alpha1.ReasonReady, Interim: "waiting, running as before"},
			have:    []metav1.Condition{previousCondition("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{matchCondition("Reconciling", yes, "WaitingForApp"),
				And(matchCondition("Ready", yes, "Ready"), HaveField("Message", "waiting, running as before"), HaveField("ObservedGeneration", int64(generation-1)))},
			result: status.Result{After: time.Minute},
		},
		{
			why: "waiting, and no longer ready", kind: status.AppInstance, err: status.ForCondition("Healthy", waiting),
			summary: status.Summary{Reason: v1alpha1.ReasonReady, Interim: "3 of 4 objects", Unready: true},
			have:    []metav1.Condition{previousCondition("Ready", yes, "Ready"), previousCondition("Healthy", yes, "Healthy")},
			want:    []types.GomegaMatcher{matchCondition("Reconciling", yes, "WaitingForApp"), And(matchCondition("Ready", unknown, "WaitingForApp"), HaveField("Message", "3 of 4 objects"))},
			result:  status.Result{After: time.Minute},
		},
		{
			why: "stalled: the summary condition has the interim message", kind: status.AppInstance, err: status.ForCondition("Applied", stalled),
			summary: status.Summary{Reason: v1alpha1.ReasonReady, Interim: "broken; 3 of 4 objects"},
			have:    []metav1.Condition{previousCondition("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{And(matchCondition("Applied", no, "RenderFailed"), HaveField("Message", "broken")), matchCondition("Stalled", yes, "RenderFailed"),
				And(matchCondition("Ready", no, "RenderFailed"), HaveField("Message", "broken; 3 of 4 objects"))},
			result: status.Result{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "suspended before the first reconcile", kind: status.MarketSource, err: suspended,
			want: []types.GomegaMatcher{matchCondition("Ready", unknown, "Suspended")}, result: status.Result{Done: true},
		},
		{
			why: "suspended: a task waits", kind: status.AppInstallTask, err: suspended,
			want: []types.GomegaMatcher{matchCondition("Succeeded", unknown, "Suspended"), matchCondition("Reconciling", yes, "Suspended")},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			if c.summary == (status.Summary{}) {
				c.summary = status.Summary{Reason: c.kind.Summary}
			}
			before := append([]metav1.Condition(nil), c.have...)
			got, result := status.Summarize(c.have, c.kind, generation, c.summary, c.err)
			g.Expect(got).To(ConsistOf(toAnySlice(c.want)...))
			g.Expect(c.have).To(Equal(before), "the argument is not changed")
			g.Expect(result.Done).To(Equal(c.result.Done))
			g.Expect(result.Terminal).To(Equal(c.result.Terminal))
			g.Expect(result.After).To(Equal(c.result.After))
			if c.result.Err == nil {
				g.Expect(result.Err).NotTo(HaveOccurred())
			} else {
				g.Expect(result.Err).To(MatchError(c.result.Err))
			}
			for _, condition := range got {
				if !strings.HasSuffix(condition.Message, "before") {
					g.Expect(condition.ObservedGeneration).To(BeEquivalentTo(generation), condition.Type)
				}
			}
		})
	}
}

func toAnySlice(all []types.GomegaMatcher) []any {
	var out []any
	for _, m := range all {
		out = append(out, m)
	}
	return out
}

func TestSummarizeIsIdempotent(t *testing.T) {
	for why, err := range map[string]error{
		"nil":     nil,
		"plain":   errBroken,
		"waiting": outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Second, errBroken),
		"stalled": status.ForCondition("Rendered", outcome.Stalled(v1alpha1.ReasonRenderFailed, errBroken)),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			once, _ := status.Summarize(nil, status.AppInfo, generation, status.Summary{Reason: "Ready"}, err)
			twice, _ := status.Summarize(once, status.AppInfo, generation, status.Summary{Reason: "Ready"}, err)
			g.Expect(twice).To(Equal(once))
		})
	}
}

func TestSummarizeTruncatesMessages(t *testing.T) {
	for _, c := range []struct {
		why     string
		message string
		cut     bool
	}{
		{"the maximum length", strings.Repeat("a", 1024), false},
		{"one byte more", strings.Repeat("a", 1025), true},
		{"multibyte characters, the maximum length", strings.Repeat("ä", 512), false},
		{"characters of two bytes", strings.Repeat("ä", 600), true},
		{"characters of three bytes", "a" + strings.Repeat("€", 600), true},
		{"characters of four bytes", "ab" + strings.Repeat("😀", 600), true},
		{"one megabyte", strings.Repeat("a", 1<<20), true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			conditions, _ := status.Summarize(nil, status.AppInfo, generation, status.Summary{}, errors.New(c.message))
			got := meta.FindStatusCondition(conditions, "Ready").Message
			if !c.cut {
				g.Expect(got).To(Equal(c.message))
				return
			}
			g.Expect(len(got)).To(And(BeNumerically("<=", 1024), BeNumerically(">", 1016)))
			g.Expect(utf8.ValidString(got)).To(BeTrue())
			g.Expect(got).To(HaveSuffix(" …"))
			g.Expect(c.message).To(HavePrefix(strings.TrimSuffix(got, " …")))
		})
	}
}

func TestForCondition(t *testing.T) {
	g := NewWithT(t)
	g.Expect(status.ForCondition("Fetched", nil)).To(Succeed(), "nil stays nil")
	g.Expect(status.ConditionOf(nil)).To(BeEmpty())
	g.Expect(status.ConditionOf(errBroken)).To(BeEmpty())
	err := fmt.Errorf("app web: %w", status.ForCondition("Fetched", errBroken))
	g.Expect(status.ConditionOf(err)).To(Equal("Fetched"))
	g.Expect(err).To(MatchError(errBroken))
	g.Expect(status.ForCondition("Fetched", errBroken).Error()).To(Equal(errBroken.Error()))
	inner := status.ForCondition("Fetched", outcome.Stalled(v1alpha1.ReasonNotFound, errBroken))
	g.Expect(outcome.IsStalled(inner)).To(BeTrue(), "the classification is kept")
}
