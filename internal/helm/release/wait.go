package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	plain "github.com/appmarket/operator/internal/release"
)

const (
	// firstReport is the time before an operation reports that it waits for an object. The interval
	// between reports doubles up to lastReport.
	firstReport, lastReport = time.Second, time.Minute
	// explainTime bounds the search for the reason why a wait timed out.
	explainTime = 3 * time.Second
)

// stepFailure is the failure of one step of an operation: a hook, or the wait for an object. Its
// text is complete; the text that Helm adds is not needed.
type stepFailure struct {
	text string
	// timedOut reports that the timeout has expired and the step itself has not failed.
	timedOut bool
}

func (f *stepFailure) Error() string { return f.text }

// goal is a state of an object that an operation waits for.
type goal struct {
	// verb completes "waiting for Job x to".
	verb string
	// reached reports whether an object has reached the state. live is nil if the object does not
	// exist. An error ends the wait.
	reached func(info *resource.Info, live *unstructured.Unstructured) (bool, error)
	// watched reports that every state of the object matters, including a state that exists only
	// briefly before the object is deleted.
	watched bool
}

// Wait waits until CRDs are established. It ignores other objects, because operations do not wait
// for readiness.
func (c *kubeClient) Wait(resources kube.ResourceList, timeout time.Duration) (err error) {
	defer c.recoverPanic(&err)
	crds := resources.Filter(func(info *resource.Info) bool { return infoRef(info).Kind == crdKind })
	crds, err = c.withoutServedCRDs(crds)
	if err != nil {
		return c.storeFailure(err)
	}
	err = c.waitForGoal(crds, timeout, goal{verb: "be established", reached: isEstablished})
	meta.MaybeResetRESTMapper(c.mapper)
	return err
}

func isEstablished(_ *resource.Info, live *unstructured.Unstructured) (bool, error) {
	if live == nil {
		return false, nil
	}
	status, _, err := findCondition(live, "Established")
	return status == metav1.ConditionTrue, err
}

// WaitForDelete waits until the objects are deleted.
func (c *kubeClient) WaitForDelete(resources kube.ResourceList, timeout time.Duration) (err error) {
	defer c.recoverPanic(&err)
	var going kube.ResourceList
	for _, info := range resources {
		spared, err := c.isProtected(info)
		if err != nil {
			return c.storeFailure(err)
		}
		if !spared {
			going.Append(info)
		}
	}
	err = c.waitForGoal(going, timeout, goal{verb: "be deleted", reached: isGone})
	if err == nil && c.ignoresMissingKinds && (len(resources) == 0 || !isHook(resources[0])) {
		failpoint.Point(failpoint.HelmObjectsDeleted, c.records.FailpointSubject())
	}
	return err
}

func isGone(_ *resource.Info, live *unstructured.Unstructured) (bool, error) { return live == nil, nil }

// WatchUntilReady waits until Jobs and Pods among the hooks have ended, and does not wait for other
// hooks. A hook that is deleted before it has failed counts as ended.
func (c *kubeClient) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) (err error) {
	defer c.recoverPanic(&err)
	waited := resources.Filter(func(info *resource.Info) bool {
		return isRunToCompletion(info) && !c.hooks.finished[hookKey(info)]
	})
	err = c.waitForGoal(waited, timeout, goal{verb: "end", watched: true, reached: c.hasEnded})
	if err == nil {
		err = c.recordHooks(resources)
	}
	if err == nil {
		failpoint.Point(failpoint.HelmHookEnded, c.records.FailpointSubject())
	}
	return err
}

// isRunToCompletion reports whether an object is a Job or a Pod.
func isRunToCompletion(info *resource.Info) bool {
	gk := info.Mapping.GroupVersionKind.GroupKind()
	return gk == jobKind.GroupKind() || gk == podKind.GroupKind()
}

var (
	jobKind = batchv1.SchemeGroupVersion.WithKind("Job")
	podKind = corev1.SchemeGroupVersion.WithKind("Pod")
)

// crdKind is the kind of a CRD.
const crdKind = "CustomResourceDefinition"

// waitForGoal waits until every object has reached the goal. It checks the objects one after the other.
func (c *kubeClient) waitForGoal(resources kube.ResourceList, timeout time.Duration, to goal) (err error) {
	defer c.recoverPanic(&err)
	if len(resources) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	for _, info := range resources {
		err := c.waitForObject(ctx, info, to)
		if ended := ctx.Err(); err != nil && ended != nil {
			err = c.interruptedWaitError(info, to, ended)
		}
		if err != nil {
			return c.storeFailure(err)
		}
	}
	return nil
}

// waitForObject waits until an object has reached the goal.
func (c *kubeClient) waitForObject(ctx context.Context, info *resource.Info, to goal) error {
	f := objectWatcher{
		helper: resource.NewHelper(info.Client, info.Mapping), info: info, to: to,
		pause: wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.5, Cap: time.Second, Steps: 100},
	}
	defer f.stopWatch()
	reached, err := f.startFollowing()
	report := time.NewTimer(firstReport)
	defer report.Stop()
	reports := reporter{pause: firstReport}
	for !reached && err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-report.C:
			reports.sendReport(ctx, c, info, to)
			report.Reset(reports.nextInterval())
		case event, open := <-f.watchEvents():
			reached, err = f.handleEvent(event, open)
		case <-f.pollTimer():
			reached, err = f.readObject()
		}
	}
	return err
}

// reporter reports what an operation waits for, and reports again when the reason changes.
type reporter struct {
	pause time.Duration
	said  string
}

// nextInterval returns the interval until the next report.
func (r *reporter) nextInterval() time.Duration {
	r.pause = min(2*r.pause, lastReport)
	return r.pause
}

func (r *reporter) sendReport(ctx context.Context, c *kubeClient, info *resource.Info, to goal) {
	observer := plain.ObserverFrom(c.ctx)
	if observer.Waiting == nil {
		return
	}
	said := c.describeWait(c.operation.waitReason(ctx, infoRef(info)), info, to)
	if said != r.said {
		r.said = said
		observer.Waiting(c.ctx, said)
	}
}

// describeWait describes what an operation waits for, and the reason why it is not done.
func (c *kubeClient) describeWait(reason string, info *resource.Info, to goal) string {
	text := fmt.Sprintf("waiting for %s to %s", c.describeObject(info), to.verb)
	if reason != "" {
		text += ": " + reason
	}
	return text
}

// describeObject returns the name of an object in the form "pre-install Job/migrate" or "ConfigMap/web".
func (c *kubeClient) describeObject(info *resource.Info) string {
	ref := infoRef(info)
	name := ref.Kind + "/" + ref.Name
	if ref.Namespace != "" && ref.Namespace != c.Namespace {
		name = ref.Kind + "/" + ref.Namespace + "/" + ref.Name
	}
	if event := c.hookEvent(info); event != "" {
		return event + " " + name
	}
	return name
}

// hookEvent returns the event for which a hook currently runs, or "" if the object is not a hook.
func (c *kubeClient) hookEvent(info *resource.Info) string {
	annotations, err := access.Annotations(info.Object)
	if err != nil {
		return ""
	}
	var events []string
	for _, event := range strings.Split(annotations[release.HookAnnotation], ",") {
		if event = strings.ToLower(strings.TrimSpace(event)); strings.HasSuffix(event, "-"+c.phase) {
			events = append(events, event)
		}
	}
	if len(events) == 0 {
		return annotations[release.HookAnnotation]
	}
	now := "pre-" + c.phase
	if c.changed {
		now = "post-" + c.phase
	}
	if slices.Contains(events, now) {
		return now
	}
	return events[0]
}

// interruptedWaitError returns the error for a wait that ended before its goal was reached. It searches
// for the reason only after a timeout.
func (c *kubeClient) interruptedWaitError(info *resource.Info, to goal, ended error) error {
	if !errors.Is(ended, context.DeadlineExceeded) {
		return ended
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), explainTime)
	defer cancel()
	reason := ""
	if after, err := c.operation.client.newOperation(ctx); err == nil {
		reason = after.waitReason(ctx, infoRef(info))
	}
	return &stepFailure{timedOut: true, text: c.describeWait(cmp.Or(reason, "no reason is known"), info, to) + c.hookRemedyText(info)}
}

// infoRef returns the reference of the object of an info.
func infoRef(info *resource.Info) v1alpha1.ObjectReference {
	gvk := info.Mapping.GroupVersionKind
	return v1alpha1.ObjectReference{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: info.Namespace, Name: info.Name}
}
