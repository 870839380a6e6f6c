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

// readers compute the status of objects as Argo CD and Flux do.
type readers struct {
	health map[string]string
	checks map[string]check
}

// check contains the CEL expressions for one kind.
type check struct{ inProgress, failed, current cel.Program }

// verdict is the status of an object in each of the three tools.
type verdict struct {
	argo    string
	kstatus kstatus.Status
	flux    kstatus.Status
}

func newReaders(t *testing.T) *readers {
	g := NewWithT(t)
	r := &readers{health: map[string]string{}, checks: map[string]check{}}
	for _, kind := range kinds {
		r.health[kind] = text(g, scripts(g, kind, "health.lua"))
	}
	for _, e := range expressions(g) {
		g.Expect(e.APIVersion).To(Equal("appmarket.io/v1alpha1"))
		g.Expect(r.checks).NotTo(HaveKey(e.Kind), "Flux takes the first of a kind")
		r.checks[e.Kind] = check{
			inProgress: program(g, e.InProgress), failed: program(g, e.Failed), current: program(g, e.Current),
		}
	}
	g.Expect(slices.Collect(maps.Keys(r.checks))).To(ConsistOf(kinds))
	return r
}

// expression is an entry of spec.healthCheckExprs of a Flux Kustomization.
type expression struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

func expressions(g Gomega) []expression {
	patch := object(g, file(g, "config", "flux", "health-checks.yaml"))
	found, _, err := unstructured.NestedSlice(patch.Object, "spec", "healthCheckExprs")
	g.Expect(err).NotTo(HaveOccurred())
	var all []expression
	for _, e := range found {
		fields := e.(map[string]any)
		all = append(all, expression{
			APIVersion: fields["apiVersion"].(string), Kind: fields["kind"].(string),
			InProgress: fields["inProgress"].(string), Failed: fields["failed"].(string), Current: fields["current"].(string),
		})
	}
	return all
}

// program compiles an expression in the environment of Flux: parsed and not type-checked, because
// an object may have any fields.
func program(g Gomega, expression string) cel.Program {
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

// argo runs the health check of the object's kind.
func (r *readers) argo(g Gomega, object *unstructured.Unstructured) Health {
	answer := luaMap(g, object, r.health[object.GetKind()])
	g.Expect(answer).To(HaveLen(2))
	h := Health{Status: answer["status"].(string), Message: answer["message"].(string)}
	g.Expect(h.Status).To(BeElementOf(healthy, progressing, suspended, degraded))
	g.Expect(h.Message).NotTo(BeEmpty())
	return h
}

// flux evaluates the expressions in the order of Flux. An object whose generation is not observed
// is in progress without evaluation, and so is an object that no expression matches.
func (r *readers) flux(g Gomega, object *unstructured.Unstructured) kstatus.Status {
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
		g.Expect(err).NotTo(HaveOccurred(), "an error keeps Flux waiting")
		g.Expect(answer).To(BeAssignableToTypeOf(types.True))
		if answer == types.True {
			return step.status
		}
	}
	return kstatus.InProgressStatus
}

func (r *readers) judge(g Gomega, object *unstructured.Unstructured) verdict {
	read, err := kstatus.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	return verdict{argo: r.argo(g, object).Status, kstatus: read.Status, flux: r.flux(g, object)}
}

// agree reports whether the three tools agree. Only Argo CD distinguishes Suspended from work in
// progress.
func (v verdict) agree() bool {
	switch v.argo {
	case healthy:
		return v.kstatus == kstatus.CurrentStatus && v.flux == kstatus.CurrentStatus
	case degraded:
		return v.kstatus == kstatus.FailedStatus && v.flux == kstatus.FailedStatus
	default:
		return v.kstatus == kstatus.InProgressStatus && v.flux == kstatus.InProgressStatus
	}
}
