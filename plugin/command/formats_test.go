package command_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// newFormatsMarket creates an object of each kind in a namespace that is also the market.
func (p *plugin) newFormatsMarket(namespace string) {
	p.t.Helper()
	p.namespace(namespace)
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "samples"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"}},
	}
	app := newApp(namespace, "wiki", "2.4.0", "Pages for a team")
	for _, o := range []client.Object{source, app} {
		p.createWithStatus(o)
		p.deleteAtEnd(o)
	}
	p.createWithStatus(newInstance(namespace, "wiki"))
	done := newTask(namespace, "upgrade-wiki-aaaaa", v1alpha1.ActionUpgrade)
	hasSucceeded(done)
	p.createWithStatus(done)
	p.createWithStatus(newTask(namespace, "install-wiki-bbbbb", v1alpha1.ActionInstall))
	p.create(&corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: "wiki.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "AppInstance", Name: "wiki", Namespace: namespace},
		Type:           corev1.EventTypeNormal, Reason: "Upgraded", Message: "upgraded to 2.3.1", LastTimestamp: metav1.Now(),
	})
}

func TestFormatsOfCommandsThatRead(t *testing.T) {
	p := newPlugin(t)
	p.newFormatsMarket("formats")
	const in = " -n formats --market formats"
	var results []result
	for _, line := range []string{
		"search -o yaml", "show wiki -o yaml", "show wiki -o name", "images wiki -o yaml", "images nothing", "sources -o yaml",
		"apps -o yaml", "apps -o wide", "status wiki -o yaml", "events wiki -o yaml", "events wiki -o name", "events wiki -o wide",
		"tasks install-wiki-bbbbb -o yaml", "tasks --all -o wide", "wait upgrade-wiki-aaaaa", "wait upgrade-wiki-aaaaa -o yaml", "wait upgrade-wiki-aaaaa -o name", "wait nothing",
		"watch upgrade-wiki-aaaaa --for condition=Succeeded -o yaml", "options", "options more",
	} {
		results = append(results, p.run(line+in))
	}
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "joe")
	expectGolden(t, "formats-read", append(results, p.run("events wiki"+in))...)
}

func TestFormatsOfCommandsThatWrite(t *testing.T) {
	p := newPlugin(t)
	p.newFormatsMarket("formats-write")
	p.now = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	const in = " -n formats-write --market formats-write"
	var results []result
	for _, line := range []string{
		"adopt old --app wiki --dry-run=client -o name", "clone wiki --name second --dry-run=client -o name", "configure wiki --set a=1 --dry-run=client -o name", "configure nothing",
		"rollback wiki --dry-run=client -o name", "rollback nothing", "uninstall wiki --yes --dry-run=client -o name",
		"restart wiki --dry-run=client -o name", "restart nothing", "resume wiki --dry-run=client -o name", "resume nothing", "stop wiki --dry-run=client -o name", "stop nothing",
		"plan upgrade nothing", "cancel install-wiki-bbbbb --dry-run=client -o yaml", "cancel install-wiki-bbbbb --dry-run=server -o name", "cancel nothing", "cancel upgrade-wiki-aaaaa",
		"inputs install-wiki-bbbbb --input WIKI_LANGUAGE=en --dry-run=client -o yaml", "inputs install-wiki-bbbbb --input WIKI_LANGUAGE=en --dry-run=server -o name",
		"retry upgrade-wiki-aaaaa --dry-run=client -o yaml", "retry upgrade-wiki-aaaaa --dry-run=server -o name",
		"source add other https://charts.example/other --dry-run=server -o name", "source suspend samples -o yaml", "source resume samples -o yaml", "source suspend samples -o name",
		"source resume samples -o name", "source resume samples", "source sync samples -o yaml", "source sync samples -o name", "source suspend nothing", "source resume nothing", "source sync nothing",
		"source remove samples --yes --dry-run=client -o yaml", "source remove samples --yes --dry-run=server -o name", "source remove samples --yes",
	} {
		results = append(results, p.run(line+in))
	}
	expectGolden(t, "formats-write", results...)
}
