package hydrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// journal records the calls of steps. It provides the steps of a pipeline and its observer.
type journal struct {
	lines []string
	// fails contains the errors that a step returns, one for each call.
	fails map[hydrate.Name][]error
	// then is called after each step.
	then func()
}

func (j *journal) StepDone(_ *hydrate.Draft, step hydrate.Name, took time.Duration, err error) {
	if took < 0 {
		err = fmt.Errorf("took %s", took)
	}
	j.lines = append(j.lines, fmt.Sprintf("%s done: %v", step, err))
}

type stage struct {
	name    hydrate.Name
	journal *journal
}

func (s stage) Name() hydrate.Name { return s.name }

func (s stage) Apply(context.Context, *hydrate.Draft) error {
	s.journal.lines = append(s.journal.lines, string(s.name))
	if s.journal.then != nil {
		s.journal.then()
	}
	if left := s.journal.fails[s.name]; len(left) > 0 {
		s.journal.fails[s.name] = left[1:]
		return left[0]
	}
	return nil
}

func (j *journal) newPipeline() hydrate.Pipeline {
	return hydrate.Pipeline{
		Steps:    []hydrate.Step{stage{"One", j}, stage{"Two", j}, stage{"Three", j}},
		Observer: j,
	}
}

var errStep = errors.New("broken")

func TestPipelineRunsItsStepsOnce(t *testing.T) {
	g := NewWithT(t)
	j := &journal{}
	d := &hydrate.Draft{}
	g.Expect(j.newPipeline().Run(t.Context(), d)).To(Succeed())
	g.Expect(j.lines).To(Equal([]string{"One", "One done: <nil>", "Two", "Two done: <nil>", "Three", "Three done: <nil>"}))
	g.Expect(j.newPipeline().Run(t.Context(), d)).To(Succeed())
	g.Expect(j.lines).To(HaveLen(6), "what is done is done")
}

func TestPipelineGoesOnWhereItFailed(t *testing.T) {
	g := NewWithT(t)
	j := &journal{fails: map[hydrate.Name][]error{"Two": {errStep, outcome.Stalled(v1alpha1.ReasonRenderFailed, errStep)}}}
	d := &hydrate.Draft{}
	for range 2 {
		err := j.newPipeline().Run(t.Context(), d)
		g.Expect(err).To(MatchError(errStep))
		g.Expect(err).To(MatchError("Two: broken"))
		g.Expect(hydrate.FailedStep(err, "none")).To(Equal(hydrate.Name("Two")))
		var step *hydrate.StepError
		g.Expect(errors.As(err, &step)).To(BeTrue())
	}
	g.Expect(j.newPipeline().Run(t.Context(), d)).To(Succeed())
	g.Expect(j.lines).To(Equal([]string{
		"One", "One done: <nil>",
		"Two", "Two done: broken", "Two", "Two done: broken", "Two", "Two done: <nil>",
		"Three", "Three done: <nil>",
	}))
}

func TestPipelineKeepsTheMeaning(t *testing.T) {
	g := NewWithT(t)
	j := &journal{fails: map[hydrate.Name][]error{"One": {outcome.Stalled(v1alpha1.ReasonNotFound, errStep)}}}
	err := j.newPipeline().Run(t.Context(), &hydrate.Draft{})
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonNotFound))
}

func TestPipelineStopsBetweenSteps(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	j := &journal{then: cancel}
	d := &hydrate.Draft{}
	err := j.newPipeline().Run(ctx, d)
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(hydrate.FailedStep(err, "none")).To(Equal(hydrate.Name("Two")))
	g.Expect(j.lines).To(Equal([]string{"One", "One done: <nil>"}))
	g.Expect(j.newPipeline().Run(t.Context(), d)).To(Succeed(), "and goes on another time")
}

func TestPipelineWithoutAnObserver(t *testing.T) {
	j := &journal{}
	p := j.newPipeline()
	p.Observer = nil
	NewWithT(t).Expect(p.Run(t.Context(), &hydrate.Draft{})).To(Succeed())
}

func TestFailedStepOfAnotherError(t *testing.T) {
	g := NewWithT(t)
	g.Expect(hydrate.FailedStep(errStep, hydrate.StepSourceChart)).To(Equal(hydrate.StepSourceChart))
	g.Expect(hydrate.FailedStep(fmt.Errorf("app web: %w", &hydrate.StepError{Step: "Two", Err: errStep}), "none")).To(Equal(hydrate.Name("Two")))
}

// TestPipelineOfTheFiveSteps shows that a draft continues with the step that failed.
func TestPipelineOfTheFiveSteps(t *testing.T) {
	g := NewWithT(t)
	files := newWebChart(map[string]string{"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: {{ .Values.image | quote }}}]}\n"})
	d := &hydrate.Draft{Request: newRequest(files)}
	d.Request.Source = delivery{err: errStep}
	d.Request.Params = map[string]any{"image": "registry.example.com/web:2"}
	handed := &publisher{err: errStep}
	p := hydrate.Pipeline{Steps: []hydrate.Step{
		hydrate.SourceChart{}, rendering, customizing, hydrate.ImageAnalysis{Inspector: newRegistries(t, "web:1")}, hydrate.RepoUpdate{Publisher: handed},
	}}
	fails := func(step hydrate.Name) {
		err := p.Run(t.Context(), d)
		g.Expect(err).To(HaveOccurred())
		g.Expect(hydrate.FailedStep(err, "none")).To(Equal(step), "%v", err)
	}
	fails(hydrate.StepSourceChart)
	d.Request.Source = delivery{payload: hydrate.ChartContent{Files: files}}
	fails(hydrate.StepImageAnalysis)
	p.Steps[3] = hydrate.ImageAnalysis{Inspector: newRegistries(t, "web:2")}
	d.Request.Source = delivery{err: errors.New("fetched again")}
	fails(hydrate.StepRepoUpdate)
	handed.err = nil
	g.Expect(p.Run(t.Context(), d)).To(Succeed())
	g.Expect(d.Published.Digest).To(Equal(chart.Digest(handed.got.Archive)))
}
