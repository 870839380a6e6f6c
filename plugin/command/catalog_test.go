package command_test

import (
	"context"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// newMarket creates the market that the tests of this package share.
func (p *plugin) newMarket() {
	p.t.Helper()
	if _, exists := created.LoadOrStore("objects of the market", true); exists {
		return
	}
	p.namespace("market")
	p.createWithStatus(&v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: "samples"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"}},
		Status: v1alpha1.MarketSourceStatus{
			Conditions:    []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "2 of 2 apps served")},
			Apps:          &v1alpha1.AppCounts{Total: 2, Ready: 2},
			RepositoryURL: "https://market.example/market/samples",
		},
	})
	p.createWithStatus(newApp("market", "wiki", "2.4.0", "Pages for a team"))
	p.createWithStatus(newApp("market", "board", "1.0.0", "Cards on a board, \x1b[31mred\x1b[0m"))
	failed := newApp("market", "broken", "", "")
	failed.Status = v1alpha1.AppInfoStatus{Conditions: []metav1.Condition{
		condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRenderFailed, "templates/page.yaml:3: unexpected {{end}}"),
	}}
	p.createWithStatus(failed)
}

func TestCatalogCommands(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("team")
	p.createWithStatus(newInstance("team", "wiki"))
	expectGolden(t, "search",
		p.run("search -n team"), p.run("search PAGES -n team"), p.run("search -o wide -n team"), p.run("search --failed"),
		p.run("search --category tools --no-headers"), p.run("search --source other"), p.run("search -o name"), p.run("search nothing"))
	expectGolden(t, "show",
		p.run("show samples/wiki"), p.run("show wiki --inputs -o wide"), p.run("show market/samples/wiki --versions"),
		p.run("show broken"), p.run("show nothing"), p.run("show market/samples/nothing"), p.run("show a/b/c/d"), p.run("show"))
	expectGolden(t, "images",
		p.run("images wiki"), p.run("images wiki --platform linux/arm64"), p.run("images wiki -o name"), p.run("images wiki --market market -o wide"))
	expectGolden(t, "sources", p.run("sources"), p.run("sources -o wide"), p.run("sources -o name"))
}

func TestHiddenApps(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("hidden")
	hidden, yes := newApp(namespace, "engine", "1.0.0", "Required by other apps"), true
	hidden.Spec.Hidden = &yes
	p.createWithStatus(hidden)
	expectGolden(t, "hidden", p.run("search --market hidden -n team"), p.run("search --market hidden -n team --hidden"), p.run("show engine --market hidden --versions"))
}

func TestAppThatTwoSourcesOffer(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	other := newApp(p.namespace("othermarket"), "board", "3.0.0", "")
	p.createWithStatus(other)
	t.Cleanup(func() {
		NewWithT(t).Expect(p.env.Client.Delete(context.WithoutCancel(t.Context()), other)).To(Succeed())
	})
	expectGolden(t, "ambiguous",
		p.run("show board"), p.run("show board --market market --versions"), p.run("show board -n othermarket --versions"))
}

func TestUserWithoutPermissions(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "guest")
	expectGolden(t, "forbidden",
		p.run("search"), p.run("show market/samples/wiki"), p.run("apps -n team"), p.run("apps -A"), p.run("status wiki -n team"),
		p.run("install market/samples/wiki -n team"), p.run("sources"))
}

// TestFailuresAreNotHidden runs commands for which a missing object is no error, with an API server that fails.
func TestFailuresAreNotHidden(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.startGateway("/apis/appmarket.io/v1alpha1/namespaces/fails", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no storage", http.StatusInternalServerError)
	}))
	for _, line := range []string{"search -n fails", "install samples/wiki -n fails --dry-run=client -o yaml", "adopt wiki --app samples/wiki -n fails --dry-run=client -o yaml"} {
		r := p.run(line)
		g := NewWithT(t)
		g.Expect(r.code).To(Equal(1), line)
		g.Expect(r.out).To(BeEmpty())
		g.Expect(r.errOut).To(ContainSubstring("no storage"))
	}
}

func TestCatalogObjectsAreParseable(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	for _, line := range []string{"search -o json", "show wiki -o json", "images wiki -o json", "sources -o json"} {
		g := NewWithT(t)
		r := p.run(line)
		g.Expect(r.code).To(BeZero(), r.errOut)
		g.Expect(r.out).To(HavePrefix("{\n"), line)
		g.Expect(r.out).To(ContainSubstring(`"apiVersion": "appmarket.io/v1alpha1"`), line)
	}
}
