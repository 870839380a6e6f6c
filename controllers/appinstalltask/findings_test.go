package appinstalltask

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// TestFindingsStayBounded shows that a status keeps a size that the API server and the
// watchers can bear, however much is wrong.
func TestFindingsStayBounded(t *testing.T) {
	for _, c := range []struct {
		why            string
		number, remedy int
		last           string
	}{
		{"a few", 3, 0, "problem 2"},
		{"as many as may be", 50, 0, "problem 49"},
		{"one more", 51, 0, "and 2 more problems, shown once these are solved"},
		{"thousands", 5000, 0, "and 4951 more problems, shown once these are solved"},
		{"a few with large remedies", 20, 15 << 10, "and 12 more problems, shown once these are solved"},
		{"one with the largest remedy", 1, 16 << 10, "problem 0"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			p := &findings{}
			for i := range c.number {
				p.report(preflight.Problem{Reason: v1alpha1.ReasonPermissionDenied, Message: fmt.Sprintf("problem %d", i), Remedy: strings.Repeat("r", c.remedy)})
			}
			listed := p.listed()
			g.Expect(listed[len(listed)-1].Message).To(Equal(c.last))
			g.Expect(len(listed)).To(BeNumerically("<=", 50))
			encoded, err := json.Marshal(listed)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(len(encoded)).To(BeNumerically("<=", 160<<10))
			g.Expect(len(p.verdict(&v1alpha1.AppInstallTask{}).Error())).To(BeNumerically("<=", maxMessage))
		})
	}
}

func TestVerdictCountsWhatItLeavesOut(t *testing.T) {
	g := NewWithT(t)
	p := &findings{}
	for range 10 {
		p.add(outcome.Stalled(v1alpha1.ReasonPermissionDenied, errors.New(strings.Repeat("x", 200))))
	}
	g.Expect(p.verdict(&v1alpha1.AppInstallTask{})).To(MatchError(HaveSuffix("xx; and 6 more")))
}

func TestVerdictSaysHowLongItWaitsOnlyWhereItDoes(t *testing.T) {
	missing := finding{
		err:   outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, errors.New("there is no source")),
		until: "the task waits for 30s",
	}
	for _, c := range []struct {
		why   string
		other error
		says  string
	}{
		{"nothing else", nil, "there is no source; the task waits for 30s"},
		{"something else that is waited for", outcome.Waiting(v1alpha1.ReasonWaitingForInput, 0, errors.New("give a name")),
			"there is no source; give a name; the task waits for 30s"},
		{"something that is final", outcome.Stalled(v1alpha1.ReasonTooLong, errors.New("the name is too long")),
			"there is no source; the name is too long"},
	} {
		t.Run(c.why, func(t *testing.T) {
			p := &findings{found: []finding{missing}}
			p.add(c.other)
			NewWithT(t).Expect(p.verdict(&v1alpha1.AppInstallTask{})).To(MatchError(c.says))
		})
	}
}

func TestRequiredInputsStayBounded(t *testing.T) {
	for _, c := range []struct {
		why                   string
		number, options, want int
	}{
		{"a few", 3, 0, 3},
		{"thousands", 5000, 0, 100},
		{"a few with many options", 20, 100, 2},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var wrong []hydrate.InputProblem
			for i := range c.number {
				in := hydrate.Input{Name: fmt.Sprintf("input%d", i), Required: true}
				for range c.options {
					in.Options = append(in.Options, hydrate.InputOption{Value: strings.Repeat("v", 500)})
				}
				wrong = append(wrong, hydrate.InputProblem{Input: in, Problem: "required"})
			}
			p, task := &findings{}, &v1alpha1.AppInstallTask{}
			p.ask(task, catalog.Inputs, wrong)
			g.Expect(task.Status.RequiredInputs).To(HaveLen(c.want))
			message := p.verdict(task).Error()
			if c.number > 10 {
				g.Expect(message).To(ContainSubstring(fmt.Sprintf("input9 and %d more", c.number-10)))
			}
			g.Expect(message).To(HaveSuffix("; see status.requiredInputs"))
		})
	}
}
