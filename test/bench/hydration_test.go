package bench_test

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// keeper is the namespace of the market.
const keeper = "market"

// shortest is the shortest allowed interval of a source.
const shortest v1alpha1.Duration = "10s"

// hydrateCatalog measures the time from the creation of a source with real charts until all of them
// are served. The operator starts with an empty store.
func (m *measure) hydrateCatalog() {
	if !m.needsCatalog("hydration of real charts") {
		return
	}
	engine := m.child("engine", m.catalog, "GOMAXPROCS=1")
	m.namespace(keeper)
	m.Expect(m.operator.forgetPeak()).To(Succeed())
	workers := watchOffspring(m.operator.pid())
	log, before := m.auditEnd(), m.processors()
	begin := time.Now()
	m.market = m.apply("catalog", v1alpha1.MarketSourceSpec{
		Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: m.catalog},
	})
	took := time.Since(begin)
	most := workers.end()
	apps, writes, used := m.market.Status.Apps, m.writesSince(log), m.processors().since(before)
	m.Expect(writes.total()).To(BeNumerically(">=", apps.Total), "an app takes a write at least, so the count is wrong")
	m.Expect(apps.Ready).To(Equal(apps.Total), "%v", m.market.Status.Failures)
	m.table.add(row{
		work:   fmt.Sprintf("hydrate %d real apps, cold, from apply to all Ready", apps.Total),
		figure: seconds(took), budget: "≤ 4 s",
		reference: fmt.Sprintf("helm template in process, one core, %d renders: %s", engine.Count, seconds(engine.Took)), ratio: ratio(took, engine.Took),
	})
	m.table.add(row{
		work: "memory while doing so, most ever; processor time; writes",
		figure: fmt.Sprintf("operator %s, workers together %s; %s; %s",
			mebibytes(m.resident("VmHWM")), mebibytes(most), used, writes),
	})
}

// syncUnchanged measures syncs of unchanged sources: the catalog as a folder, and then the same
// charts over HTTP.
func (m *measure) syncUnchanged() {
	if !m.needsCatalog("sync of real charts with nothing changed") || m.market == nil {
		return
	}
	m.serveCatalog()
	m.fetchEverything()
	m.settle()
	m.table.add(row{
		work: "sync again by hand, nothing changed, folder", figure: seconds(m.median(m.trigger)), budget: "< 50 ms",
	})
	m.table.add(row{
		work:   fmt.Sprintf("memory, %d apps served, every archive fetched once, idle", m.market.Status.Apps.Total),
		figure: mebibytes(m.resident("VmRSS")), budget: "≤ 150 MiB (347 apps)",
	})
	m.remove(m.market)
	begin := time.Now()
	m.market = m.apply("repository", v1alpha1.MarketSourceSpec{
		Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: m.catalogServer.URL},
	})
	m.table.add(row{work: "hydrate the same apps from a Helm repository over HTTP, cold", figure: seconds(time.Since(begin))})
	m.settle()
	m.catalogServer.reset()
	took := m.median(m.trigger)
	m.table.add(row{
		work: "sync again by hand, nothing changed, HTTP",
		figure: fmt.Sprintf("%s, requests: %.3g, bytes: %.3g", seconds(took),
			float64(m.catalogServer.requests.Load())/syncs, float64(m.catalogServer.bytes.Load())/syncs),
		budget: "< 100 ms, 1 request, 0 bytes", reference: fmt.Sprintf("the index has %d bytes", m.catalogServer.indexBytes()),
	})
	m.syncByInterval()
}

// syncs is the number of requested syncs of each source. It is odd, for the median.
const syncs = 5

func (m *measure) median(each func() time.Duration) time.Duration {
	var took []time.Duration
	for range syncs {
		took = append(took, each())
	}
	return median(took)
}

// syncByInterval measures the cost of syncs by interval. Requested syncs are no substitute, because
// the request and its acknowledgment are writes.
func (m *measure) syncByInterval() {
	m.b.Helper()
	const window = 25 * time.Second
	patch := client.MergeFrom(m.market.DeepCopy())
	m.market.Spec.Interval = shortest
	m.Expect(m.cluster.Patch(m.ctx, m.market, patch)).To(Succeed())
	m.settle()
	m.catalogServer.reset()
	log := m.auditEnd()
	select {
	case <-time.After(window):
	case <-m.ctx.Done():
	}
	m.table.add(row{
		work: fmt.Sprintf("%s with an interval of %s, nothing changed, HTTP", window, shortest),
		figure: fmt.Sprintf("requests: %d, bytes: %d, writes: %d",
			m.catalogServer.requests.Load(), m.catalogServer.bytes.Load(), m.writesSince(log).total()),
		budget: "0 bytes, 0 writes",
	})
}

// trigger requests a sync and returns how long it took until the status of the source acknowledged
// it.
func (m *measure) trigger() time.Duration {
	m.b.Helper()
	key := client.ObjectKeyFromObject(m.market)
	m.Expect(m.cluster.Get(m.ctx, key, m.market)).To(Succeed())
	all := m.follow(&v1alpha1.MarketSourceList{}, client.InNamespace(keeper))
	begin := time.Now()
	m.request(begin.Format(time.RFC3339Nano))
	m.until(all, func(o client.Object) (bool, error) {
		source := o.(*v1alpha1.MarketSource)
		return source.Name == key.Name && source.Status.LastHandledReconcileAt == begin.Format(time.RFC3339Nano), nil
	})
	return time.Since(begin)
}

// request sets the annotation that requests a sync.
func (m *measure) request(value string) {
	m.b.Helper()
	patch := client.MergeFrom(m.market.DeepCopy())
	metav1.SetMetaDataAnnotation(&m.market.ObjectMeta, v1alpha1.ReconcileRequestAnnotation, value)
	m.Expect(m.cluster.Patch(m.ctx, m.market, patch)).To(Succeed())
}

// hydrateChanged measures the time from the request until eight changed charts of the source are
// served.
func (m *measure) hydrateChanged() {
	if m.catalogServer == nil || m.market == nil {
		m.table.leaveOut("eight changed charts", "needs the measure quiet")
		return
	}
	const changes = 8
	before := m.digests()
	changed := m.changeCharts(changes)
	apps := m.follow(&v1alpha1.AppInfoList{}, client.InNamespace(keeper))
	begin := time.Now()
	m.request(begin.Format(time.RFC3339Nano))
	pending := map[string]bool{}
	for _, app := range changed {
		pending[app] = true
	}
	m.until(apps, func(o client.Object) (bool, error) {
		app := o.(*v1alpha1.AppInfo)
		ready, err := settled(app, v1alpha1.ConditionReady)
		if ready && pending[app.Spec.App] && app.Status.Versions[0].SourceDigest != before[app.Spec.App] {
			delete(pending, app.Spec.App)
		}
		return len(pending) == 0, err
	})
	m.table.add(row{
		work: fmt.Sprintf("%d charts changed, from the trigger to all Ready", changes), figure: seconds(time.Since(begin)), budget: "< 0.5 s",
	})
}
