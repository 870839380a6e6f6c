package command_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// playOperator sets the states of each task that is created in a namespace, in order.
func (p *plugin) playOperator(namespace string, states ...func(*v1alpha1.AppInstallTask)) {
	p.t.Helper()
	events, err := p.env.Client.Watch(p.t.Context(), &v1alpha1.AppInstallTaskList{}, client.InNamespace(namespace))
	NewWithT(p.t).Expect(err).NotTo(HaveOccurred())
	done := make(chan struct{})
	p.t.Cleanup(func() {
		events.Stop()
		<-done
	})
	// The plugin may end before the last update has returned, which is not canceled then.
	ctx := context.WithoutCancel(p.t.Context())
	go func() {
		defer close(done)
		for event := range events.ResultChan() {
			task, ok := event.Object.(*v1alpha1.AppInstallTask)
			if !ok || event.Type != watch.Added {
				continue
			}
			for _, set := range states {
				set(task)
				if err := p.env.Client.Status().Update(ctx, task); err != nil {
					p.t.Errorf("set the status of task %s: %v", task.Name, err)
				}
			}
		}
	}()
}

// task reads a task.
func (p *plugin) task(namespace, name string) *v1alpha1.AppInstallTask {
	p.t.Helper()
	task := &v1alpha1.AppInstallTask{}
	NewWithT(p.t).Expect(p.env.Client.Get(p.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, task)).To(Succeed())
	return task
}

func TestEveryActionIsPrinted(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("dry")
	p.createWithStatus(newInstance("dry", "wiki", func(i *v1alpha1.AppInstance) {
		i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"replicas":1,"page":{"title":"Team"}}`)}
	}))
	const dry = " -n dry --dry-run=client -o yaml"
	expectGolden(t, "actions",
		p.run("install samples/wiki"+dry),
		p.run("install wiki --name wiki2 --version ^2.0 --title Wiki --set replicas=2,page.title=X --set-string port=80 --set-json a={\"b\":[1]} --input WIKI_LANGUAGE=en"+
			" --secret-input WIKI_ADMIN_PASSWORD --secret-input TOKEN=tokens/wiki --input-from HOST=output/db/host --values-from configmap/base,optional"+
			" --entrance web=Pages --with-dependencies --on-failure remove --data delete --service-account tenant --deadline 1h --operation-timeout 90s --ttl 24h --run-id 1"+
			" --on-missing-input fail --on-unmet-requirement wait"+dry),
		p.run("upgrade wiki --set page.color=red"+dry),
		p.run("upgrade wiki --version 2.0.0 --allow-downgrade --reset-values"+dry),
		p.run("configure wiki --set replicas=null"+dry),
		p.run("rollback wiki --to-revision 3 --on-failure rollback"+dry),
		p.run("clone wiki --name wiki2 --title Second --entrance web=Second"+dry),
		p.run("clone other/wiki --name wiki2"+dry),
		p.run("stop wiki"+dry), p.run("resume wiki"+dry), p.run("restart wiki"+dry),
		p.run("adopt old --app samples/wiki"+dry),
		p.run("uninstall wiki --with-dependents --with-shared-charts --data delete"+dry),
		p.run("install samples/wiki -n dry --dry-run=client"),
		p.run("install samples/wiki -n dry --dry-run=server -o name"),
	)
	var tasks v1alpha1.AppInstallTaskList
	NewWithT(t).Expect(p.env.Client.List(t.Context(), &tasks, client.InNamespace("dry"))).To(Succeed())
	NewWithT(t).Expect(tasks.Items).To(BeEmpty(), "a dry run writes nothing")
}

func TestUsageErrors(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("usage")
	expectGolden(t, "usage",
		p.run("install"), p.run("install wiki --unknown"), p.run("install wiki --nam wiki2"), p.run("install wiki --namspace demo"), p.run("install wiki -q"), p.run("nothing"), p.run("upgrade nothing -n usage"),
		p.run("install wiki -n usage --on-failure explode"), p.run("install wiki -n usage --input A"), p.run("install wiki -n usage --set a[=1"),
		p.run("install wiki -n usage --values-from wiki"), p.run("install wiki -n usage --secret-input A"), p.run("install wiki -n usage -f missing.yaml"),
		p.run("install wiki -n usage --name Wiki_1"), p.run("install wiki -n usage --dry-run=perhaps"), p.run("adopt old -n usage"), p.run("clone wiki -n usage"),
		p.run("install wiki -n usage -o table"), p.run("install wiki -n missing"), p.run("apps --context missing"))
}

func TestWaitingForATask(t *testing.T) {
	for _, c := range []struct {
		name    string
		states  []func(*v1alpha1.AppInstallTask)
		command string
	}{
		{"succeeded", []func(*v1alpha1.AppInstallTask){isAdmitted, hasSucceeded}, "upgrade wiki --wait"},
		{"succeeded-name", []func(*v1alpha1.AppInstallTask){hasSucceeded}, "upgrade wiki --wait -o name"},
		{"rejected", []func(*v1alpha1.AppInstallTask){wasRejected}, "install samples/wiki --wait"},
		{"installed", []func(*v1alpha1.AppInstallTask){wasInstalled}, "install samples/wiki --wait"},
		{"release", []func(*v1alpha1.AppInstallTask){hasRelease}, "install samples/wiki --wait"},
		{"waits-for-input", []func(*v1alpha1.AppInstallTask){waitsForInput}, "install samples/wiki --wait"},
		{"failed", []func(*v1alpha1.AppInstallTask){isAdmitted, hasFailed}, "upgrade wiki --wait"},
		{"timed-out", []func(*v1alpha1.AppInstallTask){isAdmitted}, "upgrade wiki --wait --timeout 2s"},
		{"canceled", []func(*v1alpha1.AppInstallTask){wasCanceled}, "stop wiki --wait"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlugin(t)
			p.newMarket()
			namespace := p.namespace("wait-" + c.name)
			p.createWithStatus(newInstance(namespace, "wiki"))
			p.playOperator(namespace, c.states...)
			r := p.run(c.command + " -n " + namespace)
			r.errOut = withoutSeconds(r.errOut)
			expectGolden(t, "wait-"+c.name, r)
		})
	}
}

// TestUpgradeToTheInstalledVersion upgrades instances whose app has no newer version.
func TestUpgradeToTheInstalledVersion(t *testing.T) {
	p := newPlugin(t)
	p.namespace("latest")
	app := newApp("latest", "paper", "2.3.1", "Pages for a team")
	p.createWithStatus(app)
	t.Cleanup(func() { NewWithT(t).Expect(p.env.Client.Delete(context.Background(), app)).To(Succeed()) })
	add := func(name string, change func(*v1alpha1.AppInstance)) {
		p.createWithStatus(newInstance("latest", name, func(i *v1alpha1.AppInstance) {
			i.Spec.AppRef.Namespace, i.Spec.AppRef.Name, i.Status.AvailableUpdate, i.Status.ChartDigest = "", "paper", "", "sha256:1"
			change(i)
		}))
	}
	add("paper", func(*v1alpha1.AppInstance) {})
	add("replaced", func(i *v1alpha1.AppInstance) { i.Status.ChartDigest = "sha256:0" })
	add("older", func(i *v1alpha1.AppInstance) { i.Status.Version = "2.3.0" })
	add("unknown", func(i *v1alpha1.AppInstance) { i.Spec.AppRef.Name = "other" })
	expectGolden(t, "up-to-date",
		p.run("upgrade paper -n latest"), p.run("upgrade paper -n latest --wait -o name"),
		p.run("plan upgrade paper -n latest"), p.run("plan upgrade paper -n latest --exit-code"),
		p.run("upgrade paper -n latest --set replicas=2"), p.run("upgrade replaced -n latest"), p.run("upgrade older -n latest -o name"), p.run("upgrade unknown -n latest"))
	var tasks v1alpha1.AppInstallTaskList
	NewWithT(t).Expect(p.env.Client.List(t.Context(), &tasks, client.InNamespace("latest"))).To(Succeed())
	NewWithT(t).Expect(tasks.Items).To(HaveLen(4), "no task without a change")
}

// TestReinstallation installs an uninstalled instance again, whose record has values and inputs.
func TestReinstallation(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("again")
	language := "en"
	p.createWithStatus(newInstance("again", "wiki", func(i *v1alpha1.AppInstance) {
		i.Spec.DesiredState, i.Spec.Values = v1alpha1.StateUninstalled, &runtime.RawExtension{Raw: []byte(`{"replicas":2,"page":{"title":"Team"}}`)}
		i.Spec.Inputs = []v1alpha1.InputValue{{Name: "WIKI_LANGUAGE", Value: &language}, taskbuilder.SecretInput("WIKI_ADMIN_PASSWORD", "wiki-inputs", "WIKI_ADMIN_PASSWORD")}
		i.Spec.ServiceAccountName, i.Status.Releases, i.Status.Revision = "tenant", nil, 0
	}))
	p.createWithStatus(newInstance("again", "running", func(i *v1alpha1.AppInstance) { i.Spec.Values = &runtime.RawExtension{Raw: []byte(`{"replicas":2}`)} }))
	expectGolden(t, "reinstall",
		p.run("install samples/wiki -n again --dry-run=client -o name"), p.run("install samples/wiki -n again --service-account other --set replicas=3 --input WIKI_LANGUAGE=zh --dry-run=client -o name"),
		p.run("install samples/wiki -n again --dry-run=client -o yaml"),
		p.run("install samples/wiki --name running -n again --dry-run=client -o name"))
}

func TestCtrlCLeavesTheTask(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	namespace := p.namespace("interrupted")
	p.createWithStatus(newInstance(namespace, "wiki"))
	ctx, interrupt := context.WithCancel(t.Context())
	p.ctx = ctx
	p.playOperator(namespace, isAdmitted, func(*v1alpha1.AppInstallTask) { interrupt() })
	r := p.run("upgrade wiki --wait -n " + namespace)
	r.errOut = withoutMilestones(r.errOut)
	expectGolden(t, "interrupted", r)
	task := p.task(namespace, "upgrade-wiki-"+suffix)
	NewWithT(t).Expect(task.Spec.Cancel).To(BeNil())
	NewWithT(t).Expect(task.DeletionTimestamp).To(BeNil())
}

func TestValuesAreReadLikeHelm(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("values")
	dir := t.TempDir()
	g := NewWithT(t)
	first, second := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	g.Expect(os.WriteFile(first, []byte("replicas: 1\npage:\n  title: A\n  color: red\nlist: [1, 2]\n"), 0o600)).To(Succeed())
	g.Expect(os.WriteFile(second, []byte("page:\n  title: B\nlist: [3]\n"), 0o600)).To(Succeed())
	p.stdin = "fromInput: true\n"
	r := p.runArguments("install", "wiki", "-n", "values", "--dry-run=client", "-o", "json", "-f", first, "-f", second, "-f", "-",
		"--set", "replicas=2,page.color=null", "--set-string", "port=80", "--set-json", `nested={"a":[true,1.5,"x"]}`, "--set", `dotted\.key=1`)
	g.Expect(r.code).To(BeZero(), r.errOut)
	var task v1alpha1.AppInstallTask
	g.Expect(json.Unmarshal([]byte(r.out), &task)).To(Succeed())
	g.Expect(task.Spec.Install.Values.Raw).To(MatchJSON(
		`{"replicas":2,"page":{"title":"B","color":null},"list":[3],"fromInput":true,"port":"80","nested":{"a":[true,1.5,"x"]},"dotted.key":1}`))
}

func TestSecretsAreAskedForAndNeverPrinted(t *testing.T) {
	const password = "correct horse battery"
	p := newPlugin(t)
	p.newMarket()
	p.namespace("secrets")
	p.terminal = answers{"WIKI_ADMIN_PASSWORD": password}
	g := NewWithT(t)
	r := p.run("install wiki -n secrets --secret-input WIKI_ADMIN_PASSWORD -o yaml")
	g.Expect(r.code).To(BeZero(), r.errOut)
	g.Expect(r.out + r.errOut).NotTo(ContainSubstring(password))
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: "secrets", Name: "wiki-inputs"}
	g.Expect(p.env.Client.Get(t.Context(), key, secret)).To(Succeed())
	g.Expect(secret.Data).To(HaveKeyWithValue("WIKI_ADMIN_PASSWORD", []byte(password)))
	g.Expect(secret.Labels).To(HaveKeyWithValue(v1alpha1.InstanceLabel, "wiki"))
	g.Expect(p.task("secrets", "install-wiki-"+suffix).Spec.Install.Inputs).To(Equal([]v1alpha1.InputValue{
		taskbuilder.SecretInput("WIKI_ADMIN_PASSWORD", "wiki-inputs", "WIKI_ADMIN_PASSWORD")}))

	t.Log("a second input keeps the first one")
	p.terminal = answers{"TOKEN": "t"}
	g.Expect(p.run("install wiki --name wiki -n secrets --run-id 2 --secret-input TOKEN --title other").code).NotTo(BeZero(), "the task exists")
	g.Expect(p.env.Client.Get(t.Context(), key, secret)).To(Succeed())
	g.Expect(secret.Data).To(HaveLen(1), "a task that the API server rejects leaves no input")
	g.Expect(p.env.Client.Delete(t.Context(), p.task("secrets", "install-wiki-"+suffix))).To(Succeed())
	g.Expect(p.run("install wiki -n secrets --secret-input TOKEN").code).To(BeZero())
	g.Expect(p.env.Client.Get(t.Context(), key, secret)).To(Succeed())
	g.Expect(secret.Data).To(And(HaveKey("WIKI_ADMIN_PASSWORD"), HaveKeyWithValue("TOKEN", []byte("t"))))

	t.Log("a Secret of another creator is not changed")
	p.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "secrets", Name: "other-inputs"}, StringData: map[string]string{"TOKEN": "theirs"}})
	r = p.run("install wiki --name other -n secrets --secret-input TOKEN")
	g.Expect(r.code).To(Equal(1))
	g.Expect(r.errOut).To(ContainSubstring(`secret "other-inputs" in namespace "secrets" was not created for the inputs of instance "other", and is not changed`))
	key.Name = "other-inputs"
	g.Expect(p.env.Client.Get(t.Context(), key, secret)).To(Succeed())
	g.Expect(secret.Data).To(Equal(map[string][]byte{"TOKEN": []byte("theirs")}))
}

func TestCommandCreatesTheSameTask(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("same")
	p.createWithStatus(newInstance("same", "wiki"))
	for _, line := range []string{
		"install samples/wiki --name w --version 2 --set a.b=1,c\\.d=x --input A=1 --secret-input B --input-from C=output/db/host --values-from secret/base",
		"upgrade wiki --set a=1 --version 2.0.0 --allow-downgrade --title Pages --with-dependencies",
		"configure wiki --input A=1 --credential license/key",
		"rollback wiki --to-revision 3", "clone wiki --name other --entrance web=Other", "stop wiki --run-id 1", "resume wiki", "restart wiki",
		"adopt old --app samples/wiki", "uninstall wiki --data delete --with-dependents --with-shared-charts",
	} {
		g := NewWithT(t)
		first := p.run(line + " -n same --dry-run=client -o yaml")
		g.Expect(first.code).To(BeZero(), first.errOut)
		var task v1alpha1.AppInstallTask
		g.Expect(yaml.Unmarshal([]byte(lastDocument(first.out)), &task)).To(Succeed())
		arguments, err := taskbuilder.CommandArguments(&task)
		g.Expect(err).NotTo(HaveOccurred())
		second := p.runArguments(append(arguments, "--dry-run=client", "-o", "yaml")...)
		g.Expect(second.out).To(Equal(first.out), "%v", arguments)
	}
}

func TestCancelAndRetry(t *testing.T) {
	p := newPlugin(t)
	p.namespace("cancel")
	g := NewWithT(t)
	p.createWithStatus(newTask("cancel", "upgrade-wiki-aaaaa", v1alpha1.ActionUpgrade))
	g.Expect(p.run("cancel upgrade-wiki-aaaaa -n cancel --dry-run=server").code).To(BeZero())
	g.Expect(p.task("cancel", "upgrade-wiki-aaaaa").Spec.Cancel).To(BeNil())
	expectGolden(t, "cancel", p.run("cancel upgrade-wiki-aaaaa -n cancel"), p.run("retry upgrade-wiki-aaaaa -n cancel"), p.run("retry missing -n cancel"),
		p.run("retry upgrade-wiki-aaaaa -n cancel"))
	g.Expect(*p.task("cancel", "upgrade-wiki-aaaaa").Spec.Cancel).To(BeTrue())
	g.Expect(p.task("cancel", "upgrade-wiki-"+suffix).Spec.Cancel).To(BeNil())
}

func TestUninstallAsksFirst(t *testing.T) {
	p := newPlugin(t)
	p.namespace("remove")
	p.createWithStatus(newInstance("remove", "wiki"))
	refused := p.run("uninstall wiki -n remove")
	p.terminal = answers{"Uninstall remove/wiki?": "n"}
	denied := p.run("uninstall wiki -n remove")
	p.terminal = answers{"Uninstall remove/wiki?": "y"}
	expectGolden(t, "uninstall", refused, denied, p.run("uninstall wiki -n remove --data delete"))
}

func TestSourceChanges(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("sourcechanges")
	p.now = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	in := " -n sourcechanges --market sourcechanges"
	expectGolden(t, "source",
		p.run("source add team https://charts.example/team --allowed-namespaces all --profile olares --include wiki* --max-versions 2 --interval 1h --dry-run=client -o yaml"+in),
		p.run("source add folder /charts --allowed-namespaces team=web --dry-run=client -o yaml"+in),
		p.run("source add registry oci://registry.example/charts --charts web,db --secret login --dry-run=client -o yaml"+in),
		p.run("source add registry oci://registry.example/charts --cert-secret cert --proxy-secret proxy --receiver harbor --receiver-secret hook --verify cosign --trust-root trust/cosign.pub --dry-run=client -o yaml"+in),
		p.run("source add registry oci://registry.example/charts --receiver harbor"+in), p.run("source add registry oci://registry.example/charts --verify cosign"+in),
		p.run("source add uploads --type upload --dry-run=client -o yaml"+in), p.run("source add uploads --type upload --dry-run=server -o name"+in),
		p.run("source add uploads /charts --type upload"+in), p.run("source add uploads"+in), p.run("source add uploads --type upload --secret login"+in),
		p.run("source add flux GitRepository/charts --path stable --dry-run=client -o yaml"+in),
		p.run("source add store https://store.example --type olares --system-version 1.12.6 --secret login --dry-run=client -o yaml"+in),
		p.run("source add folder /charts --secret login"+in), p.run("source add team https://charts.example/team --charts web"+in),
		p.run("source add team https://charts.example/team"+in), p.run("source add team https://charts.example/team"+in), p.run("source add bad charts.example"+in),
		p.run("source sync team"+in), p.run("source suspend team"+in), p.run("source remove team"+in), p.run("source remove missing --yes"+in))
	source := &v1alpha1.MarketSource{}
	key := client.ObjectKey{Namespace: namespace, Name: "team"}
	g := NewWithT(t)
	g.Expect(p.env.Client.Get(t.Context(), key, source)).To(Succeed())
	g.Expect(source.Annotations).To(HaveKeyWithValue(v1alpha1.ReconcileRequestAnnotation, "2026-12-01T08:00:00Z"))
	g.Expect(*source.Spec.Suspend).To(BeTrue())
	g.Expect(p.run("source resume team" + in).code).To(BeZero())
	g.Expect(p.run("source remove team --yes" + in).code).To(BeZero())
	g.Expect(apierrors.IsNotFound(p.env.Client.Get(t.Context(), key, source))).To(BeTrue())
}

func TestWaitingForASource(t *testing.T) {
	p := newPlugin(t)
	g := NewWithT(t)
	namespace := p.namespace("sourcewait")
	p.now = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	in := " -n sourcewait --market sourcewait --wait --timeout 1s"
	none := p.run("source add team https://charts.example/team" + in)
	source := &v1alpha1.MarketSource{}
	g.Expect(p.env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "team"}, source)).To(Succeed())
	setReady := func(status metav1.ConditionStatus, reason, message string) {
		ready := condition(v1alpha1.ConditionReady, status, reason, message)
		ready.ObservedGeneration = source.Generation
		source.Status.LastHandledReconcileAt = "2026-12-01T08:00:00Z"
		meta.SetStatusCondition(&source.Status.Conditions, ready)
		g.Expect(p.env.Client.Status().Update(t.Context(), source)).To(Succeed())
		g.Expect(p.env.Client.Get(t.Context(), client.ObjectKeyFromObject(source), source)).To(Succeed())
	}
	setReady(metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, "charts.example: no such host")
	unavailable := p.run("source sync team" + in)
	g.Expect(p.env.Client.Get(t.Context(), client.ObjectKeyFromObject(source), source)).To(Succeed())
	setReady(metav1.ConditionTrue, v1alpha1.ReasonReady, "2 of 2 apps served")
	expectGolden(t, "source-wait", none, unavailable, p.run("source sync team"+in))
}
