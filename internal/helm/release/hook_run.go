package release

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	helmtime "helm.sh/helm/v3/pkg/time"
)

// runKey identifies a run, as a label of a release and as an annotation of the hooks that the run
// has created. A run has one goal: a chart with values, or a rollback to a revision. It starts at
// one revision. If an operation is interrupted and continued, the run stays the same, although Helm
// creates a new revision, for which it would run all hooks again.
const runKey = "appmarket.io/run"

// hooks is the state of the hooks of a run.
type hooks struct {
	run string
	// resumed reports that the run was interrupted before.
	resumed bool
	// finished contains the hooks that the run completed before it was interrupted and that Helm
	// has not processed again since.
	finished map[string]bool
	// passed contains the hooks that were processed in this operation and have ended.
	passed map[string]bool
}

// restoreRun restores the state of an interrupted run: the hooks that started at or after the given
// time and succeeded.
func (h *hooks) restoreRun(revisions []*release.Release, since helmtime.Time) {
	h.resumed, h.finished = true, map[string]bool{}
	for _, revision := range revisions {
		for _, hook := range revision.Hooks {
			if hook.LastRun.Phase == release.HookPhaseSucceeded && !hook.LastRun.StartedAt.Before(since) {
				h.finished[hook.Kind+"/"+hook.Name] = true
			}
		}
	}
}

// resumeRun continues the interrupted run if it has the same goal, or starts a new run. It returns
// the labels of the new revision. request identifies the goal.
func (o *operation) resumeRun(request string, wanted map[string]string, history []*release.Release) map[string]string {
	o.cluster.hooks.run = runName(1, request)
	if len(history) > 0 {
		last := history[len(history)-1]
		run := last.Labels[runKey]
		if isInterrupted(last) && last.Info.Deleted.IsZero() && isRunOfRequest(run, request) {
			o.cluster.hooks.run = run
			o.cluster.hooks.restoreRun(revisionsOfRun(history, run), helmtime.Time{})
		} else {
			o.cluster.hooks.run = runName(last.Version+1, request)
		}
	}
	labels := maps.Clone(wanted)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[runKey] = o.cluster.hooks.run
	return labels
}

// runName returns the name of a run that starts at a revision.
func runName(revision int, request string) string { return strconv.Itoa(revision) + "." + request }

// isRunOfRequest reports whether a run has the goal that request identifies.
func isRunOfRequest(run, request string) bool { return strings.HasSuffix(run, "."+request) }

// revisionsOfRun returns the revisions that belong to a run.
func revisionsOfRun(history []*release.Release, run string) []*release.Release {
	var found []*release.Release
	for _, revision := range history {
		if revision.Labels[runKey] == run {
			found = append(found, revision)
		}
	}
	return found
}

// requestDigest returns a short digest of the files of a chart and its values.
func requestDigest(files string, values map[string]any) (string, error) {
	digest, err := ConfigDigest(values)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(files + digest))
	return hex.EncodeToString(sum[:8]), nil
}
