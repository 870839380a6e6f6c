package admission

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestTheOlderOfTwoWaitingInstancesPrecedes(t *testing.T) {
	at := func(name string, second int64) *v1alpha1.AppInstance {
		return &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Unix(second, 0)}}
	}
	for _, c := range []struct {
		why  string
		a, b *v1alpha1.AppInstance
		want bool
	}{
		{"older", at("b", 1), at("a", 2), true},
		{"younger", at("a", 2), at("b", 1), false},
		{"of the same second, by name", at("a", 1), at("b", 1), true},
	} {
		NewWithT(t).Expect(isOlder(c.a, c.b)).To(Equal(c.want), c.why)
	}
}

func TestAnInstanceHasStartedWithItsFirstOperation(t *testing.T) {
	for why, change := range map[string]func(*v1alpha1.AppInstanceStatus){
		"an operation":         func(s *v1alpha1.AppInstanceStatus) { s.CurrentOperation = &v1alpha1.Operation{} },
		"releases of a failed": func(s *v1alpha1.AppInstanceStatus) { s.Releases = []v1alpha1.Release{{Name: "a"}} },
		"a revision":           func(s *v1alpha1.AppInstanceStatus) { s.Revision = 1 },
	} {
		i := &v1alpha1.AppInstance{}
		NewWithT(t).Expect(hasStarted(i)).To(BeFalse())
		change(&i.Status)
		NewWithT(t).Expect(hasStarted(i)).To(BeTrue(), why)
	}
}

func TestAppsThatMayBeInstalledOnce(t *testing.T) {
	for _, c := range []struct {
		why     string
		summary v1alpha1.AppSummary
		want    bool
	}{
		{"an app", v1alpha1.AppSummary{Type: "app"}, true},
		{"middleware", v1alpha1.AppSummary{Type: "middleware"}, true},
		{"an app that can be cloned", v1alpha1.AppSummary{Type: "app", Cloneable: true}, false},
		{"an app that can be cloned and serves the whole cluster", v1alpha1.AppSummary{Type: "app", Cloneable: true, ClusterSingleton: true}, true},
		{"a plain chart", v1alpha1.AppSummary{}, false},
	} {
		NewWithT(t).Expect(c.summary.IsSingleInstance()).To(Equal(c.want), c.why)
	}
}

// TestUnmetRequirements checks that the requester decides whether an operation waits for a
// requirement.
func TestUnmetRequirements(t *testing.T) {
	for _, c := range []struct {
		why   string
		waits bool
	}{{"an instance, or a task that waits", true}, {"a task that fails", false}} {
		g, f := NewWithT(t), &Findings{WaitsForUnmet: c.waits}
		o := &Operation{App: appWith(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })}
		g.Expect(CheckWithdrawn(t.Context(), o, f)).To(Succeed())
		expectFinding(g, f, v1alpha1.ReasonWithdrawn, c.waits)
		o.Upgrade, f = true, &Findings{}
		g.Expect(CheckWithdrawn(t.Context(), o, f)).To(Succeed())
		g.Expect(f.Len()).To(BeZero(), "an installed app is upgraded")
	}
}

func TestCloneSafety(t *testing.T) {
	for _, c := range []struct {
		why     string
		verdict v1alpha1.CloneVerdict
		cross   bool
		reason  string
	}{
		{"safe", v1alpha1.CloneSafe, false, ""},
		{"safe in another namespace, and it is another one", v1alpha1.CloneNamespacedOnly, true, ""},
		{"safe in another namespace only", v1alpha1.CloneNamespacedOnly, false, v1alpha1.ReasonCloneUnsafe},
		{"never safe", v1alpha1.CloneUnsafe, true, v1alpha1.ReasonCloneUnsafe},
	} {
		t.Run(c.why, func(t *testing.T) {
			g, f := NewWithT(t), &Findings{WaitsForUnmet: true}
			o := &Operation{App: appWith(func(app *v1alpha1.AppInfo) {
				app.Status.Summary = &v1alpha1.AppSummary{Clone: &v1alpha1.CloneSafety{Verdict: c.verdict, Collisions: []string{"port 80"}}}
			})}
			g.Expect(CheckCloneSafety(c.cross)(t.Context(), o, f)).To(Succeed())
			if c.reason == "" {
				g.Expect(f.Len()).To(BeZero())
				return
			}
			expectFinding(g, f, c.reason, false)
		})
	}
}

// TestCheckInterval checks that a waiting object is checked at growing intervals.
func TestCheckInterval(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		why    string
		waited time.Duration
		want   time.Duration
	}{
		{"at first", 0, 10 * time.Second},
		{"after a minute", time.Minute, 30 * time.Second},
		{"after a day", 24 * time.Hour, 5 * time.Minute},
	} {
		task := &v1alpha1.AppInstallTask{}
		task.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-c.waited))}}
		NewWithT(t).Expect(CheckInterval(task, now)).To(Equal(c.want), c.why)
	}
	NewWithT(t).Expect(CheckInterval(&v1alpha1.AppInstallTask{}, now)).To(Equal(10*time.Second), "an object that does not wait yet")
}
