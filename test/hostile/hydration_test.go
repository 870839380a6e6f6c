package hostile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// hydrationCase is an archive or chart that a source offers, with the expected result.
type hydrationCase struct {
	// archive is what the source serves, unless handler is set.
	archive []byte
	handler http.HandlerFunc
	// url is the address in the index. It defaults to the address of the source.
	url string
	// reason is the reason of the Ready condition of the AppInfo. It is Ready if the chart stays
	// within the limits and is published.
	reason string
	change []func(*v1alpha1.MarketSourceSpec)
}

// chartCase returns a chart whose AppInfo gets the given reason.
func chartCase(reason string, files fixture.Files) func() hydrationCase {
	return func() hydrationCase { return hydrationCase{archive: newChart(files).Archive(), reason: reason} }
}

// newChart returns a valid chart with additional files.
func newChart(files fixture.Files) fixture.Chart {
	return fixture.Chart{Name: "victim", Files: fixture.Files{"templates/page.yaml": configMap("{{ .Release.Name }}", "  a: b\n")}}.With("1.0.0", files)
}

// hydrateApp offers an app, waits until its AppInfo has the reason, and returns the message.
func hydrateApp(ctx SpecContext, t *fixture.Tenant, h hydrationCase) string {
	GinkgoHelper()
	repository := fixture.NewRepository()
	offer := fixture.Offer{Name: "victim", Version: "1.0.0", URL: "victim.tgz"}
	if h.archive != nil {
		offer = fixture.NewOffer("victim", "1.0.0", "victim.tgz", h.archive)
		h.handler = fixture.Content(h.archive)
	}
	if h.handler != nil {
		repository.Handle("/victim.tgz", h.handler)
	}
	if h.url != "" {
		offer.URL = h.url
	}
	repository.Serve("/index.yaml", fixture.IndexOf(offer))
	t.AddSource(ctx, repository, h.change...)
	app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts.victim"}}
	message := waitReady(ctx, t, app, h.reason)
	if h.reason != v1alpha1.ReasonReady {
		Expect(app.Status.Versions).To(BeEmpty())
	}
	return "AppInfo " + h.reason + ": " + truncateMessage(message)
}

// waitReady waits until the Ready condition of an object has a reason and is not Unknown, and
// returns the message. It fails when the object is Stalled with another reason.
func waitReady(ctx context.Context, t *fixture.Tenant, o v1alpha1.Object, reason string) string {
	GinkgoHelper()
	var message string
	Eventually(func(g Gomega) {
		g.Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		c := meta.FindStatusCondition(o.GetConditions(), v1alpha1.ConditionReady)
		g.Expect(c).NotTo(BeNil())
		if c.Status == metav1.ConditionTrue || meta.IsStatusConditionTrue(o.GetConditions(), v1alpha1.ConditionStalled) {
			if c.Reason != reason {
				StopTrying(fmt.Sprintf("the reason is %s, not %s: %s", c.Reason, reason, c.Message)).Now()
			}
		}
		g.Expect(c.Status).NotTo(Equal(metav1.ConditionUnknown), c.Message)
		g.Expect(c.Reason).To(Equal(reason), c.Message)
		message = c.Message
	}).WithContext(ctx).Should(Succeed())
	return message
}

// truncateMessage returns the beginning of a message for the table.
func truncateMessage(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if runes := []rune(message); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return message
}

// randomText returns incompressible bytes, so that an archive with them does not count as an archive
// bomb.
func randomText(size int) string {
	raw := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(raw) // It never fails.
	return string(raw)
}

// inParallel calls a function with the numbers 0 to count-1, in 16 goroutines.
func inParallel(count int, call func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			defer GinkgoRecover()
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				call(i)
			}
		})
	}
	workers.Wait()
}
