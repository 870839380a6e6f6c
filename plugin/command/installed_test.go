package command_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/command"
)

func isUnhealthy(instance *v1alpha1.AppInstance) {
	instance.Status.Inventory.Ready = 2
	message := "Deployment/wiki: 0 of 1 replicas are ready: image registry.example/wiki:2.3.1 not found"
	instance.Status.Conditions = []metav1.Condition{
		condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy, message),
		condition(v1alpha1.ConditionApplied, metav1.ConditionTrue, v1alpha1.ReasonApplied, ""),
		condition(v1alpha1.ConditionHealthy, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy, message),
	}
}

func isStopped(instance *v1alpha1.AppInstance) {
	instance.Spec.DesiredState = v1alpha1.StateStopped
	instance.Status.Stopped, instance.Status.AvailableUpdate = true, ""
}

func TestInstalledCommands(t *testing.T) {
	p := newPlugin(t)
	p.namespace("living")
	p.createWithStatus(newInstance("living", "wiki", isUnhealthy))
	p.createWithStatus(newInstance("living", "board", isStopped, func(i *v1alpha1.AppInstance) {
		i.Status.Entrances[0].URL, i.Status.Verification = "https://board.example.com/", signed()
	}))
	task := newTask("living", "upgrade-wiki-2f8rk", v1alpha1.ActionUpgrade)
	hasFailed(task)
	p.createWithStatus(task)
	p.createWithStatus(newTask("living", "install-planned-aaaaa", v1alpha1.ActionInstall, waitsForInput, func(task *v1alpha1.AppInstallTask) {
		task.Spec.InstanceName = "planned"
	}))
	p.env.Create(t, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "living", Name: "wiki.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "AppInstance", Name: "wiki", Namespace: "living"},
		Type:           corev1.EventTypeWarning, Reason: "UpgradeFailed", Message: "hook wiki-migrate failed", LastTimestamp: metav1.Now(),
	}, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "living", Name: "board.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "AppInstance", Name: "board", Namespace: "living"},
		Type:           corev1.EventTypeNormal, Reason: "Stopped", LastTimestamp: metav1.Now(),
	})
	expectGolden(t, "apps",
		p.run("apps -n living"), p.run("list -n living -o wide"), p.run("apps -n living --updates --exit-code"), p.run("apps -n living -o name"),
		p.run("apps -n empty"), p.run("apps -n empty --exit-code"))
	expectGolden(t, "status", p.run("status wiki -n living"), p.run("status board -n living"), p.run("status nothing -n living"), p.run("status wiki -n living -o name"),
		p.run("status planned -n living"))
	expectGolden(t, "events", p.run("events wiki -n living"), p.run("events nothing -n living"))
	expectGolden(t, "tasks", p.run("tasks -n living"), p.run("tasks -n empty"), p.run("tasks -n living --all"), p.run("tasks upgrade-wiki-2f8rk -n living -o name"),
		p.run("tasks upgrade-wiki-2f8rk -n living --remedy"))
	NewWithT(t).Expect(p.run("apps -A").out).To(ContainSubstring("NAMESPACE"))
}

func TestCompletion(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("completion")
	p.createWithStatus(newInstance("completion", "wiki"))
	p.createWithStatus(newTask("completion", "install-wiki-aaaaa", v1alpha1.ActionInstall))
	p.newTwoSources("two-sources")
	g := NewWithT(t)
	for _, c := range []struct {
		arguments []string
		want      []string
	}{
		{[]string{"upgrade", "-n", "completion", ""}, []string{"wiki"}},
		{[]string{"wait", "-n", "completion", ""}, []string{"install-wiki-aaaaa"}},
		{[]string{"install", "--market", "market", "sam"}, []string{"samples/board", "samples/wiki"}},
		{[]string{"install", "--market", "two-sources", ""}, []string{"charts/", "samples/"}},
		{[]string{"install", "--market", "two-sources", "charts/"}, []string{"charts/notes"}},
		{[]string{"install", "market/"}, []string{"market/samples/wiki"}},
		{[]string{"install", "samples/w"}, []string{"samples/wiki"}},
		{[]string{"install", "market/samples/w"}, []string{"market/samples/wiki"}},
		{[]string{"adopt", "wiki", "--market", "market", "--app", ""}, []string{"samples/wiki"}},
		{[]string{"source", "sync", ""}, []string{"samples"}},
		{[]string{"install", "wiki", "--on-failure", ""}, []string{"keep", "remove"}},
		{[]string{"install", "wiki", "--version", ""}, []string{"2.4.0", "0.9.0"}},
		{[]string{"install", "wiki", "--input", ""}, []string{"WIKI_ADMIN_EMAIL=", "WIKI_LANGUAGE="}},
		{[]string{"upgrade", "wiki", "-n", "completion", "--input", "WIKI_LANGUAGE="}, []string{"WIKI_LANGUAGE=en", "WIKI_LANGUAGE=zh"}},
		{[]string{"install", "wiki", "--secret-input", ""}, []string{"WIKI_ADMIN_PASSWORD"}},
		{[]string{"rollback", "wiki", "-n", "completion", "--to-revision", ""}, []string{"3\tInstall 2.3.0"}},
		{[]string{"install", "--context", ""}, []string{"local"}},
		{[]string{"apps", "--namespace", "comp"}, []string{"completion"}},
		{[]string{"upgrade", "wiki", "-n", "completion", ""}, nil},
	} {
		r := p.runArguments(append([]string{"__complete"}, c.arguments...)...)
		g.Expect(r.code).To(BeZero(), r.errOut)
		for _, name := range c.want {
			g.Expect(r.out).To(ContainSubstring(name+"\n"), "%v", c.arguments)
		}
		if c.want == nil {
			g.Expect(r.out).To(HavePrefix(":4"), "%v", c.arguments)
		}
	}
	expectGolden(t, "completion", p.run("completion kubectl"), p.run("completion csh"), p.run("version"))
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		g.Expect(p.run("completion " + shell).out).To(ContainSubstring("__complete"))
	}
}

// newTwoSources creates a namespace with the sources charts, which has an app, and samples.
func (p *plugin) newTwoSources(namespace string) {
	p.t.Helper()
	p.namespace(namespace)
	for _, name := range []string{"charts", "samples"} {
		p.createWithStatus(&v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"}},
		})
	}
	app := newApp(namespace, "notes", "1.0.0", "Notes")
	app.Name, app.Labels[v1alpha1.SourceLabel], app.Spec.SourceRef.Name = "charts.notes", "charts", "charts"
	p.createWithStatus(app)
}

// TestCompletionEndsInTime completes names with an API server that does not respond.
func TestCompletionEndsInTime(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	release := make(chan struct{})
	p.startGateway("/apis/appmarket.io", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release) })
	t.Setenv("KUBECONFIG", p.kubeconfig)
	var out, errOut bytes.Buffer
	f := command.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut}, "kubectl market", "1.2.3")
	g.Expect(f.CompletionTimeout).To(Equal(300 * time.Millisecond))
	begin := time.Now()
	g.Expect(f.Run(t.Context(), []string{"__complete", "install", ""})).To(BeZero(), errOut.String())
	g.Expect(time.Since(begin)).To(BeNumerically("<", 10*time.Second))
	g.Expect(out.String()).To(Equal(":4\n"), "nothing is completed, not even files")
}
