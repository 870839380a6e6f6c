package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// slowSources is the number of sources of each attacker with slow servers, and slowApps the number of apps.
const slowSources, slowApps = 8, 12

// slowServer is a server that sends some of its responses at one byte per second.
type slowServer struct {
	*httptest.Server
	// pending is the number of responses that are being sent slowly.
	pending atomic.Int64
}

// newSlowServer returns a server on which the paths with a suffix are slow, and which lists apps at all others.
func newSlowServer(suffix string) *slowServer {
	s := &slowServer{}
	var offers []fixture.Offer
	for i := range slowApps {
		offers = append(offers, fixture.Offer{Name: fmt.Sprint("slow-", i), Version: "1.0.0", URL: fmt.Sprintf("%d.tgz", i)})
	}
	index := fixture.Content(fixture.IndexOf(offers...))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			index(w, r)
			return
		}
		s.pending.Add(1)
		defer s.pending.Add(-1)
		sendSlowly(w, r)
	}))
	DeferCleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// sendSlowly sends a byte per second until the client closes the connection.
func sendSlowly(w http.ResponseWriter, r *http.Request) {
	for {
		if _, err := w.Write([]byte("#")); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return
		}
	}
}

// addSources creates sources with the longest timeout, which do not share their listings. They are deleted when the
// spec ends.
func (s *slowServer) addSources(ctx SpecContext, t *fixture.Tenant, count int) {
	GinkgoHelper()
	for i := range count {
		url := fmt.Sprintf("%s/%s/%d", s.URL, t.Namespace, i)
		t.CreateSource(ctx, t.Namespace, fmt.Sprint("slow-", i), url, func(s *v1alpha1.MarketSourceSpec) { s.Timeout = "10m" })
	}
	DeferCleanup(func(ctx SpecContext) {
		s.CloseClientConnections()
		Expect(t.Client.DeleteAllOf(ctx, &v1alpha1.MarketSource{}, client.InNamespace(t.Namespace))).To(Succeed())
	})
}

// slowRequestFailures returns the reasons of the sources and apps of a namespace whose requests were ended because they
// were slow.
func slowRequestFailures(ctx context.Context, namespace string) ([]string, error) {
	var sources v1alpha1.MarketSourceList
	var apps v1alpha1.AppInfoList
	err := errors.Join(cluster.Client.List(ctx, &sources, client.InNamespace(namespace)), cluster.Client.List(ctx, &apps, client.InNamespace(namespace)))
	var conditions []metav1.Condition
	for i := range sources.Items {
		conditions = append(conditions, sources.Items[i].Status.Conditions...)
	}
	for i := range apps.Items {
		conditions = append(conditions, apps.Items[i].Status.Conditions...)
	}
	var reasons []string
	for _, c := range conditions {
		if c.Type == v1alpha1.ConditionReady && strings.Contains(c.Message, "the server responds slowly") {
			reasons = append(reasons, c.Reason)
		}
	}
	return reasons, err
}

// Each namespace would hold as many slots as it may have for ten minutes. The other tenant waits for its turn only.
var _ = DescribeTable("Servers that send one byte per second", Serial, func(ctx SpecContext, namespaces int, suffix string, sources int, slots int) {
	server := newSlowServer(suffix)
	runAttack(ctx, func() string {
		var attacker *fixture.Tenant
		for range namespaces {
			attacker = newTenant(ctx)
			server.addSources(ctx, attacker, sources)
		}
		Eventually(server.pending.Load).WithContext(ctx).Should(BeNumerically(">=", slots), "the attack uses all slots")
		victim := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(neighborChart)
		victim.AddSource(ctx, repository)
		waitReady(ctx, victim, victim.Source, v1alpha1.ReasonReady)
		app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: victim.Namespace, Name: "charts." + neighborChart.Name}}
		waitReady(ctx, victim, app, v1alpha1.ReasonReady)
		Eventually(slowRequestFailures).WithContext(ctx).WithArguments(attacker.Namespace).Should(ContainElement(v1alpha1.ReasonFetchFailed))
		return fmt.Sprintf("a source and its app are Ready while %d responses are pending", server.pending.Load())
	})
},
	Entry("to the sources of 2 namespaces do not delay others", 2, "index.yaml", slowSources, 4),
	Entry("to the sources of 20 namespaces do not delay others", 20, "index.yaml", slowSources, 4),
	Entry("to the hydrations of 2 namespaces do not delay others", 2, ".tgz", 1, 8),
	Entry("to the hydrations of 20 namespaces do not delay others", 20, ".tgz", 1, 8),
)
