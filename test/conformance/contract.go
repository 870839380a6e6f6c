// Package conformance checks the status of objects against the status contract, which is the
// same for all four kinds.
//
//	g.Expect(reconcile(task)).To(Succeed())
//	conformance.ExpectContract(g, task)
//
// After a reconcile, each condition has an observed generation and a reason that conditions.go
// lists for it. Reconciling and Stalled exist only while they are True, and never together. A
// final failure sets Stalled. Progress conditions are in order. Messages contain nothing that
// changes between retries. kstatus, which kubectl, Argo CD and Flux use, computes the intended
// status.
package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	market "github.com/appmarket/operator/internal/status"
)

// maxMessageLength is the maximum length of a message in bytes, which is the limit of an event.
const maxMessageLength = 1024

// ExpectContract fails the test with all violations if the status of an object violates the
// contract.
func ExpectContract(g gomega.Gomega, object v1alpha1.Object) {
	g.Expect(Violations(object)).To(gomega.BeEmpty(), "status of %T %s/%s: %+v",
		object, object.GetNamespace(), object.GetName(), object.GetConditions())
}

// Violations returns the violations of the contract in the status of an object.
func Violations(object v1alpha1.Object) []string {
	c := &statusCheck{object: object, conditions: object.GetConditions()}
	var ok bool
	if c.conditionSet, ok = conditionSetOf(object); !ok {
		return []string{fmt.Sprintf("%T is not a kind of AppMarket", object)}
	}
	for _, condition := range c.conditions {
		c.checkCondition(condition)
	}
	c.checkProgress()
	c.checkOrder()
	c.checkCompletion()
	c.checkKstatus()
	return c.violations
}

func conditionSetOf(object v1alpha1.Object) (market.ConditionSet, bool) {
	switch object.(type) {
	case *v1alpha1.MarketSource:
		return market.MarketSource, true
	case *v1alpha1.AppInfo:
		return market.AppInfo, true
	case *v1alpha1.AppInstance:
		return market.AppInstance, true
	case *v1alpha1.AppInstallTask:
		return market.AppInstallTask, true
	}
	return market.ConditionSet{}, false
}

// statusCheck collects the violations of one object.
type statusCheck struct {
	object       v1alpha1.Object
	conditionSet market.ConditionSet
	conditions   []metav1.Condition
	violations   []string
}

func (c *statusCheck) addViolation(format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

func (c *statusCheck) findCondition(kind string) *metav1.Condition {
	return meta.FindStatusCondition(c.conditions, kind)
}

func (c *statusCheck) isTrue(kind string) bool { return meta.IsStatusConditionTrue(c.conditions, kind) }

// checkCondition checks a single condition.
func (c *statusCheck) checkCondition(of metav1.Condition) {
	generation := c.object.GetGeneration()
	if of.ObservedGeneration < 1 || of.ObservedGeneration > generation {
		c.addViolation("%s: observedGeneration is %d, the object's generation %d", of.Type, of.ObservedGeneration, generation)
	}
	if of.LastTransitionTime.IsZero() {
		c.addViolation("%s: no lastTransitionTime", of.Type)
	}
	if len(of.Message) > maxMessageLength {
		c.addViolation("%s: the message has %d bytes", of.Type, len(of.Message))
	}
	if part := unsteadyPart(of.Message); part != "" {
		c.addViolation("%s: the message contains %s: %q", of.Type, part, of.Message)
	}
	own := append([]string{c.conditionSet.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}, slices.Concat(c.conditionSet.Progress, c.conditionSet.Facts, c.conditionSet.Flags)...)
	if !slices.Contains(own, of.Type) {
		c.addViolation("%s is not a condition of this kind", of.Type)
		return
	}
	allowed, err := AllowedReasons(c.conditionSet, of.Type, of.Status)
	if err != nil {
		c.addViolation("%v", err)
	} else if !slices.Contains(allowed, of.Reason) {
		c.addViolation("%s=%s: reason %s is not documented for it", of.Type, of.Status, of.Reason)
	}
}

// unsteadyForms match parts of a message that change between retries or must not be public.
var unsteadyForms = []struct {
	what string
	form *regexp.Regexp
}{
	{"a date", regexp.MustCompile(`\b(19|20)\d\d[-/]\d\d[-/]\d\d\b`)},
	{"a time", regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`)},
	{"a port", regexp.MustCompile(`(\b\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]*\]|\blocalhost):\d+\b`)},
	{"a credential", regexp.MustCompile(`://[^/\s]*@|(?i)\b(bearer|basic) [a-z0-9+/=._-]{8,}`)},
	{"an address in memory", regexp.MustCompile(`\b0x[0-9a-f]{6,}\b`)},
}

func unsteadyPart(message string) string {
	for _, u := range unsteadyForms {
		if u.form.MatchString(message) {
			return u.what
		}
	}
	return ""
}

// checkProgress checks Reconciling, Stalled and their consistency with the summary condition.
func (c *statusCheck) checkProgress() {
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if condition := c.findCondition(kind); condition != nil && condition.Status != metav1.ConditionTrue {
			c.addViolation("%s exists and is %s", kind, condition.Status)
		}
	}
	reconciling, stalled := c.isTrue(v1alpha1.ConditionReconciling), c.isTrue(v1alpha1.ConditionStalled)
	if reconciling && stalled {
		c.addViolation("both Reconciling and Stalled")
	}
	root := c.findCondition(c.conditionSet.Summary)
	switch {
	case c.isDeleting():
	case root == nil:
		c.addViolation("no summary condition %s", c.conditionSet.Summary)
	case root.Status == metav1.ConditionFalse && !reconciling && !stalled:
		c.addViolation("%s is False without a retry, but Stalled is not True", root.Type)
	}
	c.checkObserved(reconciling, stalled)
}

// isDeleting reports whether the object is being deleted.
func (c *statusCheck) isDeleting() bool { return !c.object.GetDeletionTimestamp().IsZero() }

// checkObserved checks that an object that is not Reconciling has observed its generation.
func (c *statusCheck) checkObserved(reconciling, stalled bool) {
	seen := c.object.GetObservedGeneration()
	if stalled {
		if of := c.findCondition(v1alpha1.ConditionStalled).ObservedGeneration; of > seen {
			c.addViolation("Stalled has observed generation %d, the status has observed %d", of, seen)
		}
	}
	if !reconciling && !c.isDeleting() && seen != c.object.GetGeneration() {
		c.addViolation("not Reconciling, but status.observedGeneration is %d of %d", seen, c.object.GetGeneration())
	}
}

// checkOrder checks that the progress conditions become True in order.
func (c *statusCheck) checkOrder() {
	open := ""
	for _, milestone := range c.conditionSet.Progress {
		condition := c.findCondition(milestone)
		if condition != nil && open != "" {
			c.addViolation("%s is %s, although %s", milestone, condition.Status, open)
		}
		switch {
		case condition == nil:
			open = milestone + " is missing"
		case condition.Status != metav1.ConditionTrue:
			open = fmt.Sprintf("%s is %s", milestone, condition.Status)
		}
	}
}

// checkCompletion checks that a task has a completion time if and only if it is complete.
func (c *statusCheck) checkCompletion() {
	task, ok := c.object.(*v1alpha1.AppInstallTask)
	if !ok {
		return
	}
	root := c.findCondition(c.conditionSet.Summary)
	over := root != nil && root.Status != metav1.ConditionUnknown && !c.isTrue(v1alpha1.ConditionReconciling)
	if over != task.Finished() {
		c.addViolation("completionTime is %v, but the task is complete: %t", task.Status.CompletionTime, over)
	}
}

// checkKstatus checks the status that kstatus computes.
func (c *statusCheck) checkKstatus() {
	want := c.expectedStatus()
	if want == "" {
		return
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.object)
	if err != nil {
		c.addViolation("convert object: %v", err)
		return
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(strings.TrimPrefix(fmt.Sprintf("%T", c.object), "*v1alpha1.")))
	got, err := status.Compute(u)
	switch {
	case err != nil:
		c.addViolation("kstatus: %v", err)
	case got.Status != want:
		c.addViolation("kstatus computes %s (%s), expected %s", got.Status, got.Message, want)
	}
}

// expectedStatus returns the status that kstatus should compute, empty if it is not specified.
func (c *statusCheck) expectedStatus() status.Status {
	root := c.findCondition(c.conditionSet.Summary)
	switch {
	case c.isDeleting():
		return status.TerminatingStatus
	case c.isTrue(v1alpha1.ConditionReconciling):
		return status.InProgressStatus
	case c.isTrue(v1alpha1.ConditionStalled):
		return status.FailedStatus
	case root != nil && root.Status == metav1.ConditionTrue:
		return status.CurrentStatus
	}
	return ""
}
