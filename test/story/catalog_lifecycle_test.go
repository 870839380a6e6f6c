package story_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// actionTimeout limits the time of one action for all apps.
const actionTimeout = 10 * time.Minute

// taskResults counts the results of the tasks of one round.
type taskResults struct {
	action    v1alpha1.Action
	succeeded int
	reasons   map[string][]string // apps that failed, by reason
	messages  map[string]string   // message by failed app
	duration  time.Duration
}

func (t *taskResults) String() string {
	var bad []string
	for reason, apps := range t.reasons {
		slices.Sort(apps)
		bad = append(bad, fmt.Sprintf("%s %d (%s)", reason, len(apps), strings.Join(apps, " ")))
	}
	slices.Sort(bad)
	return fmt.Sprintf("%-9s %4d succeeded in %5.1f s; %s", t.action, t.succeeded, t.duration.Seconds(), strings.Join(bad, ", "))
}

// runTasks creates a task for each installation and waits for all of them to finish. It provides the
// inputs that the tasks require.
func runTasks(ctx context.Context, action v1alpha1.Action, all []*installation) *taskResults {
	GinkgoHelper()
	begin := time.Now()
	for _, one := range all {
		one.task = one.tenant.Task(ctx, action, one.app.Spec.App, func(s *v1alpha1.AppInstallTaskSpec) {
			s.InstanceName, s.Timeout = instanceName(one.app.Spec.App), "2m"
		})
	}
	answered := map[string]bool{}
	Eventually(func(g Gomega) {
		for _, one := range all {
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(one.task), one.task)).To(Succeed())
			if len(one.task.Status.RequiredInputs) > 0 && !one.task.Finished() && !answered[one.task.Name] {
				answered[one.task.Name] = true
				one.provideInputs(ctx)
			}
		}
		for _, one := range all {
			g.Expect(one.task.Finished()).To(BeTrue(), "%s: %v", one.app.Name, one.task.Status.Conditions)
		}
	}).WithContext(ctx).WithTimeout(actionTimeout).WithPolling(500 * time.Millisecond).Should(Succeed())
	t := &taskResults{action: action, reasons: map[string][]string{}, messages: map[string]string{}, duration: time.Since(begin)}
	for _, one := range all {
		root := meta.FindStatusCondition(one.task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if root.Status == metav1.ConditionTrue {
			t.succeeded++
		} else {
			t.reasons[root.Reason] = append(t.reasons[root.Reason], one.app.Spec.App)
			t.messages[one.app.Spec.App] = root.Message
		}
	}
	return t
}

// instanceName returns a valid instance name for an app.
func instanceName(app string) string { return app[:min(len(app), 40)] }

// preflightReasons are the reasons with which an app that cannot run here is rejected.
var preflightReasons = []string{
	v1alpha1.ReasonUnschedulable, v1alpha1.ReasonInsufficientResources, v1alpha1.ReasonNoKindMatch,
	v1alpha1.ReasonStorageClassNotFound, v1alpha1.ReasonClusterPermissionRequired, v1alpha1.ReasonDependencyFailed,
	v1alpha1.ReasonIncompatibleKubernetes, v1alpha1.ReasonConflictingApp, v1alpha1.ReasonInvalidChart, v1alpha1.ReasonSingleInstance,
}

// copyInputSecrets copies the Secrets of the inputs into another namespace, from which a clone reads its
// inputs.
func (i *installation) copyInputSecrets(ctx context.Context, to string) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(k8sClient.List(ctx, &secrets, client.InNamespace(i.Namespace))).To(Succeed())
	for _, s := range secrets.Items {
		if strings.HasPrefix(s.Name, "input-") {
			Expect(k8sClient.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: to, Name: s.Name}, Data: s.Data,
			})).To(Succeed())
		}
	}
}

// cloneApps copies each app that can be cloned, into another namespace if required, and checks that
// the copy runs while the original runs.
func cloneApps(ctx context.Context, all []*installation, report *strings.Builder) {
	GinkgoHelper()
	verdicts := map[v1alpha1.CloneVerdict]int{}
	var copies []*installation
	for _, one := range all {
		summary := one.app.Status.Summary
		if !summary.Cloneable || summary.ClusterSingleton {
			continue
		}
		Expect(summary.Clone).NotTo(BeNil(), one.app.Name)
		verdicts[summary.Clone.Verdict]++
		if summary.Clone.Verdict == v1alpha1.CloneUnsafe {
			continue
		}
		clone := &installation{tenant: newTenant(ctx, one.Source), app: one.app}
		clone.grantClusterAdmin(ctx)
		one.copyInputSecrets(ctx, clone.Namespace)
		clone.task = clone.tenant.Task(ctx, v1alpha1.ActionClone, one.app.Spec.App, func(s *v1alpha1.AppInstallTaskSpec) {
			s.InstanceName, s.EnsureParameters().Title = "twin", "A clone"
			s.Clone.From = v1alpha1.CloneSource{Name: instanceName(one.app.Spec.App), Namespace: one.Namespace}
			for _, e := range summary.Entrances {
				if !e.Hidden {
					s.EnsureParameters().Entrances = append(s.EnsureParameters().Entrances, v1alpha1.EntranceTitle{Name: e.Name, Title: "Copy of " + e.Name[:min(len(e.Name), 20)]})
				}
			}
		})
		copies = append(copies, clone)
	}
	for _, clone := range copies {
		clone.waitSucceeded(ctx, clone.task)
	}
	for _, one := range all {
		Expect(transitions.StateOf(one.Instance(ctx, instanceName(one.app.Spec.App)))).To(Equal(transitions.Running), one.app.Name)
	}
	fmt.Fprintf(report, "clones    %d run, in other namespaces than their originals; clone verdicts of the running apps: %v\n", len(copies), verdicts)
	for _, clone := range copies {
		clone.waitSucceeded(ctx, clone.tenant.Task(ctx, v1alpha1.ActionUninstall, clone.app.Spec.App, func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = "twin" }))
	}
}

var _ = Describe("A catalog of real apps", Ordered, func() {
	var copies []*catalogCopy
	var all, servers []*installation
	var report strings.Builder

	addResults := func(t *taskResults) { fmt.Fprintln(&report, t) }

	BeforeAll(func(ctx SpecContext) {
		if os.Getenv("MARKET_CATALOG") == "" {
			Skip("skipped: MARKET_CATALOG is not set")
		}
		ns := createNamespace(ctx, "market")
		newest := newCatalogCopy(ctx, ns, "newest", newestSystem, func(string) bool { return true })
		older := map[string]bool{}
		for _, app := range listApps(ctx, ns) {
			if app.Status.Summary == nil {
				continue
			}
			for _, d := range app.Status.Summary.Dependencies {
				if d.Type == "system" && !isInRange(d.Version, newestSystem) {
					older[app.Spec.App] = true
				}
			}
		}
		copies = []*catalogCopy{newest, newCatalogCopy(ctx, ns, "older", olderSystem, func(app string) bool { return older[app] })}
		for i, s := range copies {
			for _, app := range listApps(ctx, ns) {
				summary := app.Status.Summary
				if app.Spec.SourceRef.Name != s.source.Name || summary == nil || summary.Purchase != nil || app.Spec.Withdrawn || i == 0 && older[app.Spec.App] {
					continue
				}
				one := newInstallation(ctx, s.source, candidate{AppInfo: app})
				for _, part := range append(one.servers, one) {
					part.grantClusterAdmin(ctx)
				}
				all, servers = append(all, one), append(servers, one.servers...)
			}
		}
	}, NodeTimeout(actionTimeout))

	expectState := func(ctx context.Context, all []*installation, state transitions.State) {
		GinkgoHelper()
		for _, one := range all {
			Expect(transitions.StateOf(one.Instance(ctx, instanceName(one.app.Spec.App)))).To(Equal(state), one.app.Name)
		}
	}
	// install returns the installations that run, and reports why the others do not.
	installAll := func(ctx context.Context, what string, some []*installation) []*installation {
		GinkgoHelper()
		done := runTasks(ctx, v1alpha1.ActionInstall, some)
		fmt.Fprintf(&report, "%s: ", what)
		addResults(done)
		for reason, apps := range done.reasons {
			Expect(preflightReasons).To(ContainElement(reason), "%v: %v", apps, done.messages)
		}
		some = slices.DeleteFunc(some, func(one *installation) bool { return !one.hasSucceeded() })
		expectState(ctx, some, transitions.Running)
		return some
	}

	It("is installed, stopped, resumed, upgraded, rolled back and removed, except apps that cannot run here", func(ctx SpecContext) {
		fmt.Fprintf(&report, "\n%d apps without a price, on platforms %s and %s\n", len(all), newestSystem, olderSystem)
		servers = installAll(ctx, "shared charts", servers)
		all = slices.DeleteFunc(all, func(one *installation) bool {
			return slices.ContainsFunc(one.servers, func(server *installation) bool { return !server.hasSucceeded() })
		})
		all = installAll(ctx, "apps", all)
		cloneApps(ctx, all, &report)
		both := append(slices.Clone(all), servers...)
		for _, step := range []struct {
			action v1alpha1.Action
			leads  transitions.State
			on     []*installation
			first  func()
		}{
			{v1alpha1.ActionStop, transitions.Stopped, both, func() {}},
			{v1alpha1.ActionResume, transitions.Running, both, func() {
				for _, s := range copies {
					s.bumpVersions(ctx)
				}
			}},
			{v1alpha1.ActionUpgrade, transitions.Running, both, func() {}},
			{v1alpha1.ActionRollback, transitions.Running, both, func() {}},
			{v1alpha1.ActionUninstall, transitions.Uninstalled, all, func() {}},
			{v1alpha1.ActionUninstall, transitions.Uninstalled, servers, func() {}},
		} {
			step.first()
			done := runTasks(ctx, step.action, step.on)
			addResults(done)
			Expect(done.messages).To(BeEmpty(), "%s", done)
			expectState(ctx, step.on, step.leads)
		}
		AddReportEntry("lifecycle of real apps", report.String(), ReportEntryVisibilityAlways)
	}, NodeTimeout(6*actionTimeout))
})

// hasSucceeded reports whether the last task succeeded.
func (i *installation) hasSucceeded() bool {
	return meta.IsStatusConditionTrue(i.task.Status.Conditions, v1alpha1.ConditionSucceeded)
}
