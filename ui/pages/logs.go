package pages

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/pods"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// maxLogBytes is the size of the log that a page shows.
	maxLogBytes = 512 << 10
	// maxLogLine is the length of a line of a log. The rest of a longer line is left out.
	maxLogLine = 16 << 10
	// maxPodsRead is the number of pods of a namespace that are read.
	maxPodsRead = 2000
)

// logTails are the numbers of lines that a user can select, and defaultTail the one at first.
var (
	logTails    = []int64{100, 500, 1000, 5000}
	defaultTail = logTails[1]
)

// logsView is the log of a container of an instance.
type logsView struct {
	Pods, Containers, Tails []option
	Pod                     *corev1.Pod
	Container               pods.Container
	Previous                bool
	// HasPrevious reports that an earlier container of the same name has a log.
	HasPrevious bool
	// Text is the log. It is empty while the log is followed.
	Text string
	// Follow is the URL of the stream with new lines, empty if the log is not followed. ToggleURL is the
	// URL of the page with or without following.
	Follow, ToggleURL string
	DownloadURL       string
	// Problem is the reason why no log is shown, Detail the message of the API server, and Grant the
	// command that grants the permission.
	Problem, Detail, Grant string
	// Cut is the number of pods that are not listed.
	Cut int
	// ReadPods is the number of pods of a namespace that were read if the namespace has more, and 0 otherwise.
	ReadPods         int
	Command, Kubectl string

	// Merged is the log of all pods, nil if one container is selected.
	Merged *mergedLog
	// Filter is the text that the shown lines contain, and Ages are the times after which they were written.
	Filter string
	Ages   []option

	tail  int64
	since time.Duration
	found []corev1.Pod
}

// showLogs reads the pods of an instance, and the log of one container, with the rights of the user.
func showLogs(r *request, v *instanceView) error {
	logs := &v.Logs
	if err := logs.addPods(r, v.Instance); err != nil || logs.Problem != "" || logs.Pod == nil {
		return err
	}
	logs.addFilters(r.lang, r.URL.Query())
	if logs.addAllPods(r); logs.Merged != nil {
		return logs.showMerged(r, v.Instance)
	}
	logs.addChoices(r.lang, r.URL.Query())
	logs.addCommands(v.Instance)
	if logs.addFollow(r, v.Instance, logs.urlQuery()); logs.Follow != "" {
		return logs.checkRight(r)
	}
	return logs.readLog(r)
}

// addPods adds the pods of an instance, and selects one.
func (v *logsView) addPods(r *request, instance *v1alpha1.AppInstance) error {
	var all []corev1.Pod
	for _, namespace := range pods.NamespacesOf(instance) {
		var list corev1.PodList
		err := r.List(r.Context(), &list, client.InNamespace(namespace), client.Limit(maxPodsRead))
		if apierrors.IsForbidden(err) {
			v.denyRight(r, "logs.cannotListPods", namespace)
			return nil
		}
		if err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		if list.Continue != "" {
			v.ReadPods = maxPodsRead
		}
		all = append(all, list.Items...)
	}
	found := pods.OfInstance(instance, all)
	if len(found) > pods.MaxShown {
		v.Cut, found = len(found)-pods.MaxShown, found[:pods.MaxShown]
	}
	v.found = found
	wanted := r.URL.Query().Get("pod")
	for i := range found {
		if found[i].Name == wanted || v.Pod == nil {
			v.Pod = &found[i]
		}
	}
	for i := range found {
		label := found[i].Name
		if !pods.IsReady(&found[i]) {
			label += " " + r.Text("logs.notReady")
		}
		v.Pods = append(v.Pods, option{found[i].Name, label, v.Pod.Name == found[i].Name && v.Pod.Namespace == found[i].Namespace})
	}
	return nil
}

// denyRight notes that the user lacks a right. problem is the message about it.
func (v *logsView) denyRight(r *request, problem, namespace string) {
	v.Problem = r.Text(problem, "Namespace", namespace)
	v.Grant = grantCommand(r.session.User, "rolebinding", " -n "+namespace, "view")
}

// addChoices selects the container and the number of lines.
func (v *logsView) addChoices(l *locale.Language, query url.Values) {
	all := pods.ContainersOf(v.Pod)
	v.Container = all[0]
	for _, container := range all {
		if container.Name == query.Get("container") {
			v.Container = container
		}
	}
	for _, container := range all {
		label := l.Text("logs.containerOption", "Name", container.Name, "State", l.Word("container", container.State))
		if container.Init {
			label = l.Text("logs.initContainerOption", "Name", container.Name, "State", l.Word("container", container.State))
		}
		v.Containers = append(v.Containers, option{container.Name, label, container.Name == v.Container.Name})
	}
	v.HasPrevious = v.Container.Restarts > 0
	v.Previous = query.Get("previous") != "" && v.HasPrevious
	v.tail = tailOf(query)
	for _, tail := range logTails {
		v.Tails = append(v.Tails, option{strconv.FormatInt(tail, 10), l.Text("logs.lastLines", "Lines", tail), tail == v.tail})
	}
}

// tailOf returns the number of lines of a query.
func tailOf(query url.Values) int64 {
	if tail, err := strconv.ParseInt(query.Get("tail"), 10, 32); err == nil && slices.Contains(logTails, tail) {
		return tail
	}
	return defaultTail
}

// urlQuery returns the query of the URLs of the same log.
func (v *logsView) urlQuery() url.Values {
	values := url.Values{"pod": {v.Pod.Name}, "container": {v.Container.Name}, "tail": {strconv.FormatInt(v.tail, 10)}}
	if v.Previous {
		values.Set("previous", "1")
	}
	v.setFilters(values)
	return values
}

// addCommands adds the commands of kubectl and of the plugin.
func (v *logsView) addCommands(instance *v1alpha1.AppInstance) {
	kubectl := []string{"kubectl", "logs", "-n", v.Pod.Namespace, v.Pod.Name, "-c", v.Container.Name, fmt.Sprintf("--tail=%d", v.tail)}
	plugin := []string{"logs", instance.Name, "--namespace", instance.Namespace, "--pod", v.Pod.Name, "-c", v.Container.Name, "--tail", fmt.Sprint(v.tail)}
	if v.Previous {
		kubectl, plugin = append(kubectl, "--previous"), append(plugin, "--previous")
	}
	v.Kubectl, v.Command = strings.Join(kubectl, " "), taskbuilder.PluginCommand(plugin)
}

// logOptions returns the options of the API server for the log.
func (v *logsView) logOptions() *corev1.PodLogOptions {
	limit := int64(maxLogBytes)
	return &corev1.PodLogOptions{Container: v.Container.Name, Previous: v.Previous, TailLines: &v.tail, LimitBytes: &limit, SinceSeconds: v.sinceSeconds()}
}

// readLog reads the log.
func (v *logsView) readLog(r *request) error {
	log, err := r.OpenLog(r.Context(), v.Pod.Namespace, v.Pod.Name, v.logOptions())
	if err != nil {
		return v.noteFailure(r, err)
	}
	defer log.Close()
	content, err := io.ReadAll(io.LimitReader(log, maxLogBytes))
	if err != nil {
		v.Problem = r.Text("logs.incomplete")
		r.server.Log.Error(err, "Cannot read a log", "namespace", v.Pod.Namespace, "pod", v.Pod.Name)
	}
	lines := strings.Split(string(content), "\n")
	for i := range lines {
		lines[i] = cleanLogLine(lines[i])
	}
	v.Text = strings.Join(v.filterLines(lines), "\n")
	return nil
}

// noteFailure notes why a log cannot be read.
func (v *logsView) noteFailure(r *request, err error) error {
	switch {
	case apierrors.IsUnauthorized(err):
		return err
	case apierrors.IsForbidden(err):
		v.denyRight(r, "logs.cannotGetLogs", v.Pod.Namespace)
	case isPodMissing(err, v.Pod.Name):
		v.Problem = r.Text("logs.podGone")
	default:
		v.Problem, v.Detail = logProblem(r.lang, err, v.Pod.Spec.NodeName), text.Printable(statusMessage(err), 500)
	}
	return nil
}

// isPodMissing reports whether an error says that there is no such pod. For a missing node, the API server
// returns an error with the same reason, which has the name of the node as the name of a pod.
func isPodMissing(err error, pod string) bool {
	return apierrors.IsNotFound(err) && strings.HasPrefix(statusMessage(err), "pods "+strconv.Quote(pod))
}

// logProblem returns a sentence about an error of the API server or of a node. Both describe errors in
// texts only.
func logProblem(l *locale.Language, err error, node string) string {
	message := statusMessage(err)
	switch {
	case node == "":
		return l.Text("logs.notScheduled")
	case strings.Contains(message, "waiting to start"), strings.Contains(message, "is not available"):
		return l.Text("logs.notStarted")
	case strings.Contains(message, "previous terminated container"):
		return l.Text("logs.noPrevious")
	}
	return l.Text("logs.nodeProblem", "Node", node)
}

// terminalCodes matches the sequences with which programs color their output.
var terminalCodes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// cleanLogLine returns a line of a log without colors and control characters, cut at its maximum length.
func cleanLogLine(line string) string {
	line = strings.ToValidUTF8(line[:min(len(line), maxLogLine)], "\uFFFD")
	line = terminalCodes.ReplaceAllString(line, "")
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c == 0x7f {
			return -1
		}
		return c
	}, line)
}

// serveLog serves a log as a download.
func (s *Server) serveLog(w http.ResponseWriter, r *request) {
	v, err := logOf(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	name, read := r.PathValue("name"), v.readMerged
	if v.Merged == nil {
		name, read = v.Pod.Name+"-"+v.Container.Name, v.readLog
	}
	if err := read(r); err != nil {
		s.writeError(w, r, err)
		return
	}
	if v.Problem != "" && v.Text == "" {
		s.writeProblem(w, r, v.toProblem(r))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.log"`, name))
	w.Header().Set("Content-Security-Policy", policy+"; sandbox")
	_, _ = io.WriteString(w, v.Text) // The client is gone if it fails.
}

// toProblem returns why there is no log to download.
func (v *logsView) toProblem(r *request) *problem {
	status := http.StatusServiceUnavailable
	if v.Grant != "" {
		status = http.StatusForbidden
	}
	return &problem{
		Status: status, Title: r.Text("problem.noLog"), Text: v.Problem, Detail: v.Detail,
		BackURL: instanceTabURL(r.PathValue("namespace"), r.PathValue("name"), "logs"), Back: r.Text("problem.showLogs"),
	}
}

// logOf returns the log of a request for the log of an instance alone.
func logOf(r *request) (*logsView, error) {
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	v := &logsView{}
	if err := v.addPods(r, instance); err != nil {
		return nil, err
	}
	v.addFilters(r.lang, r.URL.Query())
	if v.addAllPods(r); v.Merged != nil {
		v.tail = tailOf(r.URL.Query())
		return v, nil
	}
	if v.Pod == nil || v.Pod.Name != r.URL.Query().Get("pod") {
		return nil, notFound(r, "problem.noPod", instanceTabURL(instance.Namespace, instance.Name, "logs"), "problem.showLogs")
	}
	v.addChoices(r.lang, r.URL.Query())
	return v, nil
}
