package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

const (
	// smallApp is an app of the sample market without required inputs.
	smallApp       = "hello"
	serviceAccount = "tenant"
)

// runOneTask measures one task from its creation to Succeeded, alternating with a run of the helm
// command that installs the same archive.
func (m *benchmark) runOneTask() {
	const rounds = 7
	helm, version := m.newHelm(), m.smallVersion().Version
	tasks, commands := m.createTenants("one", rounds), m.createTenants("one-helm", rounds)
	var ours, theirs []time.Duration
	for i := range rounds {
		if helm != nil {
			begin := time.Now()
			m.Expect(helm.installRelease(m.ctx, commands[i], smallApp)).To(Succeed())
			theirs = append(theirs, time.Since(begin))
		}
		ours = append(ours, m.runTasks([]client.Object{m.newTask(tasks[i], smallApp, version)}))
	}
	m.addTasks(fmt.Sprintf("a task with a small chart, from creation to Succeeded, median of %d", rounds), "≤ 0.15 × helm", median(ours),
		"helm install --wait", median(theirs))
}

// runManyTasks measures a hundred concurrent tasks, from the creation of the first to the last
// Succeeded, after a hundred runs of the helm command, eight in parallel.
func (m *benchmark) runManyTasks() {
	const namespaces, each, parallel = 20, 5, 8
	helm, version := m.newHelm(), m.smallVersion().Version
	var theirs time.Duration
	var helmCost processorCost
	if helm != nil {
		var jobs []func(context.Context) error
		for _, namespace := range m.createTenants("many-helm", namespaces) {
			for i := range each {
				jobs = append(jobs, func(ctx context.Context) error {
					return helm.installRelease(ctx, namespace, fmt.Sprint(smallApp, "-", i))
				})
			}
		}
		begin, server := time.Now(), m.apiServerTime()
		m.Expect(runParallel(m.ctx, parallel, jobs)).To(Succeed())
		theirs, helmCost = time.Since(begin), processorCost{programs: time.Duration(helm.used.Load()), apiServer: m.apiServerTime() - server}
	}
	var tasks []client.Object
	for _, namespace := range m.createTenants("many", namespaces) {
		for i := range each {
			tasks = append(tasks, m.newTask(namespace, fmt.Sprint(smallApp, "-", i), version))
		}
	}
	m.Expect(m.operator.resetPeak()).To(Succeed())
	before, server := m.processorUsage(), m.apiServerTime()
	took := m.runTasks(tasks)
	after := m.processorUsage()
	ours := processorCost{programs: after.sum() - before.sum(), apiServer: m.apiServerTime() - server}
	m.addTasks(fmt.Sprintf("%d concurrent tasks in %d namespaces, until all have succeeded", len(tasks), namespaces), "≤ 0.35 × helm", took,
		fmt.Sprintf("helm install --wait, %d in parallel", parallel), theirs)
	m.addCosts(len(tasks), ours, helmCost)
	m.table.addRow(resultRow{work: "maximum memory during this", figure: "operator " + formatMemory(m.residentMemory("VmHWM"))})
}

func (m *benchmark) addTasks(work, budget string, ours time.Duration, peer string, theirs time.Duration) {
	r := resultRow{work: work, figure: formatDuration(ours), budget: budget}
	if theirs > 0 {
		r.reference, r.ratio = peer+" "+formatDuration(theirs), formatRatio(ours, theirs)
	}
	m.table.addRow(r)
}

// createTenants creates namespaces whose service account has the permissions of a namespace
// administrator, and waits until the authorizer uses them.
func (m *benchmark) createTenants(prefix string, count int) []string {
	m.b.Helper()
	m.ensureSamples()
	var names []string
	for i := range count {
		name := fmt.Sprint(prefix, "-", i)
		own := metav1.ObjectMeta{Namespace: name, Name: serviceAccount}
		m.createNamespace(name)
		m.Expect(m.cluster.Create(m.ctx, &corev1.ServiceAccount{ObjectMeta: own})).To(Succeed())
		m.Expect(m.cluster.Create(m.ctx, &rbacv1.RoleBinding{
			ObjectMeta: own,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name, Name: serviceAccount}},
		})).To(Succeed())
		names = append(names, name)
	}
	for _, name := range names {
		m.Eventually(func(g Gomega) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               fmt.Sprintf("system:serviceaccount:%s:%s", name, serviceAccount),
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: name, Verb: "create", Group: "apps", Resource: "deployments"},
			}}
			g.Expect(m.cluster.Create(m.ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(BeTrue())
		}, timeout, 20*time.Millisecond).Should(Succeed())
	}
	return names
}

// ensureSamples creates the source of the sample market unless it exists.
func (m *benchmark) ensureSamples() {
	m.b.Helper()
	key := client.ObjectKey{Namespace: marketNamespace, Name: "samples"}
	if err := m.cluster.Get(m.ctx, key, &v1alpha1.MarketSource{}); err != nil {
		m.Expect(client.IgnoreNotFound(err)).To(Succeed())
		m.applySamples()
	}
}

func (m *benchmark) newTask(namespace, instance, version string) *v1alpha1.AppInstallTask {
	return &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: instance},
		Spec: v1alpha1.AppInstallTaskSpec{
			Action: v1alpha1.ActionInstall, InstanceName: instance, ServiceAccountName: serviceAccount,
			Install: &v1alpha1.AppParameters{Version: version},
			AppRef:  v1alpha1.AppReference{Source: "samples", Namespace: marketNamespace, Name: smallApp},
		},
	}
}

// runTasks creates tasks and returns how long it took until all of them had succeeded. Tasks of
// other measurements, some of which were canceled, are ignored.
func (m *benchmark) runTasks(tasks []client.Object) time.Duration {
	m.b.Helper()
	pending := map[client.ObjectKey]bool{}
	for _, task := range tasks {
		pending[client.ObjectKeyFromObject(task)] = true
	}
	all := m.watchObjects(&v1alpha1.AppInstallTaskList{})
	begin := time.Now()
	created := make(chan error, 1)
	// Tasks are created concurrently because the API server ends a watch that is not read.
	go func() {
		var errs []error
		for _, task := range tasks {
			errs = append(errs, m.cluster.Create(m.ctx, task))
		}
		created <- errors.Join(errs...)
	}()
	m.waitUntil(all, func(o client.Object) (bool, error) {
		key := client.ObjectKeyFromObject(o)
		if !pending[key] {
			return len(pending) == 0, nil
		}
		done, err := isReady(o.(v1alpha1.Object), v1alpha1.ConditionSucceeded)
		if done {
			delete(pending, key)
		}
		return len(pending) == 0, err
	})
	took := time.Since(begin)
	m.Expect(<-created).To(Succeed())
	return took
}

// helmCommand is the helm command with an archive to install.
type helmCommand struct {
	program string
	archive string
	env     []string
	// used is the CPU time of the completed runs, in nanoseconds.
	used atomic.Int64
}

// newHelm returns a command for the archive that the operator publishes, or nil if there is no helm
// command.
func (m *benchmark) newHelm() *helmCommand {
	m.b.Helper()
	program := os.Getenv("HELM3")
	if program == "" {
		m.table.addSkipped("comparison with the helm command", "HELM3 is not set")
		return nil
	}
	home := filepath.Join(m.scratch, "helm")
	h := &helmCommand{program: program, archive: filepath.Join(home, "chart.tgz"), env: append(os.Environ(),
		"KUBECONFIG="+m.kubeconfig, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)}
	m.Expect(os.MkdirAll(home, 0o755)).To(Succeed())
	m.Expect(os.WriteFile(h.archive, m.downloadContent(m.smallVersion().URL), 0o644)).To(Succeed())
	return h
}

// smallVersion returns the published version of smallApp that is installed.
func (m *benchmark) smallVersion() v1alpha1.PublishedVersion {
	m.b.Helper()
	m.ensureSamples()
	app := &v1alpha1.AppInfo{}
	m.Expect(m.cluster.Get(m.ctx, client.ObjectKey{Namespace: marketNamespace, Name: "samples." + smallApp}, app)).To(Succeed())
	m.Expect(app.Status.Versions).NotTo(BeEmpty())
	return app.Status.Versions[0]
}

func (h *helmCommand) installRelease(ctx context.Context, namespace, release string) error {
	cmd := exec.CommandContext(ctx, h.program, "install", release, h.archive, "--namespace", namespace, "--wait")
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil {
		h.used.Add(int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()))
	}
	if err != nil {
		return fmt.Errorf("helm install in %s: %w: %s", namespace, err, lastLine(out))
	}
	return nil
}

// runParallel runs jobs in parallel lanes. A lane skips its remaining jobs after an error.
func runParallel(ctx context.Context, parallel int, jobs []func(context.Context) error) error {
	next := make(chan func(context.Context) error)
	errs := make([]error, parallel)
	var all sync.WaitGroup
	for i := range parallel {
		all.Go(func() {
			for job := range next {
				if errs[i] == nil {
					errs[i] = job(ctx)
				}
			}
		})
	}
	for _, job := range jobs {
		next <- job
	}
	close(next)
	all.Wait()
	return errors.Join(errs...)
}
