package gitops_test

import (
	"testing"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// generation is that of the objects in these tests.
const generation = 3

// hookFinalizer is what Argo CD holds a hook by.
const hookFinalizer = "argocd.argoproj.io/hook-finalizer"

// state is one combination of what the readers look at.
type state struct {
	kind string
	// root is status and reason of the root condition, empty where it is missing.
	root, rootReason string
	// reconciling and stalled are reasons, empty where the condition is missing.
	reconciling, stalled string
	// reconcilingOf is the generation that Reconciling speaks of, observed that of
	// the whole status.
	reconcilingOf, observed int64
	suspend, finished       bool
	removed, hook           bool
}

func (s state) ends() bool { return s.kind == "AppInstallTask" }

// row is one line of the table in docs/gitops.md. The first that applies counts.
type row struct {
	why     string
	applies func(state) bool
	argo    string
	kstatus kstatus.Status
	flux    kstatus.Status
}

// never stands for what kstatus says of a status that the operator does not leave
// behind: it takes silence for success.
const never = kstatus.Status("")

const (
	inProgress  = kstatus.InProgressStatus
	terminating = kstatus.TerminatingStatus
)

// table is what Argo CD shows, kstatus computes and Flux finds of every state.
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

// TestTable goes over every combination of what the readers look at.
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

// states are all combinations that make sense for a kind.
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

// with combines states with changes, each with each.
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
		"True": {"Ready", "ServingPrevious", "Stopped", "Removed"}, "False": {"FetchFailed"}, "Unknown": {"Progressing", "Suspended"}, "": {""},
	}
	if kind == "AppInstallTask" {
		reasons = map[string][]string{"True": {"Succeeded"}, "False": {"Cancelled"}, "Unknown": {"Progressing", "Suspended"}, "": {""}}
	}
	var changes []func(*state)
	for status, all := range reasons {
		for _, reason := range all {
			changes = append(changes, func(s *state) { s.root, s.rootReason = status, reason })
		}
	}
	return changes
}

// progress takes a few reasons for all of them; it leaves out both Reconciling and
// Stalled, which are never there together.
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

// ends says of a task whether it is finished, and of others whether they are
// suspended. A task is finished that speaks of its end.
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

// object is one in this state, as the API server would give it.
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
