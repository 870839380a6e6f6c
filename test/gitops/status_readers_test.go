package gitops_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Health is the health that Argo CD shows.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// Values of the health status in Argo CD.
const (
	healthy     = "Healthy"
	progressing = "Progressing"
	suspended   = "Suspended"
	degraded    = "Degraded"
)

// statusReaders compute the status of objects as Argo CD and Flux do.
type statusReaders struct {
	health map[string]string
	checks map[string]healthCheck
}

// healthCheck contains the CEL expressions for one kind.
type healthCheck struct{ inProgress, failed, current cel.Program }

// toolStatuses is the status of an object in each of the three tools.
type toolStatuses struct {
	argo    string
	kstatus kstatus.Status
	flux    kstatus.Status
}

func newReaders(t *testing.T) *statusReaders {
	g := NewWithT(t)
	r := &statusReaders{health: map[string]string{}, checks: map[string]healthCheck{}}
	for _, kind := range kinds {
		r.health[kind] = readText(g, scriptPath(g, kind, "health.lua"))
	}
	for _, e := range readExpressions(g) {
		g.Expect(e.APIVersion).To(Equal("appmarket.io/v1alpha1"))
		g.Expect(r.checks).NotTo(HaveKey(e.Kind), "Flux uses the first check of a kind")
		r.checks[e.Kind] = healthCheck{
			inProgress: compileExpression(g, e.InProgress), failed: compileExpression(g, e.Failed), current: compileExpression(g, e.Current),
		}
	}
	g.Expect(slices.Collect(maps.Keys(r.checks))).To(ConsistOf(kinds))
	return r
}

// healthExpression is an entry of spec.healthCheckExprs of a Flux Kustomization.
type healthExpression struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

func readExpressions(g Gomega) []healthExpression {
	patch := readObject(g, modulePath(g, "config", "flux", "health-checks.yaml"))
	found, _, err := unstructured.NestedSlice(patch.Object, "spec", "healthCheckExprs")
	g.Expect(err).NotTo(HaveOccurred())
	var all []healthExpression
	for _, e := range found {
		fields := e.(map[string]any)
		all = append(all, healthExpression{
			APIVersion: fields["apiVersion"].(string), Kind: fields["kind"].(string),
			InProgress: fields["inProgress"].(string), Failed: fields["failed"].(string), Current: fields["current"].(string),
		})
	}
	return all
}

// compileExpression compiles an expression in the environment of Flux: parsed and not type-checked, because
// an object may have any fields.
func compileExpression(g Gomega, expression string) cel.Program {
	environment, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	g.Expect(err).NotTo(HaveOccurred())
	parsed, issues := environment.Parse(expression)
	g.Expect(issues.Err()).NotTo(HaveOccurred(), expression)
	compiled, err := environment.Program(parsed)
	g.Expect(err).NotTo(HaveOccurred(), expression)
	return compiled
}

// argoHealth runs the health check of the object's kind.
func (r *statusReaders) argoHealth(g Gomega, object *unstructured.Unstructured) Health {
	answer := luaMap(g, object, r.health[object.GetKind()])
	g.Expect(answer).To(HaveLen(2))
	h := Health{Status: answer["status"].(string), Message: answer["message"].(string)}
	g.Expect(h.Status).To(BeElementOf(healthy, progressing, suspended, degraded))
	g.Expect(h.Message).NotTo(BeEmpty())
	return h
}

// fluxStatus evaluates the expressions in the order of Flux. An object whose generation is not observed
// is in progress without evaluation, and so is an object that no expression matches.
func (r *statusReaders) fluxStatus(g Gomega, object *unstructured.Unstructured) kstatus.Status {
	observed, known, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	g.Expect(err).NotTo(HaveOccurred())
	if known && observed != object.GetGeneration() {
		return kstatus.InProgressStatus
	}
	c := r.checks[object.GetKind()]
	for _, step := range []struct {
		program cel.Program
		status  kstatus.Status
	}{
		{c.inProgress, kstatus.InProgressStatus}, {c.failed, kstatus.FailedStatus}, {c.current, kstatus.CurrentStatus},
	} {
		answer, _, err := step.program.ContextEval(context.Background(), object.Object)
		g.Expect(err).NotTo(HaveOccurred(), "Flux waits after an error")
		g.Expect(answer).To(BeAssignableToTypeOf(types.True))
		if answer == types.True {
			return step.status
		}
	}
	return kstatus.InProgressStatus
}

func (r *statusReaders) readStatuses(g Gomega, object *unstructured.Unstructured) toolStatuses {
	read, err := kstatus.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	return toolStatuses{argo: r.argoHealth(g, object).Status, kstatus: read.Status, flux: r.fluxStatus(g, object)}
}

// doAgree reports whether the three tools agree. Only Argo CD distinguishes Suspended from work in
// progress.
func (v toolStatuses) doAgree() bool {
	switch v.argo {
	case healthy:
		return v.kstatus == kstatus.CurrentStatus && v.flux == kstatus.CurrentStatus
	case degraded:
		return v.kstatus == kstatus.FailedStatus && v.flux == kstatus.FailedStatus
	default:
		return v.kstatus == kstatus.InProgressStatus && v.flux == kstatus.InProgressStatus
	}
}
