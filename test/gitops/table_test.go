package gitops_test

import (
	"testing"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// generation is the generation of the objects in these tests.
const generation = 3

// hookFinalizer is the finalizer that Argo CD sets on a hook.
const hookFinalizer = "argocd.argoproj.io/hook-finalizer"

// state is one combination of the fields that the readers use.
type state struct {
	kind string
	// root and rootReason are the status and the reason of the summary condition, empty if it is
	// missing.
	root, rootReason string
	// reconciling and stalled are reasons, empty if the condition is missing.
	reconciling, stalled string
	// reconcilingOf is the observed generation of the Reconciling condition, and observed the
	// observed generation of the status.
	reconcilingOf, observed int64
	suspend, finished       bool
	removed, hook           bool
}

func (s state) ends() bool { return s.kind == "AppInstallTask" }

// row is one line of the table in docs/gitops.md. The first row that applies counts.
type row struct {
	why     string
	applies func(state) bool
	argo    string
	kstatus kstatus.Status
	flux    kstatus.Status
}

// never is the result of kstatus for a status that the operator does not leave behind, because
// kstatus takes missing conditions for success.
const never = kstatus.Status("")

const (
	inProgress  = kstatus.InProgressStatus
	terminating = kstatus.TerminatingStatus
)

// table contains the results of Argo CD, kstatus and Flux for every state.
var table = []row{
	{"a hook that ended well is deleted", func(s state) bool { return s.removed && s.finished && s.root == "True" }, healthy, terminating, inProgress},
	{"a hook that failed is deleted", func(s state) bool { return s.removed && s.finished }, degraded, terminating, inProgress},
	{"a hook is deleted at work", func(s state) bool { return s.removed && s.hook }, degraded, terminating, inProgress},
	{"it is being removed", func(s state) bool { return s.removed }, progressing, terminating, inProgress},
	{"a person holds it up", func(s state) bool { return held(s.reconciling) && s.reconcilingOf == generation }, suspended, inProgress, inProgress},
	{"the spec is not dealt with yet", func(s state) bool { return s.observed != generation }, progressing, inProgress, inProgress},
	{"it failed for good", func(s state) bool { return s.stalled != "" }, degraded, kstatus.FailedStatus, kstatus.FailedStatus},
	{"work goes on", func(s state) bool { return s.reconciling != "" }, progressing, inProgress, inProgress},
	{"it is served, runs or succeeded", func(s state) bool { return s.root == "True" }, healthy, kstatus.CurrentStatus, kstatus.CurrentStatus},
	{"it lives, is suspended and was never ready", func(s state) bool { return !s.ends() && s.rootReason == "Suspended" }, suspended, inProgress, inProgress},
	{"it is suspended and was not ready", func(s state) bool { return !s.ends() && s.suspend && s.root != "" }, suspended, inProgress, inProgress},
	{"it is suspended and nothing is known", func(s state) bool { return !s.ends() && s.suspend }, suspended, never, inProgress},
	{"it failed, and nobody says for good", func(s state) bool { return s.root == "False" }, degraded, never, kstatus.FailedStatus},
	{"nothing is known", func(state) bool { return true }, progressing, never, inProgress},
}

func held(reason string) bool { return whileItLasts[reason] == suspended }

// TestTable checks the table for every combination of the fields that the readers use.
func TestTable(t *testing.T) {
	g := NewWithT(t)
	r := newReaders(t)
	met := map[string]int{}
	for _, s := range states() {
		line := lineFor(s)
		met[line.why]++
		v := r.judge(g, s.object())
		g.Expect(v.argo).To(Equal(line.argo), "%s: %+v", line.why, s)
		g.Expect(v.flux).To(Equal(line.flux), "%s: %+v", line.why, s)
		if line.kstatus != never {
			g.Expect(v.kstatus).To(Equal(line.kstatus), "%s: %+v", line.why, s)
		}
	}
	for _, line := range table {
		g.Expect(met).To(HaveKey(line.why), "a line that no state meets")
	}
}

func lineFor(s state) row {
	for _, line := range table {
		if line.applies(s) {
			return line
		}
	}
	return row{}
}

// states returns all combinations that are possible for a kind.
func states() []state {
	var all []state
	for _, kind := range kinds {
		base := []state{{kind: kind, reconcilingOf: generation}}
		base = with(base, roots(kind)...)
		base = with(base, progress()...)
		base = with(base, observations()...)
		base = with(base, ends(kind)...)
		base = with(base, removals()...)
		all = append(all, base...)
	}
	return all
}

// with returns the combination of each state with each change.
func with(all []state, changes ...func(*state)) []state {
	var made []state
	for _, s := range all {
		for _, change := range changes {
			changed := s
			change(&changed)
			made = append(made, changed)
		}
	}
	return made
}

func roots(kind string) []func(*state) {
	reasons := map[string][]string{
		"True": {"Ready", "ServingPrevious", "Stopped", "Uninstalled"}, "False": {"FetchFailed"}, "Unknown": {"Progressing", "Suspended"}, "": {""},
	}
	if kind == "AppInstallTask" {
		reasons = map[string][]string{"True": {"Succeeded"}, "False": {"Canceled"}, "Unknown": {"Progressing", "Suspended"}, "": {""}}
	}
	var changes []func(*state)
	for status, all := range reasons {
		for _, reason := range all {
			changes = append(changes, func(s *state) { s.root, s.rootReason = status, reason })
		}
	}
	return changes
}

// progress returns changes with some reasons that represent all others. It omits the combination of
// Reconciling and Stalled, which exclude each other.
func progress() []func(*state) {
	changes := []func(*state){
		func(*state) {},
		func(s *state) { s.stalled = "RenderFailed" },
	}
	for _, reason := range []string{"Progressing", "ProgressingWithRetry", "WaitingForInput", "WaitingForWindow"} {
		changes = append(changes,
			func(s *state) { s.reconciling = reason },
			func(s *state) { s.reconciling, s.reconcilingOf = reason, generation-1 })
	}
	return changes
}

func observations() []func(*state) {
	return []func(*state){
		func(s *state) { s.observed = -1 },
		func(s *state) { s.observed = generation - 1 },
		func(s *state) { s.observed = generation },
	}
}

// ends returns changes that finish a task, or suspend an object. A task is finished if its
// conditions report a final result for the current generation.
func ends(kind string) []func(*state) {
	switch kind {
	case "AppInstallTask":
		return []func(*state){
			func(s *state) {
				well, badly := s.root == "True" && s.stalled == "", s.root == "False" && s.stalled != ""
				s.finished = (well || badly) && s.reconciling == "" && s.observed == generation
			},
			func(s *state) { s.suspend = true },
		}
	case "AppInstance":
		return []func(*state){func(*state) {}}
	}
	return []func(*state){func(*state) {}, func(s *state) { s.suspend = true }}
}

func removals() []func(*state) {
	return []func(*state){
		func(*state) {},
		func(s *state) { s.removed = true },
		func(s *state) { s.removed, s.hook = true, true },
	}
}

// object returns an object in this state, in the form in which the API server returns it.
func (s state) object() *unstructured.Unstructured {
	metadata := map[string]any{"name": "one", "namespace": "demo", "generation": int64(generation)}
	if s.removed {
		metadata["deletionTimestamp"] = "2026-03-02T10:00:00Z"
		metadata["finalizers"] = []any{"appmarket.io/finalizer"}
	}
	if s.hook {
		metadata["finalizers"] = []any{hookFinalizer}
	}
	spec, status := map[string]any{}, map[string]any{"observedGeneration": s.observed}
	if s.suspend {
		spec["suspend"] = true
	}
	if s.finished {
		status["completionTime"] = "2026-03-02T09:15:00Z"
	}
	if conditions := s.conditions(); len(conditions) > 0 {
		status["conditions"] = conditions
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "appmarket.io/v1alpha1", "kind": s.kind, "metadata": metadata, "spec": spec, "status": status,
	}}
}

func (s state) conditions() []any {
	root := "Ready"
	if s.ends() {
		root = "Succeeded"
	}
	var all []any
	for _, c := range []struct {
		kind, status, reason string
		of                   int64
	}{
		{root, s.root, s.rootReason, s.observed},
		{"Reconciling", "True", s.reconciling, s.reconcilingOf},
		{"Stalled", "True", s.stalled, s.observed},
	} {
		if c.reason != "" {
			all = append(all, map[string]any{
				"type": c.kind, "status": c.status, "reason": c.reason, "message": c.reason + " it is", "observedGeneration": c.of,
			})
		}
	}
	return all
}
