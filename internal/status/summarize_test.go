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

// errBroken is a failure with no meaning of its own.
var errBroken = errors.New("broken")

// generation is that of the object in these tests.
const generation = 5

// had is a condition of the generation before.
func had(kind string, state metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: state, Reason: reason, Message: "before", ObservedGeneration: generation - 1,
		LastTransitionTime: metav1.NewTime(time.Unix(1, 0)),
	}
}

// says matches a condition by its type, status and reason.
func says(kind string, state metav1.ConditionStatus, reason string) types.GomegaMatcher {
	return And(HaveField("Type", kind), HaveField("Status", state), HaveField("Reason", reason))
}

func TestConclude(t *testing.T) {
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	serving := status.Root{Reason: v1alpha1.ReasonReady, Message: "serving 1.0.0", Serving: true}
	stalled := outcome.Stalled(v1alpha1.ReasonRenderFailed, errBroken)
	waiting := outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Minute, errBroken)
	suspended := outcome.Waiting(v1alpha1.ReasonSuspended, 0, errBroken)
	for _, c := range []struct {
		why  string
		kind status.Kind
		root status.Root
		have []metav1.Condition
		err  error
		want []types.GomegaMatcher
		says status.Verdict
	}{
		{
			why: "nil: the root is True", kind: status.AppInfo,
			want: []types.GomegaMatcher{says("Ready", yes, "Ready")}, says: status.Verdict{Done: true},
		},
		{
			why: "nil: Reconciling and Stalled go", kind: status.AppInfo,
			have: []metav1.Condition{had("Ready", no, "FetchFailed"), had("Reconciling", yes, "Progressing"), had("Stalled", yes, "NotFound")},
			want: []types.GomegaMatcher{says("Ready", yes, "Ready")}, says: status.Verdict{Done: true},
		},
		{
			why: "nil: milestones stay", kind: status.AppInfo,
			have: []metav1.Condition{had("Fetched", yes, "Fetched")},
			want: []types.GomegaMatcher{says("Fetched", yes, "Fetched"), says("Ready", yes, "Ready")}, says: status.Verdict{Done: true},
		},
		{
			why: "plain: tried again", kind: status.AppInfo, err: outcome.Failed(v1alpha1.ReasonFetchFailed, errBroken),
			have: []metav1.Condition{had("Ready", yes, "Ready"), had("Stalled", yes, "NotFound")},
			want: []types.GomegaMatcher{says("Ready", no, "FetchFailed"), says("Reconciling", yes, "ProgressingWithRetry")},
			says: status.Verdict{Err: errBroken},
		},
		{
			why: "plain: its milestone fails, and those behind go", kind: status.AppInfo,
			err:  status.At("Rendered", outcome.Failed(v1alpha1.ReasonLimitExceeded, errBroken)),
			have: []metav1.Condition{had("Fetched", yes, "Fetched"), had("Rendered", yes, "Rendered"), had("Customized", yes, "Customized"), had("Published", yes, "Published")},
			want: []types.GomegaMatcher{says("Fetched", yes, "Fetched"), says("Rendered", no, "LimitExceeded"), says("Ready", no, "LimitExceeded"), says("Reconciling", yes, "ProgressingWithRetry")},
			says: status.Verdict{Err: errBroken},
		},
		{
			why: "plain, serving: the root stays True", kind: status.AppInfo, root: serving, err: errBroken,
			have: []metav1.Condition{had("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{And(says("Ready", yes, "ServingPrevious"), HaveField("Message", "serving 1.0.0")), says("Reconciling", yes, "ProgressingWithRetry")},
			says: status.Verdict{Err: errBroken},
		},
		{
			why: "waiting: nothing is known of the root yet", kind: status.AppInfo, err: waiting,
			want: []types.GomegaMatcher{says("Reconciling", yes, "WaitingForApp"), says("Ready", unknown, "WaitingForApp")},
			says: status.Verdict{After: time.Minute},
		},
		{
			why: "waiting: what is served stays served", kind: status.MarketSource, err: waiting,
			have: []metav1.Condition{had("Ready", yes, "Ready"), had("Stalled", yes, "NotFound")},
			want: []types.GomegaMatcher{says("Ready", yes, "Ready"), says("Reconciling", yes, "WaitingForApp")},
			says: status.Verdict{After: time.Minute},
		},
		{
			why: "waiting: an old failure is no more", kind: status.AppInstallTask, err: waiting,
			have: []metav1.Condition{had("Succeeded", no, "NotShared")},
			want: []types.GomegaMatcher{says("Succeeded", unknown, "WaitingForApp"), says("Reconciling", yes, "WaitingForApp")},
			says: status.Verdict{After: time.Minute},
		},
		{
			why: "waiting at a milestone: it and those behind are not reached", kind: status.AppInstance, err: status.At("Healthy", waiting),
			have: []metav1.Condition{had("Resolved", yes, "Resolved"), had("Applied", yes, "Applied"), had("Healthy", no, "NotHealthy"), had("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{says("Resolved", yes, "Resolved"), says("Applied", yes, "Applied"), says("Ready", yes, "Ready"), says("Reconciling", yes, "WaitingForApp")},
			says: status.Verdict{After: time.Minute},
		},
		{
			why: "waiting without a reason", kind: status.AppInfo, err: outcome.Waiting("", 0, errBroken),
			want: []types.GomegaMatcher{says("Ready", unknown, "Progressing"), says("Reconciling", yes, "Progressing")},
		},
		{
			why: "stalled: nothing goes on", kind: status.AppInfo, err: stalled,
			have: []metav1.Condition{had("Ready", unknown, "Progressing"), had("Reconciling", yes, "Progressing")},
			want: []types.GomegaMatcher{says("Ready", no, "RenderFailed"), says("Stalled", yes, "RenderFailed")},
			says: status.Verdict{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "stalled at the first milestone", kind: status.AppInfo, err: fmt.Errorf("app web: %w", status.At("Fetched", outcome.Stalled(v1alpha1.ReasonNotFound, errBroken))),
			have: []metav1.Condition{had("Fetched", yes, "Fetched"), had("Rendered", yes, "Rendered"), had("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{says("Fetched", no, "NotFound"), says("Ready", no, "NotFound"), says("Stalled", yes, "NotFound")},
			says: status.Verdict{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "stalled, serving: the root stays True", kind: status.AppInfo, root: serving, err: status.At("Rendered", stalled),
			have: []metav1.Condition{had("Fetched", yes, "Fetched"), had("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{says("Fetched", yes, "Fetched"), says("Rendered", no, "RenderFailed"), says("Ready", yes, "ServingPrevious"), says("Stalled", yes, "RenderFailed")},
			says: status.Verdict{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "suspended: what lives stays as it is, and says so", kind: status.AppInfo, err: suspended,
			have: []metav1.Condition{had("Ready", yes, "Ready"), had("Reconciling", yes, "Progressing")},
			want: []types.GomegaMatcher{And(says("Ready", yes, "Ready"), HaveField("Message", "broken; before"))}, says: status.Verdict{Done: true},
		},
		{
			why: "waiting: the root says what holds now, of the generation that it spoke of", kind: status.AppInstance, err: waiting,
			root: status.Root{Reason: v1alpha1.ReasonReady, Now: "waiting, running as before"},
			have: []metav1.Condition{had("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{says("Reconciling", yes, "WaitingForApp"),
				And(says("Ready", yes, "Ready"), HaveField("Message", "waiting, running as before"), HaveField("ObservedGeneration", int64(generation-1)))},
			says: status.Verdict{After: time.Minute},
		},
		{
			why: "waiting, and not ready any more", kind: status.AppInstance, err: status.At("Healthy", waiting),
			root: status.Root{Reason: v1alpha1.ReasonReady, Now: "3 of 4 objects", Unready: true},
			have: []metav1.Condition{had("Ready", yes, "Ready"), had("Healthy", yes, "Healthy")},
			want: []types.GomegaMatcher{says("Reconciling", yes, "WaitingForApp"), And(says("Ready", unknown, "WaitingForApp"), HaveField("Message", "3 of 4 objects"))},
			says: status.Verdict{After: time.Minute},
		},
		{
			why: "stalled: the root says what holds now", kind: status.AppInstance, err: status.At("Applied", stalled),
			root: status.Root{Reason: v1alpha1.ReasonReady, Now: "broken; 3 of 4 objects"},
			have: []metav1.Condition{had("Ready", yes, "Ready")},
			want: []types.GomegaMatcher{And(says("Applied", no, "RenderFailed"), HaveField("Message", "broken")), says("Stalled", yes, "RenderFailed"),
				And(says("Ready", no, "RenderFailed"), HaveField("Message", "broken; 3 of 4 objects"))},
			says: status.Verdict{Done: true, Err: errBroken, Terminal: true},
		},
		{
			why: "suspended from the beginning", kind: status.MarketSource, err: suspended,
			want: []types.GomegaMatcher{says("Ready", unknown, "Suspended")}, says: status.Verdict{Done: true},
		},
		{
			why: "suspended: a task waits", kind: status.AppInstallTask, err: suspended,
			want: []types.GomegaMatcher{says("Succeeded", unknown, "Suspended"), says("Reconciling", yes, "Suspended")},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			if c.root == (status.Root{}) {
				c.root = status.Root{Reason: c.kind.Root}
			}
			before := append([]metav1.Condition(nil), c.have...)
			got, verdict := status.Conclude(c.have, c.kind, generation, c.root, c.err)
			g.Expect(got).To(ConsistOf(matchers(c.want)...))
			g.Expect(c.have).To(Equal(before), "what is given is not changed")
			g.Expect(verdict.Done).To(Equal(c.says.Done))
			g.Expect(verdict.Terminal).To(Equal(c.says.Terminal))
			g.Expect(verdict.After).To(Equal(c.says.After))
			if c.says.Err == nil {
				g.Expect(verdict.Err).NotTo(HaveOccurred())
			} else {
				g.Expect(verdict.Err).To(MatchError(c.says.Err))
			}
			for _, condition := range got {
				if !strings.HasSuffix(condition.Message, "before") {
					g.Expect(condition.ObservedGeneration).To(BeEquivalentTo(generation), condition.Type)
				}
			}
		})
	}
}

func matchers(all []types.GomegaMatcher) []any {
	var out []any
	for _, m := range all {
		out = append(out, m)
	}
	return out
}

func TestConcludeIsSteady(t *testing.T) {
	for why, err := range map[string]error{
		"well":    nil,
		"plain":   errBroken,
		"waiting": outcome.Waiting(v1alpha1.ReasonWaitingForApp, time.Second, errBroken),
		"stalled": status.At("Rendered", outcome.Stalled(v1alpha1.ReasonRenderFailed, errBroken)),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			once, _ := status.Conclude(nil, status.AppInfo, generation, status.Root{Reason: "Ready"}, err)
			twice, _ := status.Conclude(once, status.AppInfo, generation, status.Root{Reason: "Ready"}, err)
			g.Expect(twice).To(Equal(once))
		})
	}
}

func TestConcludeCutsMessages(t *testing.T) {
	for _, c := range []struct {
		why     string
		message string
		cut     bool
	}{
		{"as long as may be", strings.Repeat("a", 1024), false},
		{"one byte more", strings.Repeat("a", 1025), true},
		{"letters of several bytes, as long as may be", strings.Repeat("ä", 512), false},
		{"letters of two bytes", strings.Repeat("ä", 600), true},
		{"letters of three bytes", "a" + strings.Repeat("€", 600), true},
		{"letters of four bytes", "ab" + strings.Repeat("😀", 600), true},
		{"much more", strings.Repeat("a", 1<<20), true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			conditions, _ := status.Conclude(nil, status.AppInfo, generation, status.Root{}, errors.New(c.message))
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

func TestMilestone(t *testing.T) {
	g := NewWithT(t)
	g.Expect(status.At("Fetched", nil)).To(Succeed(), "no error stays none")
	g.Expect(status.Milestone(nil)).To(BeEmpty())
	g.Expect(status.Milestone(errBroken)).To(BeEmpty())
	err := fmt.Errorf("app web: %w", status.At("Fetched", errBroken))
	g.Expect(status.Milestone(err)).To(Equal("Fetched"))
	g.Expect(err).To(MatchError(errBroken))
	g.Expect(status.At("Fetched", errBroken).Error()).To(Equal(errBroken.Error()))
	inner := status.At("Fetched", outcome.Stalled(v1alpha1.ReasonNotFound, errBroken))
	g.Expect(outcome.IsStalled(inner)).To(BeTrue(), "the meaning is seen through it")
}
