package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// hydratePlain measures the time from the creation of sources of Helm repositories with large
// charts until each of their apps is served or rejected. The reference is the helm command,
// which renders the same archives with two parallel processes.
func (m *benchmark) hydratePlain() {
	if m.plain == "" {
		m.table.addSkipped("hydration of plain charts", "MARKET_PLAIN is not set")
		return
	}
	indexes, err := filepath.Glob(filepath.Join(m.plain, "*", "index.yaml"))
	m.Expect(err).NotTo(HaveOccurred())
	m.Expect(indexes).NotTo(BeEmpty(), "no Helm repository found in %s", m.plain)
	m.createNamespace(marketNamespace)
	server := httptest.NewServer(http.FileServer(http.Dir(m.plain)))
	m.parent.Cleanup(server.Close)
	theirs := m.renderPlain()

	m.Expect(m.operator.resetPeak()).To(Succeed())
	workers := sampleChildren(m.operator.processID())
	before := m.processorUsage()
	all := m.watchObjects(&v1alpha1.MarketSourceList{}, client.InNamespace(marketNamespace))
	begin := time.Now()
	pending := map[types.UID]bool{}
	var sources []*v1alpha1.MarketSource
	for _, index := range indexes {
		name := filepath.Base(filepath.Dir(index))
		source := &v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: marketNamespace, Name: name},
			Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: server.URL + "/" + name}},
		}
		m.Expect(m.cluster.Create(m.ctx, source)).To(Succeed())
		pending[source.UID] = true
		sources = append(sources, source)
	}
	var ready, failed int32
	m.waitUntil(all, func(o client.Object) (bool, error) {
		apps := o.(*v1alpha1.MarketSource).Status.Apps
		if pending[o.GetUID()] && apps != nil && apps.Total > 0 && apps.Ready+apps.Failed == apps.Total {
			delete(pending, o.GetUID())
			ready, failed = ready+apps.Ready, failed+apps.Failed
		}
		return len(pending) == 0, nil
	})
	took := time.Since(begin)
	most := workers.stopSampling()
	r := resultRow{
		work:   fmt.Sprintf("hydrate %d repositories of plain charts with an empty store: %d apps served, %d rejected", len(indexes), ready, failed),
		figure: formatDuration(took), budget: "≤ 0.5 × helm template",
	}
	if theirs > 0 {
		r.reference, r.ratio = "helm template for each archive, 2 in parallel "+formatDuration(theirs), formatRatio(took, theirs)
	}
	m.table.addRow(r)
	m.table.addRow(resultRow{
		work: "maximum memory during this; CPU time",
		figure: fmt.Sprintf("operator %s, all workers %s; %s",
			formatMemory(m.residentMemory("VmHWM")), formatMemory(most), m.processorUsage().formatSince(before)),
	})
	for _, source := range sources {
		m.removeSource(source)
	}
}

// renderPlain renders every plain chart with the helm command and returns how long it took, or 0 if
// there is no helm command. Some of the charts cannot be rendered.
func (m *benchmark) renderPlain() time.Duration {
	m.b.Helper()
	program := os.Getenv("HELM3")
	if program == "" {
		m.table.addSkipped("comparison with helm template", "HELM3 is not set")
		return 0
	}
	archives, err := filepath.Glob(filepath.Join(m.plain, "*", "charts", "*.tgz"))
	m.Expect(err).NotTo(HaveOccurred())
	slices.Sort(archives)
	var jobs []func(context.Context) error
	for _, archive := range archives {
		jobs = append(jobs, func(ctx context.Context) error {
			// The output and the result are ignored; test/plain checks them.
			_ = exec.CommandContext(ctx, program, "template", "release", archive).Run()
			return ctx.Err()
		})
	}
	begin := time.Now()
	m.Expect(runParallel(m.ctx, 2, jobs)).To(Succeed())
	return time.Since(begin)
}
