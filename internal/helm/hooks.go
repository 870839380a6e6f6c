package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	helmtime "helm.sh/helm/v3/pkg/time"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/appmarket/operator/api/v1alpha1"
)

// runMark names a run, on a release as a label and on the hooks that it created
// as an annotation. A run is one wish: this chart with these values, or back to
// this revision, begun at that one. When it is cut off and taken up again, it is the
// same run, and Helm makes a new revision for it that would carry out all hooks
// again.
const runMark = "appmarket.io/run"

// Phases of an operation, as the events of hooks call them.
const (
	phaseInstall  = "install"
	phaseUpgrade  = "upgrade"
	phaseRollback = "rollback"
	phaseDelete   = "delete"
)

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

func isJob(info *resource.Info) bool {
	return info.Mapping.GroupVersionKind.GroupKind() == jobKind.GroupKind()
}

func isHook(info *resource.Info) bool {
	annotations, err := access.Annotations(info.Object)
	return err == nil && annotations[release.HookAnnotation] != ""
}

// resumeHook reports whether an object need not be created: it is a hook that
// this run has finished or that is there and was created by it, or one that outlives
// releases and is there. A hook that has to be created is marked with the run and
// with the release.
func (c *cluster) resumeHook(info *resource.Info) (bool, error) {
	if !isHook(info) {
		return false, nil
	}
	if c.hooks.finished[hookKey(info)] {
		return true, nil
	}
	if c.hooks.resumed || isLasting(info) {
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
	owner := c.operation.release
	annotations[releaseNameMark], annotations[releaseNamespaceMark] = owner.Name, owner.Namespace
	return false, access.SetAnnotations(info.Object, annotations)
}

// isLasting reports whether an object must outlive its release: a volume claim, and a
// Namespace or a CRD, which would take other objects with it.
func isLasting(info *resource.Info) bool {
	return isClaim(info) || isContainer(infoRef(info))
}

// liveHook reports whether the hook is in the cluster as this run has made it; one that
// outlives releases counts whoever made it.
func (c *cluster) liveHook(info *resource.Info) (bool, error) {
	live, err := c.operation.get(c.ctx, infoRef(info))
	if err != nil || live == nil {
		return false, err
	}
	return isLasting(info) || c.hooks.resumed && live.GetAnnotations()[runMark] == c.hooks.run, nil
}

// createHooks creates hooks, in place of those that an earlier run of the release has
// left behind. Objects of others are left alone.
func (c *cluster) createHooks(hooks kube.ResourceList) (*kube.Result, error) {
	for _, info := range hooks {
		if err := c.refuseMissingAccount(info); err != nil {
			return nil, err
		}
	}
	created := &kube.Result{Created: hooks}
	err := c.each(hooks, c.create)
	if !apierrors.IsAlreadyExists(err) {
		return created, err
	}
	left := hooks.Filter(func(info *resource.Info) bool { return info.ResourceVersion == "" })
	for _, info := range left {
		if err := c.refuseForeign(info); err != nil {
			return nil, err
		}
	}
	if _, errs := c.Delete(left); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := c.WaitForDelete(left, DefaultTimeout); err != nil {
		return nil, err
	}
	return created, c.each(left, c.create)
}

// refuseForeign is an error if a hook is in the cluster and no earlier run of the
// release has created it.
func (c *cluster) refuseForeign(info *resource.Info) error {
	live, err := c.operation.get(c.ctx, infoRef(info))
	if err != nil || live == nil || isLeftover(live, c.operation.release) {
		return err
	}
	marks := live.GetAnnotations()
	text := existsAlready(c.describe(info), marks[releaseNameMark], "")
	return &stepFailure{text: text}
}

// isGoneHook reports whether a hook that should be deleted does not exist. One that
// belongs to another release is left alone.
func (c *cluster) isGoneHook(info *resource.Info) (bool, error) {
	if c.hooks.passed[hookKey(info)] {
		return false, nil
	}
	live, err := c.operation.get(c.ctx, infoRef(info))
	switch {
	case apierrors.IsForbidden(err):
		return false, nil
	case err != nil || live == nil:
		return err == nil, err
	case ofAnother(live, c.operation.release):
		return false, c.refuseForeign(info)
	}
	return false, nil
}

// isLeftover reports whether an object is a hook that a run of the release has created.
func isLeftover(live *unstructured.Unstructured, of *release.Release) bool {
	return owns(of, live) && live.GetAnnotations()[runMark] != ""
}

// refuseMissingAccount is an error if a Job or a Pod needs a service account that the
// release itself makes only after it.
func (c *cluster) refuseMissingAccount(info *resource.Info) error {
	current := c.records.current
	if current == nil || c.changed || c.phase == phaseDelete || !isRunToCompletion(info) {
		return nil
	}
	object, ok := info.Object.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	path := []string{"spec", "serviceAccountName"}
	if isJob(info) {
		path = []string{"spec", "template", "spec", "serviceAccountName"}
	}
	name, _, err := unstructured.NestedString(object.Object, path...)
	if err != nil || name == "" {
		return nil // the API server says what is wrong
	}
	account := accountRef(info.Namespace, name)
	made, err := c.operation.client.objects(current)
	if err != nil || !slices.Contains(made, account) {
		return err
	}
	live, err := c.operation.get(c.ctx, account)
	if err != nil || live != nil {
		return nil // what the tenant may not see is found out by the hook itself
	}
	return &stepFailure{text: fmt.Sprintf("%s needs service account %q, which the chart creates only after this hook; "+
		"create the service account first, or have the chart create it as a hook with a lower weight", c.describe(info), name)}
}

// spared reports whether an object must not be deleted: a volume claim never, and what
// else is retained, a hook that this run has made not before it was waited for.
// Afterwards Helm deletes it if its policy says so.
func (c *cluster) spared(info *resource.Info) (bool, error) {
	if isClaim(info) || c.retained[identityOf(infoRef(info))] {
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

// hasEnded reports whether a Job or a Pod has ended well, or was deleted: then nobody
// knows more. It returns the failure of one that has failed.
func (c *cluster) hasEnded(info *resource.Info, live *unstructured.Unstructured) (bool, error) {
	if live == nil {
		return true, nil
	}
	if isJob(info) {
		if status, _, err := condition(live, "Complete"); err != nil || status == metav1.ConditionTrue {
			return err == nil, err
		}
		status, why, err := condition(live, "Failed")
		if err == nil && status == metav1.ConditionTrue {
			err = c.hookFailed(info, why)
		}
		return false, err
	}
	phase, _, err := unstructured.NestedString(live.Object, "status", "phase")
	if err == nil && phase == string(corev1.PodFailed) {
		err = c.hookFailed(info, "")
	}
	return err == nil && phase == string(corev1.PodSucceeded), err
}

// hookFailed is the error of a hook that has failed by itself.
func (c *cluster) hookFailed(info *resource.Info, why string) error {
	text := c.describe(info) + " failed"
	for _, reason := range []string{why, c.operation.podsReason(c.ctx, infoRef(info))} {
		if reason != "" {
			text += ": " + reason
		}
	}
	return &stepFailure{text: text + c.hookRemedy(info)}
}

// hookRemedy says what to do about a hook that has failed or was waited for too long.
func (c *cluster) hookRemedy(info *resource.Info) string {
	if c.phase != phaseDelete || !isHook(info) {
		return ""
	}
	return fmt.Sprintf("; correct the cause and remove the app again, or set the annotation %s=true on the AppInstance "+
		"and remove the app again without its delete hooks", v1alpha1.SkipDeleteHooksAnnotation)
}

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

// wishOf is a short digest over a chart, by the digest of its files, and the values
// given to it.
func wishOf(files string, values map[string]any) (string, error) {
	digest, err := ConfigDigest(values)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(files + digest))
	return hex.EncodeToString(sum[:8]), nil
}
