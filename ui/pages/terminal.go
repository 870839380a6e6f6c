package pages

import (
	"crypto/rand"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/internal/pods"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// terminalTab is the name of the tab with the terminal, and terminalPath the last part of its path.
	terminalTab, terminalPath = "Terminal", "terminal"
	// ticketPath is the path at which a page with a terminal confirms that its user is still signed in.
	ticketPath = "/terminal/ticket"
)

// terminalView is the terminal of a container of an instance.
type terminalView struct {
	Pods, Containers []option
	Pod              *corev1.Pod
	Container        pods.Container
	// Problem is the reason why there is no terminal, and Grant the command that grants the permission.
	Problem, Grant string
	// StreamURL is the address of the terminal, and TicketURL the one at which the page confirms its session.
	StreamURL, TicketURL string
	// Nonce is the nonce of the style elements that the terminal creates.
	Nonce string
	// Recorded reports that the terminal is recorded.
	Recorded bool
	// Cut is the number of pods that are not listed, and ReadPods the number of pods that were read if there are more.
	Cut, ReadPods int
	Kubectl       string
}

// addTerminalTab adds the tab with the terminal if the user may use it. A live part has no tabs.
func (v *instanceView) addTerminalTab(r *request) error {
	if r.server.Terminals == nil || isPart(r.Request) {
		return nil
	}
	allowed, err := r.AllowsExec(r.Context(), v.Instance.Namespace)
	if err != nil || !allowed && v.Tab != terminalTab {
		return err
	}
	for i := range v.Tabs {
		if v.Tabs[i].Name == "History" {
			added := tab{Name: terminalTab, URL: instanceTabURL(v.Instance.Namespace, v.Instance.Name, terminalPath), Current: v.Tab == terminalTab}
			v.Tabs = append(v.Tabs[:i], append([]tab{added}, v.Tabs[i:]...)...)
			break
		}
	}
	return nil
}

// showTerminal reads the pods of an instance with the rights of the user, and selects a container.
func showTerminal(r *request, v *instanceView) error {
	if r.server.Terminals == nil {
		return notFound(r, "problem.noPage", "/instances", "problem.showInstalled")
	}
	t := &v.Terminal
	var found logsView
	if err := found.addPods(r, v.Instance); err != nil || found.Pod == nil {
		t.Problem, t.Grant, t.ReadPods = found.Problem, found.Grant, found.ReadPods
		return err
	}
	t.Pod, t.Pods, t.Cut, t.ReadPods = found.Pod, found.Pods, found.Cut, found.ReadPods
	t.selectContainer(r.lang, r.URL.Query().Get("container"))
	t.Kubectl = t.kubectlCommand("exec", "-it", "-c", t.Container.Name, "--", "sh")
	allowed, err := r.AllowsExec(r.Context(), t.Pod.Namespace)
	switch {
	case err != nil:
		return err
	case !allowed:
		t.Problem = r.lang.Text("terminal.needsRight", "Namespace", t.Pod.Namespace)
		t.Grant = grantCommand(r.session.User, "rolebinding", " -n "+t.Pod.Namespace, "edit")
		return nil
	case t.Container.State != "running":
		t.Problem = r.lang.Text("terminal.notRunning", "Container", t.Container.Name, "State", t.Container.State)
		return nil
	}
	values := url.Values{"pod": {t.Pod.Name}, "container": {t.Container.Name}}
	t.StreamURL = pathOf("instances", v.Instance.Namespace, v.Instance.Name, terminalPath, "stream") + queryOf(values)
	t.TicketURL, t.Nonce, t.Recorded = ticketPath, rand.Text(), r.server.Terminals.IsRecording()
	return nil
}

// selectContainer selects a container of the pod by its name, or the first one that is running.
func (t *terminalView) selectContainer(l *locale.Language, name string) {
	all := pods.ContainersOf(t.Pod)
	t.Container = all[0]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].State == "running" {
			t.Container = all[i]
		}
	}
	for _, container := range all {
		if container.Name == name {
			t.Container = container
		}
	}
	for _, container := range all {
		label := l.Text("logs.containerOption", "Name", container.Name, "State", l.Word("container", container.State))
		t.Containers = append(t.Containers, option{container.Name, label, container.Name == t.Container.Name})
	}
}

// kubectlCommand returns a command of kubectl for the pod.
func (t *terminalView) kubectlCommand(verb, flags string, rest ...string) string {
	return strings.Join(append([]string{"kubectl", verb, flags, "-n", t.Pod.Namespace, t.Pod.Name}, rest...), " ")
}

// debugCommand returns the command that starts a shell next to a container without one.
func (t *terminalView) debugCommand() string {
	return t.kubectlCommand("debug", "-it", "--image=busybox:1.37", "--target="+t.Container.Name, "--", "sh")
}
