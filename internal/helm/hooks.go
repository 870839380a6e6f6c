package helm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	helmtime "helm.sh/helm/v3/pkg/time"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
)

// runMark names a run, on a release as a label and on the hooks that it created
// as an annotation. A run is one wish: this chart with these values, or back to
// this revision, begun at that one. When it is cut off and taken up again, it is the
// same run, and Helm makes a new revision for it that would carry out all hooks
// again.
const runMark = "appmarket.io/run"

// hooks is what is known of the hooks of a run.
type hooks struct {
	run string
	// resumed says that the run was cut off before.
	resumed bool
	// finished are the hooks that the run finished before it was cut off and that
	// have not come up again since.
	finished map[string]bool
	// passed are the hooks that came up in this operation and were waited for.
	passed map[string]bool
}

// resume takes over what the run did before it was cut off: the hooks that
// succeeded at or after the time given.
func (h *hooks) resume(revisions []*release.Release, since helmtime.Time) {
	h.resumed, h.finished = true, map[string]bool{}
	for _, revision := range revisions {
		for _, hook := range revision.Hooks {
			if hook.LastRun.Phase == release.HookPhaseSucceeded && !hook.LastRun.StartedAt.Before(since) {
				h.finished[hook.Kind+"/"+hook.Name] = true
			}
		}
	}
}

// resumeRun finds out whether a wish is the one whose run was cut off, and gives
// the labels of the new revision.
func (o *operation) resumeRun(wish string, wanted map[string]string, history []*release.Release) map[string]string {
	o.cluster.hooks.run = runName(1, wish)
	if len(history) > 0 {
		last := history[len(history)-1]
		run := last.Labels[runMark]
		if interrupted(last) && last.Info.Deleted.IsZero() && isRunFor(run, wish) {
			o.cluster.hooks.run = run
			o.cluster.hooks.resume(ofRun(history, run), helmtime.Time{})
		} else {
			o.cluster.hooks.run = runName(last.Version+1, wish)
		}
	}
	labels := maps.Clone(wanted)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[runMark] = o.cluster.hooks.run
	return labels
}

func hookKey(info *resource.Info) string {
	return info.Mapping.GroupVersionKind.Kind + "/" + info.Name
}

var access = meta.NewAccessor()

func isHook(info *resource.Info) bool {
	annotations, err := access.Annotations(info.Object)
	return err == nil && annotations[release.HookAnnotation] != ""
}

// resumeHook reports whether an object need not be created: it is a hook that
// this run has finished or that is there and was created by it, or a volume claim
// that is there. A hook that has to be created is marked with the run, and a volume
// claim with the release, as Helm marks what is no hook: it outlives the run.
func (c *cluster) resumeHook(info *resource.Info) (bool, error) {
	if !isHook(info) {
		return false, nil
	}
	if c.hooks.finished[hookKey(info)] {
		return true, nil
	}
	if c.hooks.resumed || isClaim(info) {
		ours, err := c.liveHook(info)
		if err != nil || ours {
			return ours, err
		}
	}
	annotations, err := access.Annotations(info.Object)
	if err != nil {
		return false, fmt.Errorf("read annotations of hook %q: %w", info.Name, err)
	}
	annotations[runMark] = c.hooks.run
	if current := c.records.current; isClaim(info) && current != nil {
		annotations[releaseNameMark], annotations[releaseNamespaceMark] = current.Name, current.Namespace
	}
	return false, access.SetAnnotations(info.Object, annotations)
}

// liveHook reports whether the hook is in the cluster as this run has made it; a
// volume claim counts whoever made it.
func (c *cluster) liveHook(info *resource.Info) (bool, error) {
	live, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	annotations, err := access.Annotations(live)
	return err == nil && (isClaim(info) || c.hooks.resumed && annotations[runMark] == c.hooks.run), err
}

// spared reports whether an object must not be deleted: a volume claim never, a
// hook that this run has made not before it was waited for. Afterwards Helm
// deletes it if its policy says so.
func (c *cluster) spared(info *resource.Info) (bool, error) {
	if isClaim(info) {
		return true, nil
	}
	if !isHook(info) || !c.hooks.resumed || c.hooks.passed[hookKey(info)] {
		return false, nil
	}
	if c.hooks.finished[hookKey(info)] {
		return true, nil
	}
	return c.liveHook(info)
}

// recordHooks writes down at once that hooks have succeeded; Helm does so only
// with the next hook or at the end, and may have deleted them by then.
func (c *cluster) recordHooks(resources kube.ResourceList) error {
	current := c.records.current
	if c.hooks.passed == nil {
		c.hooks.passed = map[string]bool{}
	}
	found := false
	for _, info := range resources {
		key := hookKey(info)
		c.hooks.passed[key] = true
		delete(c.hooks.finished, key)
		if current == nil {
			continue
		}
		for _, hook := range current.Hooks {
			if hook.Kind+"/"+hook.Name == key {
				hook.LastRun.Phase, hook.LastRun.CompletedAt = release.HookPhaseSucceeded, helmtime.Now()
				found = true
			}
		}
	}
	if !found {
		return nil
	}
	if err := c.store.Update(current); err != nil {
		return c.note(fmt.Errorf("record hooks of release %q: %w", current.Name, err))
	}
	return nil
}

func jobEnded(info *resource.Info) (bool, error) {
	if err := info.Get(); err != nil {
		return false, err
	}
	if status, _, err := condition(info, "Complete"); err != nil || status == metav1.ConditionTrue {
		return true, err
	}
	status, why, err := condition(info, "Failed")
	if err == nil && status == metav1.ConditionTrue {
		err = &hookFailure{fmt.Sprintf("job %s failed: %s", info.Name, why)}
	}
	return false, err
}

func podEnded(info *resource.Info) (bool, error) {
	if err := info.Get(); err != nil {
		return false, err
	}
	object, err := content(info)
	if err != nil {
		return false, err
	}
	phase, _, err := unstructured.NestedString(object, "status", "phase")
	if err == nil && phase == string(corev1.PodFailed) {
		err = &hookFailure{fmt.Sprintf("pod %s failed", info.Name)}
	}
	return phase == string(corev1.PodSucceeded), err
}

// hookFailure is the failure of a hook by its own doing.
type hookFailure struct{ text string }

func (h *hookFailure) Error() string { return h.text }

// runName names a run that begins at a revision.
func runName(revision int, wish string) string { return strconv.Itoa(revision) + "." + wish }

// isRunFor reports whether a run is one for the wish.
func isRunFor(run, wish string) bool { return strings.HasSuffix(run, "."+wish) }

// ofRun are the revisions that belong to a run.
func ofRun(history []*release.Release, run string) []*release.Release {
	var found []*release.Release
	for _, revision := range history {
		if revision.Labels[runMark] == run {
			found = append(found, revision)
		}
	}
	return found
}

// wishOf is a short digest over a chart and the values given to it.
func wishOf(unit *chart.Chart, values map[string]any) (string, error) {
	digest, err := ConfigDigest(values)
	if err != nil {
		return "", err
	}
	files := slices.Clone(unit.Raw)
	slices.SortFunc(files, func(a, b *chart.File) int { return cmp.Compare(a.Name, b.Name) })
	sum := sha256.New()
	for _, file := range files {
		fmt.Fprintf(sum, "%d %s %d ", len(file.Name), file.Name, len(file.Data))
		sum.Write(file.Data)
	}
	sum.Write([]byte(digest))
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
