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
const maxMessage = 1024

// Contract fails the test if the status of an object, as a reconcile left it,
// breaks the contract. It names everything that is wrong.
func Contract(g gomega.Gomega, object v1alpha1.Object) {
	g.Expect(Violations(object)).To(gomega.BeEmpty(), "status of %T %s/%s: %+v",
		object, object.GetNamespace(), object.GetName(), object.GetConditions())
}

// Violations says where the status of an object breaks the contract, one sentence
// each.
func Violations(object v1alpha1.Object) []string {
	c := &check{object: object, conditions: object.GetConditions()}
	var ok bool
	if c.kind, ok = kindOf(object); !ok {
		return []string{fmt.Sprintf("%T is not a kind of AppMarket", object)}
	}
	for _, condition := range c.conditions {
		c.condition(condition)
	}
	c.progress()
	c.milestones()
	c.end()
	c.readers()
	return c.found
}

func kindOf(object v1alpha1.Object) (market.ConditionSet, bool) {
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
type check struct {
	object     v1alpha1.Object
	kind       market.ConditionSet
	conditions []metav1.Condition
	found      []string
}

func (c *check) wrong(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *check) get(kind string) *metav1.Condition {
	return meta.FindStatusCondition(c.conditions, kind)
}

func (c *check) is(kind string) bool { return meta.IsStatusConditionTrue(c.conditions, kind) }

// condition checks one condition by itself.
func (c *check) condition(of metav1.Condition) {
	generation := c.object.GetGeneration()
	if of.ObservedGeneration < 1 || of.ObservedGeneration > generation {
		c.wrong("%s: observedGeneration is %d, the object's generation %d", of.Type, of.ObservedGeneration, generation)
	}
	if of.LastTransitionTime.IsZero() {
		c.wrong("%s: no lastTransitionTime", of.Type)
	}
	if len(of.Message) > maxMessage {
		c.wrong("%s: the message has %d bytes", of.Type, len(of.Message))
	}
	if secret := unsteady(of.Message); secret != "" {
		c.wrong("%s: the message holds %s: %q", of.Type, secret, of.Message)
	}
	own := append([]string{c.kind.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}, slices.Concat(c.kind.Progress, c.kind.Flags)...)
	if !slices.Contains(own, of.Type) {
		c.wrong("%s is not a condition of this kind", of.Type)
		return
	}
	allowed, err := Allowed(c.kind, of.Type, of.Status)
	if err != nil {
		c.wrong("%v", err)
	} else if !slices.Contains(allowed, of.Reason) {
		c.wrong("%s=%s: reason %s is not documented for it", of.Type, of.Status, of.Reason)
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

func unsteady(message string) string {
	for _, u := range unsteadyForms {
		if u.form.MatchString(message) {
			return u.what
		}
	}
	return ""
}

// progress checks Reconciling and Stalled, and that the root says the same.
func (c *check) progress() {
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if condition := c.get(kind); condition != nil && condition.Status != metav1.ConditionTrue {
			c.wrong("%s is there and %s", kind, condition.Status)
		}
	}
	reconciling, stalled := c.is(v1alpha1.ConditionReconciling), c.is(v1alpha1.ConditionStalled)
	if reconciling && stalled {
		c.wrong("both Reconciling and Stalled")
	}
	root := c.get(c.kind.Summary)
	switch {
	case c.leaves():
	case root == nil:
		c.wrong("no root condition %s", c.kind.Summary)
	case root.Status == metav1.ConditionFalse && !reconciling && !stalled:
		c.wrong("%s is False for good, and Stalled is not True", root.Type)
	}
	c.observed(reconciling, stalled)
}

// leaves reports whether the object is being deleted.
func (c *check) leaves() bool { return !c.object.GetDeletionTimestamp().IsZero() }

// observed checks that what is at rest speaks of the spec as it is.
func (c *check) observed(reconciling, stalled bool) {
	seen := c.object.GetObservedGeneration()
	if stalled {
		if of := c.get(v1alpha1.ConditionStalled).ObservedGeneration; of > seen {
			c.wrong("Stalled speaks of generation %d, the status of %d", of, seen)
		}
	}
	if !reconciling && !c.leaves() && seen != c.object.GetGeneration() {
		c.wrong("nothing goes on, but status.observedGeneration is %d of %d", seen, c.object.GetGeneration())
	}
}

// milestones checks that they read as a progress bar.
func (c *check) milestones() {
	open := ""
	for _, milestone := range c.kind.Progress {
		condition := c.get(milestone)
		if condition != nil && open != "" {
			c.wrong("%s is %s, although %s", milestone, condition.Status, open)
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
func (c *check) end() {
	task, ok := c.object.(*v1alpha1.AppInstallTask)
	if !ok {
		return
	}
	root := c.get(c.kind.Summary)
	over := root != nil && root.Status != metav1.ConditionUnknown && !c.is(v1alpha1.ConditionReconciling)
	if over != task.Finished() {
		c.wrong("completionTime is %v, and whether the task is over is %t", task.Status.CompletionTime, over)
	}
}

// readers checks what kstatus makes of it.
func (c *check) readers() {
	want := c.meant()
	if want == "" {
		return
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.object)
	if err != nil {
		c.wrong("convert object: %v", err)
		return
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(strings.TrimPrefix(fmt.Sprintf("%T", c.object), "*v1alpha1.")))
	got, err := status.Compute(u)
	switch {
	case err != nil:
		c.wrong("kstatus: %v", err)
	case got.Status != want:
		c.wrong("kstatus reads %s (%s), %s is meant", got.Status, got.Message, want)
	}
}

// meant is what kstatus should read; empty where nothing is said of it.
func (c *check) meant() status.Status {
	root := c.get(c.kind.Summary)
	switch {
	case c.leaves():
		return status.TerminatingStatus
	case c.is(v1alpha1.ConditionReconciling):
		return status.InProgressStatus
	case c.is(v1alpha1.ConditionStalled):
		return status.FailedStatus
	case root != nil && root.Status == metav1.ConditionTrue:
		return status.CurrentStatus
	}
	return ""
}
