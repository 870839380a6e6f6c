package app

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
)

func TestDamageIsReportedOnceForEachApp(t *testing.T) {
	g := NewWithT(t)
	received := make(chan event.GenericEvent)
	reports := appReporter{events: received}
	damaged := chartrepo.DamagedRecord{Owner: hydrate.Owner{Namespace: "market", Source: "main"}, App: "web"}
	for range 100 {
		reports.reportDamage(damaged)
		reports.reportDamage(chartrepo.DamagedRecord{Path: "records/unknown"})
	}
	var one event.GenericEvent
	g.Eventually(received).Should(Receive(&one))
	g.Expect(one.Object.GetNamespace() + "/" + one.Object.GetName()).To(Equal("market/main.web"))
	g.Consistently(received, 100*time.Millisecond).ShouldNot(Receive(), "reported once")

	reports.reportDamage(damaged)
	g.Eventually(received).Should(Receive(), "damaged again")
}
