package command_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/command"
)

// screen is a terminal that keeps the lines that it shows.
type screen struct {
	mu    sync.Mutex
	lines []string
}

func (s *screen) Show(lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = lines
	return nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// running is a command that runs until it is interrupted.
type running struct {
	out, errOut sharedBuffer
	interrupt   context.CancelFunc
	code        chan int
}

// start starts a command. It shows objects on a screen, unless the screen is nil.
func (p *plugin) start(line string, on *screen) *running {
	p.t.Helper()
	p.t.Setenv("KUBECONFIG", p.kubeconfig)
	ctx, interrupt := context.WithCancel(p.t.Context())
	p.t.Cleanup(interrupt)
	r := &running{interrupt: interrupt, code: make(chan int, 1)}
	f := command.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &r.out, ErrOut: &r.errOut}, "kubectl market", "1.2.3")
	f.Now = func() time.Time { return p.now }
	if on != nil {
		f.Screen = on
	}
	go func() { r.code <- f.Run(ctx, strings.Fields(line)) }()
	return r
}

// end interrupts a command and returns its exit code.
func (r *running) end(t *testing.T) int {
	t.Helper()
	r.interrupt()
	var code int
	NewWithT(t).Eventually(r.code).WithTimeout(10 * time.Second).Should(Receive(&code))
	return code
}

// setStatus changes the status of an object that exists.
func setStatus[O client.Object](p *plugin, o O, change func(O)) {
	p.t.Helper()
	g := NewWithT(p.t)
	g.Expect(p.env.Client.Get(p.t.Context(), client.ObjectKeyFromObject(o), o)).To(Succeed())
	change(o)
	g.Expect(p.env.Client.Status().Update(p.t.Context(), o)).To(Succeed())
}

func TestWatchPrintsLines(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	namespace := p.namespace("watch-lines")
	p.createWithStatus(newInstance(namespace, "wiki"))
	p.createWithStatus(newInstance(namespace, "board", isUnhealthy))
	old := newTask(namespace, "install-wiki-aaaaa", v1alpha1.ActionInstall, hasSucceeded)
	p.createWithStatus(old)
	r := p.start("watch -n watch-lines", nil)
	shows := func(line string) {
		t.Helper()
		g.Eventually(r.out.String).WithTimeout(20 * time.Second).Should(HaveSuffix(line + "\n"))
	}
	shows("instance watch-lines/wiki  Running  2.3.1  running version 2.3.1, 3 objects ready")
	task := newTask(namespace, "upgrade-wiki-bbbbb", v1alpha1.ActionUpgrade)
	p.createWithStatus(task)
	shows("task watch-lines/upgrade-wiki-bbbbb  Pending")
	setStatus(p, task, isAdmitted)
	shows("task watch-lines/upgrade-wiki-bbbbb  Progressing  Resolved  version 2.4.0")
	dryRun := newTask(namespace, "check-wiki-ccccc", v1alpha1.ActionUpgrade, func(task *v1alpha1.AppInstallTask) { yes := true; task.Spec.DryRun = &yes })
	p.createWithStatus(dryRun)
	setStatus(p, task, hasFailed)
	shows("task watch-lines/upgrade-wiki-bbbbb  UpgradeFailed  hook wiki-migrate failed")
	p.delete(old)
	shows("task watch-lines/install-wiki-aaaaa  deleted")
	g.Expect(r.end(t)).To(Equal(130))
	g.Expect(r.errOut.String()).To(BeEmpty())
	g.Expect(r.out.String()).NotTo(ContainSubstring("check-wiki"), "dry runs are not shown")
	g.Expect(r.out.String()).NotTo(ContainSubstring("install-wiki-aaaaa  Succeeded"), "tasks that had ended are not shown")
	g.Expect(r.out.String()).NotTo(ContainSubstring("\x1b"), "no control sequences outside of a terminal")
}

// deleteAtEnd deletes an object of the market at the end of the test, because other tests list all of them.
func (p *plugin) deleteAtEnd(o client.Object) {
	p.t.Cleanup(func() {
		NewWithT(p.t).Expect(client.IgnoreNotFound(p.env.Client.Delete(context.WithoutCancel(p.t.Context()), o))).To(Succeed())
	})
}

// delete deletes an object.
func (p *plugin) delete(o client.Object) {
	p.t.Helper()
	NewWithT(p.t).Expect(p.env.Client.Delete(p.t.Context(), o)).To(Succeed())
}

func TestWatchDrawsATree(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	namespace := p.namespace("watch-tree")
	instance := newInstance(namespace, "wiki")
	p.createWithStatus(instance)
	p.createWithStatus(newInstance(namespace, "board", isUnhealthy))
	task := newTask(namespace, "upgrade-wiki-bbbbb", v1alpha1.ActionUpgrade)
	p.createWithStatus(task)
	setStatus(p, task, isAdmitted)
	planned := newTask(namespace, "install-planned-aaaaa", v1alpha1.ActionInstall, func(task *v1alpha1.AppInstallTask) { task.Spec.InstanceName = "planned" })
	p.createWithStatus(planned)

	all, one, only := &screen{}, &screen{}, &screen{}
	watches := []*running{p.start("watch -n watch-tree", all), p.start("watch wiki -n watch-tree", one), p.start("watch upgrade-wiki-bbbbb -n watch-tree", only)}
	isDrawn := func(s *screen, want ...string) {
		t.Helper()
		g.Eventually(s.String).WithTimeout(20 * time.Second).Should(Equal(strings.Join(want, "\n")))
	}
	isDrawn(all,
		"watch-tree/board  samples/wiki  2.3.1, revision 4  Unhealthy  update 2.4.0",
		"└─ Unhealthy  Deployment/wiki: 0 of 1 replicas are ready: image registry.example/wiki:2.3.1 not found",
		"watch-tree/planned  samples/wiki  not installed",
		"└─ task install-planned-aaaaa  Pending  12d ago",
		"watch-tree/wiki  samples/wiki  2.3.1, revision 4  Running  update 2.4.0",
		"└─ task upgrade-wiki-bbbbb  Progressing  12d ago",
		"   ├─ Admitted  admitted",
		"   └─ Resolved  version 2.4.0")
	setStatus(p, task, hasSucceeded)
	setStatus(p, instance, func(i *v1alpha1.AppInstance) { i.Status.Version, i.Status.AvailableUpdate = "2.4.0", "" })
	isDrawn(one,
		"watch-tree/wiki  samples/wiki  2.4.0, revision 4  Running",
		"├─ task upgrade-wiki-bbbbb  Succeeded  12d ago",
		"├─ objects  3 of 3 ready",
		"└─ entrance web  service wiki:80  Wiki")
	g.Eventually(only.String).WithTimeout(20 * time.Second).Should(ContainSubstring("task upgrade-wiki-bbbbb  Succeeded"))
	p.delete(planned)
	g.Eventually(all.String).WithTimeout(20 * time.Second).ShouldNot(ContainSubstring("planned"))
	for _, w := range watches {
		g.Expect(w.end(t)).To(Equal(130))
		g.Expect(w.out.String()+w.errOut.String()).To(BeEmpty(), "the screen shows everything")
	}
}

func TestWatchUntilACondition(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("watch-for")
	instance := newInstance(namespace, "wiki", isUnhealthy)
	p.createWithStatus(instance)
	task := newTask(namespace, "upgrade-wiki-bbbbb", v1alpha1.ActionUpgrade)
	p.createWithStatus(task)
	hasCode := func(r *running, code int) {
		t.Helper()
		NewWithT(t).Eventually(r.code).WithTimeout(20 * time.Second).Should(Receive(Equal(code)))
	}
	expectGolden(t, "watch",
		p.run("watch wiki -n watch-for --for condition=Ready=false -o name"), p.run("watch wiki -n watch-for --for condition=Ready --timeout 1s -o name"),
		p.run("watch nothing -n watch-for"), p.run("watch nothing -n watch-for --for delete"), p.run("watch task/nothing -n watch-for"), p.run("watch pod/nothing -n watch-for"),
		p.run("watch wiki -n watch-for --for ready"), p.run("watch --for delete"), p.run("watch wiki -A"), p.run("watch wiki --timeout 1s"))

	ready := p.start("watch instance/wiki -n watch-for --for condition=Ready", nil)
	ended := p.start("watch upgrade-wiki-bbbbb -n watch-for --for condition=Succeeded -o jsonpath={.metadata.name}:{.status.version};", nil)
	removed := p.start("watch task/upgrade-wiki-bbbbb -n watch-for --for delete", &screen{})
	setStatus(p, instance, func(i *v1alpha1.AppInstance) {
		i.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "running")}
	})
	hasCode(ready, 0)
	setStatus(p, task, hasSucceeded)
	hasCode(ended, 0)
	NewWithT(t).Expect(ended.out.String()).To(HaveSuffix("upgrade-wiki-bbbbb:2.4.0;"))
	p.delete(task)
	hasCode(removed, 0)
}

func TestWatchNeedsPermissions(t *testing.T) {
	p := newPlugin(t)
	p.namespace("watch-denied")
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "joe")
	r := p.start("watch -n watch-denied", nil)
	g := NewWithT(t)
	g.Eventually(r.code).WithTimeout(20 * time.Second).Should(Receive(Equal(1)))
	g.Expect(r.errOut.String()).To(HavePrefix("Error from server (Forbidden): "))
	g.Expect(r.out.String()).To(BeEmpty())
}
