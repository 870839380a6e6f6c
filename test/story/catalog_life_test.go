package story_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// lifeTime limits the time of one action for all apps.
const lifeTime = 10 * time.Minute

// shelf is a copy of the catalog whose versions can be increased.
type shelf struct {
	folder string
	source *v1alpha1.MarketSource
}

// versionLine matches the chart version in Chart.yaml and in the manifest.
var versionLine = regexp.MustCompile(`(?m)^(\s*version:\s*["']?)(\d+\.\d+\.\d+)(["']?\s*)$`)

// newShelf copies the apps of the catalog that pick selects, and creates a source for them with the
// given platform version.
func newShelf(ctx context.Context, ns, name, system string, pick func(app string) bool) *shelf {
	GinkgoHelper()
	s := &shelf{folder: filepath.Join(scratch, name)}
	catalog := os.Getenv("MARKET_CATALOG")
	apps, err := os.ReadDir(catalog)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.MkdirAll(s.folder, 0o755)).To(Succeed())
	for _, app := range sampleOf(apps) {
		if pick(app.Name()) {
			Expect(os.CopyFS(filepath.Join(s.folder, app.Name()), os.DirFS(filepath.Join(catalog, app.Name())))).To(Succeed())
		}
	}
	s.source = &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.MarketSourceSpec{
			Type:              v1alpha1.SourceTypeDirectory,
			Directory:         &v1alpha1.DirectorySource{Path: s.folder},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
			Platform:          platformOf(system),
		},
	}
	Expect(cluster.Create(ctx, s.source)).To(Succeed())
	eventuallyTrue(ctx, s.source, v1alpha1.ConditionReady)
	return s
}

// sampleSize is the divisor of the sample that a default run uses: one of so many apps. The whole
// catalog takes many minutes.
const sampleSize = 8

// sampleOf returns the folders of the sampled apps in the order of their names: every eighth, or
// all if MARKET_CATALOG_WHOLE is true.
func sampleOf(entries []os.DirEntry) []os.DirEntry {
	whole := os.Getenv("MARKET_CATALOG_WHOLE") == "true"
	var sample []os.DirEntry
	count := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if whole || count%sampleSize == 0 {
			sample = append(sample, e)
		}
		count++
	}
	return sample
}

// platformOf returns the Olares platform with the given version.
func platformOf(system string) *v1alpha1.Platform {
	GinkgoHelper()
	values, err := json.Marshal(map[string]any{"sysVersion": system})
	Expect(err).NotTo(HaveOccurred())
	return &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares, Values: &runtime.RawExtension{Raw: values}}
}

// bump increases the patch version of every app and waits for the new versions to be published.
func (s *shelf) bump(ctx context.Context) {
	GinkgoHelper()
	before := map[string]string{}
	for _, app := range appsIn(ctx, s.source.Namespace) {
		before[app.Name] = app.Status.SelectedVersion
	}
	Expect(filepath.WalkDir(s.folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{"Chart.yaml", "OlaresManifest.yaml"}, entry.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		raised := versionLine.ReplaceAllStringFunc(string(text), func(line string) string {
			parts := versionLine.FindStringSubmatch(line)
			return parts[1] + semver.MustParse(parts[2]).IncPatch().String() + parts[3]
		})
		return os.WriteFile(path, []byte(raised), 0o600)
	})).To(Succeed())
	as := client.MergeFrom(s.source.DeepCopy())
	s.source.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: "bumped"}
	Expect(cluster.Patch(ctx, s.source, as)).To(Succeed())
	Eventually(func(g Gomega) {
		for _, app := range appsIn(ctx, s.source.Namespace) {
			if app.Spec.SourceRef.Name == s.source.Name {
				g.Expect(app.Status.SelectedVersion).NotTo(Equal(before[app.Name]), app.Name)
			}
		}
	}).WithContext(ctx).WithTimeout(lifeTime).WithPolling(time.Second).Should(Succeed())
}

// tally counts the results of the tasks of one round.
type tally struct {
	action  v1alpha1.Action
	good    int
	reasons map[string][]string // apps that failed, by reason
	said    map[string]string   // message by failed app
	took    time.Duration
}

func (t *tally) String() string {
	var bad []string
	for reason, apps := range t.reasons {
		slices.Sort(apps)
		bad = append(bad, fmt.Sprintf("%s %d (%s)", reason, len(apps), strings.Join(apps, " ")))
	}
	slices.Sort(bad)
	return fmt.Sprintf("%-9s %4d well in %5.1f s; %s", t.action, t.good, t.took.Seconds(), strings.Join(bad, ", "))
}

// round creates a task for each installation and waits for all of them to finish. It provides the
// inputs that the tasks require.
func round(ctx context.Context, action v1alpha1.Action, all []*installation) *tally {
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
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(one.task), one.task)).To(Succeed())
			if len(one.task.Status.RequiredInputs) > 0 && !one.task.Finished() && !answered[one.task.Name] {
				answered[one.task.Name] = true
				one.answer(ctx)
			}
		}
		for _, one := range all {
			g.Expect(one.task.Finished()).To(BeTrue(), "%s: %v", one.app.Name, one.task.Status.Conditions)
		}
	}).WithContext(ctx).WithTimeout(lifeTime).WithPolling(500 * time.Millisecond).Should(Succeed())
	t := &tally{action: action, reasons: map[string][]string{}, said: map[string]string{}, took: time.Since(begin)}
	for _, one := range all {
		root := meta.FindStatusCondition(one.task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if root.Status == metav1.ConditionTrue {
			t.good++
		} else {
			t.reasons[root.Reason] = append(t.reasons[root.Reason], one.app.Spec.App)
			t.said[one.app.Spec.App] = root.Message
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

// lend copies the Secrets of the inputs into another namespace, from which a clone reads its
// inputs.
func (i *installation) lend(ctx context.Context, to string) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(cluster.List(ctx, &secrets, client.InNamespace(i.Namespace))).To(Succeed())
	for _, s := range secrets.Items {
		if strings.HasPrefix(s.Name, "input-") {
			Expect(cluster.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: to, Name: s.Name}, Data: s.Data,
			})).To(Succeed())
		}
	}
}

// clones copies each app that can be cloned, into another namespace if required, and checks that
// the copy runs while the original runs.
func clones(ctx context.Context, all []*installation, report *strings.Builder) {
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
		twin := &installation{tenant: newTenant(ctx, one.Source), app: one.app}
		twin.allowAll(ctx)
		one.lend(ctx, twin.Namespace)
		twin.task = twin.tenant.Task(ctx, v1alpha1.ActionClone, one.app.Spec.App, func(s *v1alpha1.AppInstallTaskSpec) {
			s.InstanceName, s.EnsureParameters().Title = "twin", "A copy"
			s.Clone.From = v1alpha1.CloneSource{Name: instanceName(one.app.Spec.App), Namespace: one.Namespace}
			for _, e := range summary.Entrances {
				if !e.Hidden {
					s.EnsureParameters().Entrances = append(s.EnsureParameters().Entrances, v1alpha1.EntranceTitle{Name: e.Name, Title: "Copy of " + e.Name[:min(len(e.Name), 20)]})
				}
			}
		})
		copies = append(copies, twin)
	}
	for _, twin := range copies {
		twin.succeed(ctx, twin.task)
	}
	for _, one := range all {
		Expect(transitions.StateOf(one.Instance(ctx, instanceName(one.app.Spec.App)))).To(Equal(transitions.Running), one.app.Name)
	}
	fmt.Fprintf(report, "clones    %d run beside their originals in namespaces of their own; verdicts of those that run: %v\n", len(copies), verdicts)
	for _, twin := range copies {
		twin.succeed(ctx, twin.tenant.Task(ctx, v1alpha1.ActionUninstall, twin.app.Spec.App, func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = "twin" }))
	}
}

var _ = Describe("A catalog of real apps", Ordered, func() {
	var shelves []*shelf
	var all, servers []*installation
	var report strings.Builder

	tell := func(t *tally) { fmt.Fprintln(&report, t) }

	BeforeAll(func(ctx SpecContext) {
		if os.Getenv("MARKET_CATALOG") == "" {
			Skip("left out: MARKET_CATALOG is not set")
		}
		ns := namespace(ctx, "market")
		newest := newShelf(ctx, ns, "newest", newestSystem, func(string) bool { return true })
		older := map[string]bool{}
		for _, app := range appsIn(ctx, ns) {
			if app.Status.Summary == nil {
				continue
			}
			for _, d := range app.Status.Summary.Dependencies {
				if d.Type == "system" && !isFor(d.Version, newestSystem) {
					older[app.Spec.App] = true
				}
			}
		}
		shelves = []*shelf{newest, newShelf(ctx, ns, "older", olderSystem, func(app string) bool { return older[app] })}
		for i, s := range shelves {
			for _, app := range appsIn(ctx, ns) {
				summary := app.Status.Summary
				if app.Spec.SourceRef.Name != s.source.Name || summary == nil || summary.Purchase != nil || app.Spec.Withdrawn || i == 0 && older[app.Spec.App] {
					continue
				}
				one := newInstallation(ctx, s.source, candidate{AppInfo: app})
				for _, part := range append(one.servers, one) {
					part.allowAll(ctx)
				}
				all, servers = append(all, one), append(servers, one.servers...)
			}
		}
	}, NodeTimeout(lifeTime))

	in := func(ctx context.Context, all []*installation, state transitions.State) {
		GinkgoHelper()
		for _, one := range all {
			Expect(transitions.StateOf(one.Instance(ctx, instanceName(one.app.Spec.App)))).To(Equal(state), one.app.Name)
		}
	}
	// install returns the installations that run, and reports why the others do not.
	install := func(ctx context.Context, what string, some []*installation) []*installation {
		GinkgoHelper()
		done := round(ctx, v1alpha1.ActionInstall, some)
		fmt.Fprintf(&report, "%s: ", what)
		tell(done)
		for reason, apps := range done.reasons {
			Expect(preflightReasons).To(ContainElement(reason), "%v: %v", apps, done.said)
		}
		some = slices.DeleteFunc(some, func(one *installation) bool { return !one.ran() })
		in(ctx, some, transitions.Running)
		return some
	}

	It("is installed, stopped, resumed, upgraded, rolled back and removed, but for what cannot run here", func(ctx SpecContext) {
		fmt.Fprintf(&report, "\n%d apps offered without being bought, on platforms %s and %s\n", len(all), newestSystem, olderSystem)
		servers = install(ctx, "what serves the cluster", servers)
		all = slices.DeleteFunc(all, func(one *installation) bool {
			return slices.ContainsFunc(one.servers, func(server *installation) bool { return !server.ran() })
		})
		all = install(ctx, "what people use", all)
		clones(ctx, all, &report)
		both := append(slices.Clone(all), servers...)
		for _, step := range []struct {
			action v1alpha1.Action
			leads  transitions.State
			on     []*installation
			first  func()
		}{
			{v1alpha1.ActionStop, transitions.Stopped, both, func() {}},
			{v1alpha1.ActionResume, transitions.Running, both, func() {
				for _, s := range shelves {
					s.bump(ctx)
				}
			}},
			{v1alpha1.ActionUpgrade, transitions.Running, both, func() {}},
			{v1alpha1.ActionRollback, transitions.Running, both, func() {}},
			{v1alpha1.ActionUninstall, transitions.Removed, all, func() {}},
			{v1alpha1.ActionUninstall, transitions.Removed, servers, func() {}},
		} {
			step.first()
			done := round(ctx, step.action, step.on)
			tell(done)
			Expect(done.said).To(BeEmpty(), "%s", done)
			in(ctx, step.on, step.leads)
		}
		AddReportEntry("lives of real apps", report.String(), ReportEntryVisibilityAlways)
	}, NodeTimeout(6*lifeTime))
})

// ran reports whether the last task succeeded.
func (i *installation) ran() bool {
	return meta.IsStatusConditionTrue(i.task.Status.Conditions, v1alpha1.ConditionSucceeded)
}
