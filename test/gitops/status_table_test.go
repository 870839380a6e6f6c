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

// objectState is one combination of the fields that the readers use.
type objectState struct {
	kind string
	// summary and rootReason are the status and the reason of the summary condition, empty if it is
	// missing.
	summary, summaryReason string
	// reconciling and stalled are reasons, empty if the condition is missing.
	reconciling, stalled string
	// reconcilingOf is the observed generation of the Reconciling condition, and observed the
	// observed generation of the status.
	reconcilingOf, observed int64
	suspend, finished       bool
	removed, hook           bool
}

func (s objectState) isTask() bool { return s.kind == "AppInstallTask" }

// tableRow is one line of the table in docs/gitops.md. The first row that applies counts.
type tableRow struct {
	why     string
	applies func(objectState) bool
	argo    string
	kstatus kstatus.Status
	flux    kstatus.Status
}

// unspecified is the result of kstatus for a status that the operator never writes, because kstatus
// treats missing conditions as success.
const unspecified = kstatus.Status("")

const (
	inProgress  = kstatus.InProgressStatus
	terminating = kstatus.TerminatingStatus
)

// statusTable contains the results of Argo CD, kstatus and Flux for every state.
var statusTable = []tableRow{
	{"a hook that succeeded is deleted", func(s objectState) bool { return s.removed && s.finished && s.summary == "True" }, healthy, terminating, inProgress},
	{"a hook that failed is deleted", func(s objectState) bool { return s.removed && s.finished }, degraded, terminating, inProgress},
	{"a running hook is deleted", func(s objectState) bool { return s.removed && s.hook }, degraded, terminating, inProgress},
	{"the object is being deleted", func(s objectState) bool { return s.removed }, progressing, terminating, inProgress},
	{"the object waits for a person", func(s objectState) bool { return isSuspending(s.reconciling) && s.reconcilingOf == generation }, suspended, inProgress, inProgress},
	{"the spec is not observed yet", func(s objectState) bool { return s.observed != generation }, progressing, inProgress, inProgress},
	{"the object is stalled", func(s objectState) bool { return s.stalled != "" }, degraded, kstatus.FailedStatus, kstatus.FailedStatus},
	{"the object is being reconciled", func(s objectState) bool { return s.reconciling != "" }, progressing, inProgress, inProgress},
	{"the object is ready or succeeded", func(s objectState) bool { return s.summary == "True" }, healthy, kstatus.CurrentStatus, kstatus.CurrentStatus},
	{"the object is suspended before it was ready", func(s objectState) bool { return !s.isTask() && s.summaryReason == "Suspended" }, suspended, inProgress, inProgress},
	{"the object is suspended while it is not ready", func(s objectState) bool { return !s.isTask() && s.suspend && s.summary != "" }, suspended, inProgress, inProgress},
	{"the object is suspended without a summary condition", func(s objectState) bool { return !s.isTask() && s.suspend }, suspended, unspecified, inProgress},
	{"the object failed and is not stalled", func(s objectState) bool { return s.summary == "False" }, degraded, unspecified, kstatus.FailedStatus},
	{"the object has no conditions", func(objectState) bool { return true }, progressing, unspecified, inProgress},
}

func isSuspending(reason string) bool { return healthByReason[reason] == suspended }

// TestTable checks the table for every combination of the fields that the readers use.
func TestTable(t *testing.T) {
	g := NewWithT(t)
	r := newReaders(t)
	met := map[string]int{}
	for _, s := range allStates() {
		line := lineFor(s)
		met[line.why]++
		v := r.readStatuses(g, s.toObject())
		g.Expect(v.argo).To(Equal(line.argo), "%s: %+v", line.why, s)
		g.Expect(v.flux).To(Equal(line.flux), "%s: %+v", line.why, s)
		if line.kstatus != unspecified {
			g.Expect(v.kstatus).To(Equal(line.kstatus), "%s: %+v", line.why, s)
		}
	}
	for _, line := range statusTable {
		g.Expect(met).To(HaveKey(line.why), "every row applies to a state")
	}
}

func lineFor(s objectState) tableRow {
	for _, line := range statusTable {
		if line.applies(s) {
			return line
		}
	}
	return tableRow{}
}

// allStates returns all combinations that are possible for a kind.
func allStates() []objectState {
	var all []objectState
	for _, kind := range kinds {
		base := []objectState{{kind: kind, reconcilingOf: generation}}
		base = combineWith(base, summaryChanges(kind)...)
		base = combineWith(base, progressChanges()...)
		base = combineWith(base, generationChanges()...)
		base = combineWith(base, finishChanges(kind)...)
		base = combineWith(base, deletionChanges()...)
		all = append(all, base...)
	}
	return all
}

// combineWith returns the combination of each state with each change.
func combineWith(all []objectState, changes ...func(*objectState)) []objectState {
	var made []objectState
	for _, s := range all {
		for _, change := range changes {
			changed := s
			change(&changed)
			made = append(made, changed)
		}
	}
	return made
}

func summaryChanges(kind string) []func(*objectState) {
	reasons := map[string][]string{
		"True": {"Ready", "ServingPrevious", "Stopped", "Uninstalled"}, "False": {"FetchFailed"}, "Unknown": {"Progressing", "Suspended"}, "": {""},
	}
	if kind == "AppInstallTask" {
		reasons = map[string][]string{"True": {"Succeeded"}, "False": {"Canceled"}, "Unknown": {"Progressing", "Suspended"}, "": {""}}
	}
	var changes []func(*objectState)
	for status, all := range reasons {
		for _, reason := range all {
			changes = append(changes, func(s *objectState) { s.summary, s.summaryReason = status, reason })
		}
	}
	return changes
}

// progressChanges returns changes with some reasons that represent all others. It omits the combination of
// Reconciling and Stalled, which exclude each other.
func progressChanges() []func(*objectState) {
	changes := []func(*objectState){
		func(*objectState) {},
		func(s *objectState) { s.stalled = "RenderFailed" },
	}
	for _, reason := range []string{"Progressing", "ProgressingWithRetry", "WaitingForInput", "WaitingForWindow"} {
		changes = append(changes,
			func(s *objectState) { s.reconciling = reason },
			func(s *objectState) { s.reconciling, s.reconcilingOf = reason, generation-1 })
	}
	return changes
}

func generationChanges() []func(*objectState) {
	return []func(*objectState){
		func(s *objectState) { s.observed = -1 },
		func(s *objectState) { s.observed = generation - 1 },
		func(s *objectState) { s.observed = generation },
	}
}

// finishChanges returns changes that finish a task, or suspend an object. A task is finished if its
// conditions report a final result for the current generation.
func finishChanges(kind string) []func(*objectState) {
	switch kind {
	case "AppInstallTask":
		return []func(*objectState){
			func(s *objectState) {
				well, badly := s.summary == "True" && s.stalled == "", s.summary == "False" && s.stalled != ""
				s.finished = (well || badly) && s.reconciling == "" && s.observed == generation
			},
			func(s *objectState) { s.suspend = true },
		}
	case "AppInstance":
		return []func(*objectState){func(*objectState) {}}
	}
	return []func(*objectState){func(*objectState) {}, func(s *objectState) { s.suspend = true }}
}

func deletionChanges() []func(*objectState) {
	return []func(*objectState){
		func(*objectState) {},
		func(s *objectState) { s.removed = true },
		func(s *objectState) { s.removed, s.hook = true, true },
	}
}

// toObject returns an object in this state, in the form in which the API server returns it.
func (s objectState) toObject() *unstructured.Unstructured {
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
	if conditions := s.conditionList(); len(conditions) > 0 {
		status["conditions"] = conditions
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "appmarket.io/v1alpha1", "kind": s.kind, "metadata": metadata, "spec": spec, "status": status,
	}}
}

func (s objectState) conditionList() []any {
	root := "Ready"
	if s.isTask() {
		root = "Succeeded"
	}
	var all []any
	for _, c := range []struct {
		kind, status, reason string
		of                   int64
	}{
		{root, s.summary, s.summaryReason, s.observed},
		{"Reconciling", "True", s.reconciling, s.reconcilingOf},
		{"Stalled", "True", s.stalled, s.observed},
	} {
		if c.reason != "" {
			all = append(all, map[string]any{
				"type": c.kind, "status": c.status, "reason": c.reason, "message": "because of " + c.reason, "observedGeneration": c.of,
			})
		}
	}
	return all
}
