package command_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// watching runs a command until it prints a header, and returns functions that wait for a line and that end it.
func (p *plugin) watching(line, header string) (shows func(pattern string), end func()) {
	p.t.Helper()
	g := NewWithT(p.t)
	r := p.start(line, nil)
	shows = func(pattern string) {
		p.t.Helper()
		g.Eventually(r.out.String).WithTimeout(20*time.Second).Should(MatchRegexp(`(?m)`+pattern), line)
	}
	shows(header)
	return shows, func() {
		p.t.Helper()
		g.Expect(r.end(p.t)).To(Equal(130))
		g.Expect(r.errOut.String()).To(BeEmpty())
		g.Expect(strings.Count(r.out.String(), "STATE")).To(BeNumerically("<=", 1), "the header is printed once")
	}
}

func TestListsAreWatched(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("watch-lists")
	wiki := newInstance(namespace, "wiki", func(i *v1alpha1.AppInstance) { i.Status.AvailableUpdate = "" })
	p.createWithStatus(wiki)
	p.createWithStatus(newTask(namespace, "install-wiki-aaaaa", v1alpha1.ActionInstall, hasSucceeded))
	task := newTask(namespace, "upgrade-wiki-bbbbb", v1alpha1.ActionUpgrade)
	p.createWithStatus(task)
	p.createWithStatus(newInstance(namespace, "board"))

	apps, endApps := p.watching("apps -w -n watch-lists", `^NAME +APP +VERSION +STATE`)
	updates, endUpdates := p.watching("apps --updates --watch -n watch-lists -o name", `^appinstance.appmarket.io/board$`)
	tasks, endTasks := p.watching("tasks -w -n watch-lists", `^upgrade-wiki-bbbbb +Upgrade`)
	one, endOne := p.watching("tasks upgrade-wiki-bbbbb -w -n watch-lists -o yaml", `^  name: upgrade-wiki-bbbbb$`)
	events, endEvents := p.watching("events wiki -w -n watch-lists", `^`)

	setStatus(p, wiki, func(i *v1alpha1.AppInstance) { i.Status.AvailableUpdate = "9.9.9" })
	apps(`^wiki +samples/wiki +2.3.1 +Running +9.9.9`)
	updates(`^appinstance.appmarket.io/wiki$`)
	setStatus(p, task, hasFailed)
	tasks(`^upgrade-wiki-bbbbb +Upgrade +wiki +\S* +UpgradeFailed`)
	one(`reason: UpgradeFailed`)
	for _, involved := range []corev1.ObjectReference{
		{Kind: "AppInstance", Name: "wiki", Namespace: namespace}, {Kind: "AppInstance", Name: "board", Namespace: namespace},
		{Kind: "AppInstallTask", Name: "missing", Namespace: namespace}, {Kind: "AppInstallTask", Name: task.Name, Namespace: namespace},
	} {
		p.env.Create(t, &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: involved.Name + ".watched"}, InvolvedObject: involved,
			Type: corev1.EventTypeNormal, Reason: "Watched", Message: "about " + involved.Name, LastTimestamp: metav1.Now(),
		})
	}
	events(`appinstance/wiki +about wiki$`)
	events(`appinstalltask/upgrade-wiki-bbbbb +about upgrade-wiki-bbbbb$`)
	for _, end := range []func(){endApps, endUpdates, endTasks, endOne, endEvents} {
		end()
	}
	expectGolden(t, "watch-lists", p.run("apps -w --exit-code"), p.run("tasks -w --remedy"), p.run("tasks missing -w"))
}

// TestColors colors states and nothing else, and keeps the columns aligned.
func TestColors(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("colors")
	p.createWithStatus(newInstance(namespace, "wiki", isUnhealthy, func(i *v1alpha1.AppInstance) { i.Status.AvailableUpdate = "\ue0019" }))
	p.createWithStatus(newInstance(namespace, "board"))
	g := NewWithT(t)
	plain := p.run("apps -n colors").out
	g.Expect(plain).NotTo(ContainSubstring("\x1b"), "the output is no terminal")
	colored := p.run("apps -n colors --color=always").out
	g.Expect(colored).To(And(ContainSubstring("\x1b[31mUnhealthy\x1b[0m"), ContainSubstring("\x1b[32mRunning\x1b[0m")))
	g.Expect(strings.Count(colored, "\x1b[31m")).To(Equal(1), "a text of an app has no color")
	for _, sequence := range []string{"\x1b[31m", "\x1b[32m", "\x1b[39m", "\x1b[0m"} {
		colored = strings.ReplaceAll(colored, sequence, "")
	}
	g.Expect(strings.Fields(colored)).To(Equal(strings.Fields(plain)))
	lines := strings.Split(strings.TrimSpace(colored), "\n")
	for _, line := range lines[1:] {
		g.Expect(line[strings.Index(lines[0], "UPDATE"):]).To(HavePrefix(map[bool]string{true: "9", false: "2.4.0"}[strings.HasPrefix(line, "wiki")]), colored)
	}

	p.screen = silentScreen{}
	g.Expect(p.run("apps -n colors").out).To(ContainSubstring("\x1b[31m"), "a terminal")
	g.Expect(p.run("apps -n colors --color=never").out).To(Equal(plain))
	t.Setenv("NO_COLOR", "1")
	g.Expect(p.run("apps -n colors").out).To(Equal(plain))
	g.Expect(p.run("apps -n colors --color=always").out).To(ContainSubstring("\x1b[31m"), "a flag overrides the variable")
	p.screen = nil
	expectGolden(t, "colors", p.run("apps -n colors --color=red"))
}
