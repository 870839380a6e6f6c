// Package conformance checks the status of any object of AppMarket against the contract
// that all four kinds keep.
//
//	g.Expect(reconcile(task)).To(Succeed())
//	expect.Contract(g, task)
//
// The contract is that of a status after a reconcile: conditions speak of a
// generation and give a reason that conditions.go lists for them; Reconciling and
// Stalled exist only while True, and never together; what failed for good is
// Stalled; milestones come in order; messages hold nothing that differs from one
// try to the next; and kstatus, by which kubectl, Argo CD and Flux judge, reads
// from it what is meant.
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

// maxMessage is the longest message in bytes: an event cannot hold a longer note.
const maxMessageLength = 1024

// Contract fails the test if the status of an object, as a reconcile left it,
// breaks the contract. It names everything that is wrong.
func ExpectContract(g gomega.Gomega, object v1alpha1.Object) {
	g.Expect(Violations(object)).To(gomega.BeEmpty(), "status of %T %s/%s: %+v",
		object, object.GetNamespace(), object.GetName(), object.GetConditions())
}

// Violations says where the status of an object breaks the contract, one sentence
// each.
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

// check collects what is wrong with one object.
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

// condition checks one condition by itself.
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
	if secret := unsteadyPart(of.Message); secret != "" {
		c.addViolation("%s: the message holds %s: %q", of.Type, secret, of.Message)
	}
	own := append([]string{c.conditionSet.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}, slices.Concat(c.conditionSet.Progress, c.conditionSet.Flags)...)
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

// Words in a message that change from one try to the next, or that nobody should
// read.
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

// progress checks Reconciling and Stalled, and that the root says the same.
func (c *statusCheck) checkProgress() {
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if condition := c.findCondition(kind); condition != nil && condition.Status != metav1.ConditionTrue {
			c.addViolation("%s is there and %s", kind, condition.Status)
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
		c.addViolation("no root condition %s", c.conditionSet.Summary)
	case root.Status == metav1.ConditionFalse && !reconciling && !stalled:
		c.addViolation("%s is False for good, and Stalled is not True", root.Type)
	}
	c.checkObserved(reconciling, stalled)
}

// leaves reports whether the object is being deleted.
func (c *statusCheck) isDeleting() bool { return !c.object.GetDeletionTimestamp().IsZero() }

// observed checks that what is at rest speaks of the spec as it is.
func (c *statusCheck) checkObserved(reconciling, stalled bool) {
	seen := c.object.GetObservedGeneration()
	if stalled {
		if of := c.findCondition(v1alpha1.ConditionStalled).ObservedGeneration; of > seen {
			c.addViolation("Stalled speaks of generation %d, the status of %d", of, seen)
		}
	}
	if !reconciling && !c.isDeleting() && seen != c.object.GetGeneration() {
		c.addViolation("nothing goes on, but status.observedGeneration is %d of %d", seen, c.object.GetGeneration())
	}
}

// milestones checks that they read as a progress bar.
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

// end checks that a task has ended when its root says so, and only then.
func (c *statusCheck) checkCompletion() {
	task, ok := c.object.(*v1alpha1.AppInstallTask)
	if !ok {
		return
	}
	root := c.findCondition(c.conditionSet.Summary)
	over := root != nil && root.Status != metav1.ConditionUnknown && !c.isTrue(v1alpha1.ConditionReconciling)
	if over != task.Finished() {
		c.addViolation("completionTime is %v, and whether the task is over is %t", task.Status.CompletionTime, over)
	}
}

// readers checks what kstatus makes of it.
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
		c.addViolation("kstatus reads %s (%s), %s is meant", got.Status, got.Message, want)
	}
}

// meant is what kstatus should read; empty where nothing is said of it.
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
