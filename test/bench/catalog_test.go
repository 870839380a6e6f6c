package bench_test

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// marketNamespace is the namespace of the market.
const marketNamespace = "market"

// minInterval is the shortest allowed interval of a source.
const minInterval v1alpha1.Duration = "10s"

// hydrateCatalog measures the time from the creation of a source with real charts until all of them
// are served. The operator starts with an empty store.
func (m *benchmark) hydrateCatalog() {
	if !m.hasCatalog("hydration of real charts") {
		return
	}
	engine := m.runChildProcess("engine", m.catalog, "GOMAXPROCS=1")
	m.createNamespace(marketNamespace)
	m.Expect(m.operator.resetPeak()).To(Succeed())
	workers := sampleChildren(m.operator.processID())
	log, before := m.auditEnd(), m.processorUsage()
	begin := time.Now()
	m.market = m.applySource("catalog", v1alpha1.MarketSourceSpec{
		Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: m.catalog},
	})
	took := time.Since(begin)
	most := workers.stopSampling()
	apps, writes, used := m.market.Status.Apps, m.writesSince(log), m.processorUsage().formatSince(before)
	m.Expect(writes.sum()).To(BeNumerically(">=", apps.Total), "each app causes at least one write")
	m.Expect(apps.Ready).To(Equal(apps.Total), "%v", m.market.Status.Failures)
	m.table.addRow(resultRow{
		work:   fmt.Sprintf("hydrate %d real apps with an empty store, from apply until all are Ready", apps.Total),
		figure: formatDuration(took), budget: "≤ 4 s",
		reference: fmt.Sprintf("helm template in process, one core, %d renders: %s", engine.Count, formatDuration(engine.Took)), ratio: formatRatio(took, engine.Took),
	})
	m.table.addRow(resultRow{
		work: "maximum memory during this; CPU time; writes",
		figure: fmt.Sprintf("operator %s, all workers %s; %s; %s",
			formatMemory(m.residentMemory("VmHWM")), formatMemory(most), used, writes),
	})
}

// syncUnchanged measures syncs of unchanged sources: the catalog as a folder, and then the same
// charts over HTTP.
func (m *benchmark) syncUnchanged() {
	if !m.hasCatalog("sync of real charts without changes") || m.market == nil {
		return
	}
	m.serveCatalog()
	m.fetchAllArchives()
	m.waitIdle()
	m.table.addRow(resultRow{
		work: "requested sync without changes, folder", figure: formatDuration(m.medianOf(m.triggerSync)), budget: "< 50 ms",
	})
	m.table.addRow(resultRow{
		work:   fmt.Sprintf("memory when idle, %d apps served, every archive fetched once", m.market.Status.Apps.Total),
		figure: formatMemory(m.residentMemory("VmRSS")), budget: "≤ 150 MiB (347 apps)",
	})
	m.removeSource(m.market)
	begin := time.Now()
	m.market = m.applySource("repository", v1alpha1.MarketSourceSpec{
		Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: m.catalogServer.URL},
	})
	m.table.addRow(resultRow{work: "hydrate the same apps from a Helm repository over HTTP with an empty store", figure: formatDuration(time.Since(begin))})
	m.waitIdle()
	m.catalogServer.resetCounts()
	took := m.medianOf(m.triggerSync)
	m.table.addRow(resultRow{
		work: "requested sync without changes, HTTP",
		figure: fmt.Sprintf("%s, requests: %.3g, bytes: %.3g", formatDuration(took),
			float64(m.catalogServer.requests.Load())/syncs, float64(m.catalogServer.bytes.Load())/syncs),
		budget: "< 100 ms, 1 request, 0 bytes", reference: fmt.Sprintf("the index has %d bytes", m.catalogServer.indexBytes()),
	})
	m.syncByInterval()
}

// syncs is the number of requested syncs of each source. It is odd, for the median.
const syncs = 5

func (m *benchmark) medianOf(each func() time.Duration) time.Duration {
	var took []time.Duration
	for range syncs {
		took = append(took, each())
	}
	return median(took)
}

// syncByInterval measures the cost of syncs by interval. Requested syncs are no substitute, because
// the request and its acknowledgment are writes.
func (m *benchmark) syncByInterval() {
	m.b.Helper()
	const window = 25 * time.Second
	patch := client.MergeFrom(m.market.DeepCopy())
	m.market.Spec.Interval = minInterval
	m.Expect(m.cluster.Patch(m.ctx, m.market, patch)).To(Succeed())
	m.waitIdle()
	m.catalogServer.resetCounts()
	log := m.auditEnd()
	select {
	case <-time.After(window):
	case <-m.ctx.Done():
	}
	m.table.addRow(resultRow{
		work: fmt.Sprintf("%s with an interval of %s without changes, HTTP", window, minInterval),
		figure: fmt.Sprintf("requests: %d, bytes: %d, writes: %d",
			m.catalogServer.requests.Load(), m.catalogServer.bytes.Load(), m.writesSince(log).sum()),
		budget: "0 bytes, 0 writes",
	})
}

// triggerSync requests a sync and returns how long it took until the status of the source acknowledged
// it.
func (m *benchmark) triggerSync() time.Duration {
	m.b.Helper()
	key := client.ObjectKeyFromObject(m.market)
	m.Expect(m.cluster.Get(m.ctx, key, m.market)).To(Succeed())
	all := m.watchObjects(&v1alpha1.MarketSourceList{}, client.InNamespace(marketNamespace))
	begin := time.Now()
	m.requestSync(begin.Format(time.RFC3339Nano))
	m.waitUntil(all, func(o client.Object) (bool, error) {
		source := o.(*v1alpha1.MarketSource)
		return source.Name == key.Name && source.Status.LastHandledReconcileAt == begin.Format(time.RFC3339Nano), nil
	})
	return time.Since(begin)
}

// requestSync sets the annotation that requests a sync.
func (m *benchmark) requestSync(value string) {
	m.b.Helper()
	patch := client.MergeFrom(m.market.DeepCopy())
	metav1.SetMetaDataAnnotation(&m.market.ObjectMeta, v1alpha1.ReconcileRequestAnnotation, value)
	m.Expect(m.cluster.Patch(m.ctx, m.market, patch)).To(Succeed())
}

// hydrateChanged measures the time from the request until eight changed charts of the source are
// served.
func (m *benchmark) hydrateChanged() {
	if m.catalogServer == nil || m.market == nil {
		m.table.addSkipped("eight changed charts", "requires the benchmark quiet")
		return
	}
	const changes = 8
	before := m.sourceDigests()
	changed := m.changeCharts(changes)
	apps := m.watchObjects(&v1alpha1.AppInfoList{}, client.InNamespace(marketNamespace))
	begin := time.Now()
	m.requestSync(begin.Format(time.RFC3339Nano))
	pending := map[string]bool{}
	for _, app := range changed {
		pending[app] = true
	}
	m.waitUntil(apps, func(o client.Object) (bool, error) {
		app := o.(*v1alpha1.AppInfo)
		ready, err := isReady(app, v1alpha1.ConditionReady)
		if ready && pending[app.Spec.App] && app.Status.Versions[0].SourceDigest != before[app.Spec.App] {
			delete(pending, app.Spec.App)
		}
		return len(pending) == 0, err
	})
	m.table.addRow(resultRow{
		work: fmt.Sprintf("%d changed charts, from the request until all are Ready", changes), figure: formatDuration(time.Since(begin)), budget: "< 0.5 s",
	})
}
