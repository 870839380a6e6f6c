package follow

import (
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// maxLine is the maximum length of a line of progress in bytes.
const maxLine = 400

// Milestones are the progress conditions of a task, in order.
var Milestones = []string{
	v1alpha1.ConditionAdmitted, v1alpha1.ConditionResolved, v1alpha1.ConditionApplied, v1alpha1.ConditionHealthy,
}

// Progress prints the progress of a task, one line for each milestone and for each new reason to
// wait.
type Progress struct {
	out     io.Writer
	printed map[string]bool
	waiting string
	// after is the time of the last line, since the creation of the task.
	after time.Duration
}

// NewProgress returns a Progress that prints to a writer.
func NewProgress(out io.Writer) *Progress { return &Progress{out: out, printed: map[string]bool{}} }

// PrintTask prints what is new since the last call.
func (p *Progress) PrintTask(task *v1alpha1.AppInstallTask) {
	for _, milestone := range Milestones {
		c := meta.FindStatusCondition(task.Status.Conditions, milestone)
		if c == nil || c.Status != metav1.ConditionTrue || p.printed[milestone] {
			continue
		}
		p.printed[milestone] = true
		p.printLine(task, milestone, c.LastTransitionTime.Time, c.Message)
	}
	if reverting := task.Status.Reverting; reverting != nil && !p.printed["Reverting"] {
		p.printed["Reverting"] = true
		p.printLine(task, "Reverting", timeOf(task.Status.RevertStartTime), reverting.Reason+": "+reverting.Message)
	}
	// The inputs that a task waits for are its result, and are printed as such.
	if c := waitCondition(task); c != nil && c.Reason != v1alpha1.ReasonWaitingForInput && c.Reason+c.Message != p.waiting {
		p.waiting = c.Reason + c.Message
		// The condition has the time of the first reason to wait.
		p.printLine(task, "Waiting", time.Now(), c.Reason+": "+c.Message)
	}
}

// printLine prints a milestone with the time since the creation of the task. Clocks differ, and so the
// time of a line is at least the time of the line before it.
func (p *Progress) printLine(task *v1alpha1.AppInstallTask, name string, at time.Time, message string) {
	p.after = max(p.after, at.Sub(task.CreationTimestamp.Time).Truncate(time.Second))
	fmt.Fprintf(p.out, "%-10s %-5s %s\n", name, p.after, text.Printable(text.OneLine(message, maxLine), maxLine))
}

func timeOf(at *metav1.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.Time
}

// waitCondition returns the condition with the reason why a task waits, nil if it does not wait.
func waitCondition(task *v1alpha1.AppInstallTask) *metav1.Condition {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	if task.Finished() || c == nil || c.Reason == v1alpha1.ReasonProgressing {
		return nil
	}
	return c
}
