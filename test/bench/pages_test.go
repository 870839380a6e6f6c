package bench_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

const (
	manyApps, manyInstances, manySources = 10000, 1000, 5
	// largeNamespace contains the objects of the large market.
	largeNamespace = "large"
	// writers is the number of concurrent writers of these objects.
	writers = 8
)

// servePages measures the web pages with 10,000 apps and 1,000 instances. The objects are written by the
// benchmark while the list of apps is open; the operator is stopped, because it would ask a source for the apps.
func (m *benchmark) servePages() {
	m.Expect(m.operator.stopProcess()).To(Succeed())
	defer m.launchOperator()
	s := m.startPages()
	m.createNamespace(largeNamespace)
	m.createSources()
	defer m.deleteLargeMarket()

	m.writeWhileOpen(s)
	m.createInstances()
	m.Eventually(func() error {
		_, err := s.getPage(m.ctx, 0, fmt.Sprintf("/instances/%s/instance-%d", largeNamespace, manyInstances-1))
		return err
	}, timeout, 100*time.Millisecond).Should(Succeed())
	for _, page := range []struct{ name, path, budget string }{
		{"list of apps", "/apps", "≤ 60 ms"},
		{"search", "/parts/apps?q=number+77", "≤ 40 ms"},
		{"list of instances", "/instances?namespace=" + largeNamespace, ""},
		{"instance", fmt.Sprintf("/instances/%s/instance-%d", largeNamespace, manyInstances/2), "≤ 80 ms"},
	} {
		m.table.addRow(resultRow{
			work:   fmt.Sprintf("page with %d apps and %d instances, first byte, 95th percentile of 200: %s", manyApps, manyInstances, page.name),
			figure: formatDuration(m.measurePage(s, page.path)), budget: page.budget,
		})
	}
	m.measureCompletion()
	resident, err := processMemory(s.processID(), "VmRSS")
	m.Expect(err).NotTo(HaveOccurred())
	m.table.addRow(resultRow{work: "memory of the pages after this", figure: formatMemory(resident), budget: "≤ 150 MiB"})
}

// writeWhileOpen creates the apps while a stream follows their list, and measures the page during this time.
func (m *benchmark) writeWhileOpen(s *pagesServer) {
	m.b.Helper()
	signals, err := s.openStream(m.ctx, 0, live.Topic{Resource: kube.Apps})
	m.Expect(err).NotTo(HaveOccurred())
	defer signals.close()
	begin, written := time.Now(), make(chan error, 1)
	go func() { written <- m.createApps() }()
	var times []time.Duration
	for done := false; !done; {
		select {
		case err := <-written:
			m.Expect(err).NotTo(HaveOccurred())
			done = true
		case <-time.After(100 * time.Millisecond):
			took, err := s.getPage(m.ctx, 1+len(times)%20, "/apps")
			m.Expect(err).NotTo(HaveOccurred())
			times = append(times, took)
		}
	}
	took := time.Since(begin)
	m.table.addRow(resultRow{
		work: fmt.Sprintf("list of apps while %d apps are written, %.0f writes/s: signals in %s; first byte, 95th percentile of %d",
			manyApps, float64(2*manyApps)/took.Seconds(), formatDuration(took), len(times)),
		figure: fmt.Sprintf("%d signals; %s", signals.count(), formatDuration(percentile(times, 95))),
		budget: fmt.Sprintf("≤ %d signals (1 in 2 s)", 1+int(took.Seconds()/2)),
	})
}

// createSources creates the sources of the large market.
func (m *benchmark) createSources() {
	m.b.Helper()
	for i := range manySources {
		m.Expect(m.createUnlessExists(newLargeSource(i))).To(Succeed())
	}
}

// createApps creates the AppInfos of the large market, with a status.
func (m *benchmark) createApps() error {
	return m.forEach(manyApps, func(ctx context.Context, i int) error {
		app := newLargeApp(i)
		if err := m.cluster.Create(ctx, app); err != nil {
			return err
		}
		app.Status = v1alpha1.AppInfoStatus{
			SelectedVersion: "1.2.0", Conditions: []metav1.Condition{readyCondition("Published")},
			Summary: &v1alpha1.AppSummary{
				Title: fmt.Sprint("App number ", i*7919%manyApps), Developer: "Samples Ltd",
				Description: "Admin panels, internal tools and dashboards for a team that works together, with a text of a usual length for an app",
				Categories:  []string{fmt.Sprint("Category ", i%40)}, Architectures: []string{"amd64", "arm64"},
			},
		}
		return m.cluster.Status().Update(ctx, app)
	})
}

// createInstances creates the instances of the large market, with a status.
func (m *benchmark) createInstances() {
	m.b.Helper()
	m.Expect(m.forEach(manyInstances, func(ctx context.Context, i int) error {
		instance := newLargeInstance(i)
		if err := m.cluster.Create(ctx, instance); err != nil {
			return err
		}
		instance.Status.Conditions = []metav1.Condition{readyCondition("Succeeded")}
		return m.cluster.Status().Update(ctx, instance)
	})).To(Succeed())
}

func readyCondition(reason string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: "all objects are ready", LastTransitionTime: metav1.Now()}
}

func newLargeSource(i int) *v1alpha1.MarketSource {
	return &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: largeNamespace, Name: fmt.Sprint("source", i)},
		Spec: v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example.com"}, Suspend: new(true),
		},
	}
}

func newLargeApp(i int) *v1alpha1.AppInfo {
	return &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: largeNamespace, Name: fmt.Sprintf("source%d.app%d", i%manySources, i),
			Labels: map[string]string{v1alpha1.SourceLabel: fmt.Sprint("source", i%manySources), v1alpha1.AppLabel: fmt.Sprint("app", i)},
		},
		Spec: v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: fmt.Sprintf("source%d", i%manySources)}, App: fmt.Sprintf("app%d", i)},
	}
}

func newLargeInstance(i int) *v1alpha1.AppInstance {
	return &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: largeNamespace, Name: fmt.Sprint("instance-", i)},
		Spec: v1alpha1.AppInstanceSpec{
			AppRef:             v1alpha1.AppReference{Namespace: largeNamespace, Source: fmt.Sprint("source", i%manySources), Name: fmt.Sprint("app", i)},
			ServiceAccountName: serviceAccount, Version: "1.2.0",
		},
	}
}

// forEach calls a function for each number below a count, several at a time.
func (m *benchmark) forEach(count int, act func(ctx context.Context, i int) error) error {
	var jobs []func(context.Context) error
	for i := range count {
		jobs = append(jobs, func(ctx context.Context) error { return act(ctx, i) })
	}
	return runParallel(m.ctx, writers, jobs)
}

// deleteLargeMarket deletes the objects of the large market, before the operator reads them.
func (m *benchmark) deleteLargeMarket() {
	m.b.Helper()
	// One request for all of them would exceed the time limit of the API server.
	m.Expect(m.forEach(manyApps, func(ctx context.Context, i int) error { return m.cluster.Delete(ctx, newLargeApp(i)) })).To(Succeed())
	m.Expect(m.forEach(manyInstances, func(ctx context.Context, i int) error { return m.cluster.Delete(ctx, newLargeInstance(i)) })).To(Succeed())
	m.Expect(m.forEach(manySources, func(ctx context.Context, i int) error { return m.cluster.Delete(ctx, newLargeSource(i)) })).To(Succeed())
}

// createUnlessExists creates an object unless there is one of its name.
func (m *benchmark) createUnlessExists(o client.Object) error {
	if err := m.cluster.Create(m.ctx, o); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}
