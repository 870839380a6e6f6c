package pages_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/recording"
	"github.com/appmarket/operator/ui/terminal"
)

// terminalUser is the rule of a user who opens terminals.
var terminalUser = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create"}}

// terminalWorld is a world whose instance logged has a pod on a node with a kubelet, with terminals.
type terminalWorld struct {
	world

	kubelet  *kubelet
	manager  *terminal.Manager
	log      *safeLog
	path     string
	stream   string
	recorded string
}

// safeLog is a log that can be read while it is written.
type safeLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *safeLog) logger() logr.Logger {
	return funcr.New(func(prefix, arguments string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.text.WriteString(prefix + arguments + "\n")
	}, funcr.Options{})
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newTerminalWorld starts pages with terminals. Sessions are confirmed each second.
func newTerminalWorld(t *testing.T, recorded bool) terminalWorld {
	t.Helper()
	g := NewWithT(t)
	w := terminalWorld{log: &safeLog{}}
	o := terminal.Options{PingPeriod: 100 * time.Millisecond, ConfirmPeriod: time.Second}
	if recorded {
		w.recorded = t.TempDir()
		var err error
		o.Recordings, err = recording.Open(w.recorded, recording.Limits{Bytes: 1 << 30, Age: time.Hour}, logr.Discard())
		g.Expect(err).NotTo(HaveOccurred())
	}
	w.manager = terminal.NewManager(o)
	w.world = newWorld(t, false, func(o *pages.Options) { o.Terminals, o.Log = w.manager, w.log.logger() })
	w.addInstance(t, w.tenant, "logged", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.Inventory.Objects = []v1alpha1.ObjectReference{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: "wiki"}}
	})
	node := "node-" + w.tenant
	w.kubelet = startKubelet(t, w.site, node)
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-a", node)
	w.addPod(t, w.tenant, "other", "other-7c9d5-a", node)
	w.path = "/instances/" + w.tenant + "/logged/terminal"
	w.stream = w.path + "/stream?pod=wiki-7c9d5-a&container=proxy&width=90&height=30"
	return w
}

func TestTerminalOfAnInstance(t *testing.T) {
	g := NewWithT(t)
	w := newTerminalWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	page := shows(t, b, w.path, "data-stream")
	g.Expect(page.text).To(And(ContainSubstring("wiki-7c9d5-a (not ready)"), ContainSubstring("Ctrl</kbd>+<kbd>F6"), ContainSubstring("container=proxy"),
		ContainSubstring("kubectl exec -it -n "+w.tenant+" wiki-7c9d5-a -c proxy -- sh"), ContainSubstring(`href="`+w.path+`" aria-current="page"`)))
	g.Expect(page.text).NotTo(Or(ContainSubstring("other-7c9d5-a"), ContainSubstring("is recorded")))
	policy := page.Header.Get("Content-Security-Policy")
	nonce := between(page.text, `data-nonce="`, `"`)
	g.Expect(len(nonce)).To(BeNumerically(">", 20))
	g.Expect(policy).To(And(ContainSubstring("style-src 'self' 'nonce-"+nonce+"'"), ContainSubstring("script-src 'self';")))
	g.Expect(b.get(t, w.path).text).NotTo(ContainSubstring(nonce), "a nonce is used once")
	for _, other := range []string{"/instances/" + w.tenant + "/logged", "/instances/" + w.tenant + "/logged/logs"} {
		answer := b.get(t, other)
		g.Expect(answer.text).To(ContainSubstring(`href="` + w.path + `"`))
		g.Expect(answer.Header.Get("Content-Security-Policy")).NotTo(ContainSubstring("nonce"))
		g.Expect(answer.text).NotTo(ContainSubstring("xterm"))
	}

	s := b.openTerminal(t, w.stream, true)
	g.Eventually(s.text, "10s").Should(HaveSuffix("$ "))
	g.Expect(w.kubelet.queries[len(w.kubelet.queries)-1]).To(And(HaveKeyWithValue("tty", []string{"1"}), HaveKeyWithValue("command", HaveLen(3))))
	s.enter("hello\r")
	g.Eventually(s.text, "5s").Should(ContainSubstring("you said hello"))
	g.Eventually(func() string { s.enter("size\r"); return s.text() }, "5s").Should(ContainSubstring("size is 90x30"))
	s.send(map[string]any{"size": map[string]int{"width": 132, "height": 50}})
	g.Eventually(func() string { s.enter("size\r"); return s.text() }, "5s").Should(ContainSubstring("size is 132x50"))
	g.Consistently(s.ended, "3s", "200ms").Should(BeEmpty(), "the session is confirmed each second, and pings are answered")
	s.enter("exit\r")
	g.Eventually(s.ended, "5s").Should(ContainSubstring("exit code 3"))
	g.Eventually(s.done, "5s").Should(BeClosed())
	g.Eventually(w.log.String, "5s").Should(And(ContainSubstring(`"Opened a terminal" "user"="system:serviceaccount:`+w.tenant+`:jane" "namespace"="`+w.tenant+`" "instance"="logged" "pod"="wiki-7c9d5-a" "container"="proxy"`),
		ContainSubstring(`"outcome"="Exited"`), ContainSubstring(`"duration"=`)))
	g.Expect(w.log.String()).NotTo(ContainSubstring("hello"))
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

func TestOutputIsNotSentFasterThanShown(t *testing.T) {
	g := NewWithT(t)
	w := newTerminalWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	s := b.openTerminal(t, w.stream, true)
	s.enter("flood\r")
	size := func() int { return len(s.text()) }
	g.Eventually(size, "10s").Should(BeNumerically(">", 1<<20))
	g.Consistently(size, "1s").Should(BeNumerically("<", 3<<19), "the program waits for the browser")
	shown := 0
	g.Eventually(func() string {
		if now := size(); now > shown {
			s.send(map[string]any{"shown": now - shown})
			shown = now
		}
		return s.text()
	}, "20s").Should(ContainSubstring("flooded"))
}

func TestTerminalNeedsPermissions(t *testing.T) {
	g := NewWithT(t)
	w := newTerminalWorld(t, false)
	b := w.signIn(t, w.tenant, "viewer", viewer, logReader)
	g.Expect(shows(t, b, "/instances/"+w.tenant+"/logged", "Logs").text).NotTo(ContainSubstring(w.path))
	page := shows(t, b, w.path, "You cannot create pods/exec in namespace "+w.tenant)
	g.Expect(page.text).To(And(ContainSubstring("--clusterrole=edit"), Not(ContainSubstring("data-stream"))))
	s := b.openTerminal(t, w.stream, true)
	g.Eventually(s.ended, "10s").Should(ContainSubstring("The API server does not allow you"), "the API server decides about a forged request")
	g.Expect(w.kubelet.queries).To(BeEmpty())
	g.Expect(shows(t, w.signIn(t, w.tenant, "none", viewer, terminalUser), w.path, "You cannot list pods").text).NotTo(ContainSubstring("data-stream"))
}

// TestForeignPodsLookLikeMissingOnes compares the answers for pods of another instance and another tenant with the
// ones for pods that do not exist.
func TestForeignPodsLookLikeMissingOnes(t *testing.T) {
	w := newTerminalWorld(t, false)
	foreign := w.Namespace(t, nil)
	outside := w.signIn(t, foreign, "eve", viewer, logReader, terminalUser)
	member := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	stream := func(instance, pod, container string) string {
		return "/instances/" + w.tenant + "/" + instance + "/terminal/stream?pod=" + pod + "&container=" + container
	}
	for name, c := range map[string]struct {
		b              *browser
		there, missing string
	}{
		"a pod of another instance":  {member, stream("logged", "other-7c9d5-a", "proxy"), stream("logged", "missing", "proxy")},
		"a container":                {member, stream("logged", "wiki-7c9d5-a", "missing"), stream("logged", "missing", "missing")},
		"a pod of another tenant":    {outside, stream("logged", "wiki-7c9d5-a", "proxy"), stream("logged", "missing", "proxy")},
		"an instance of another one": {outside, stream("logged", "wiki-7c9d5-a", "proxy"), stream("missing", "wiki-7c9d5-a", "proxy")},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var answers [2]string
			for i, path := range []string{c.there, c.missing} {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.b.base+path, nil)
				g.Expect(err).NotTo(HaveOccurred())
				request.Header.Set("Origin", c.b.base)
				request.Header.Set("Connection", "Upgrade")
				request.Header.Set("Upgrade", "websocket")
				answer := c.b.send(t, request)
				g.Expect(answer.StatusCode).To(Equal(http.StatusNotFound))
				answer.Header.Del("Date")
				content, err := json.Marshal(answer.Header)
				g.Expect(err).NotTo(HaveOccurred())
				answers[i] = string(content) + answer.text
			}
			g.Expect(answers[0]).To(Equal(answers[1]))
			pageOf := func(path string) string {
				page, _, _ := strings.Cut(strings.Replace(path, "/terminal/stream", "/terminal", 1), "&container")
				text := c.b.get(t, page).text
				return strings.ReplaceAll(text, between(text, `data-nonce="`, `"`), "")
			}
			if c.b == outside {
				g.Expect(pageOf(c.there)).To(Equal(pageOf(c.missing)))
			}
		})
	}
	g := NewWithT(t)
	g.Expect(w.kubelet.queries).To(BeEmpty())
	g.Expect(w.log.String()).NotTo(ContainSubstring("Opened a terminal"))
}

func TestTerminalFromElsewhereIsRefused(t *testing.T) {
	w := newTerminalWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	for name, c := range map[string]struct{ origin, site string }{
		"another site": {"https://evil.example", ""}, "another port": {"http://127.0.0.1:1", ""}, "no origin": {"", ""}, "an opaque origin": {"null", ""},
		"a page of another site, by the browser": {b.base, "cross-site"}, "a page of a subdomain": {b.base, "same-site"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+w.stream, nil)
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			for header, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
				if value != "" {
					request.Header.Set(header, value)
				}
			}
			NewWithT(t).Expect(b.send(t, request).StatusCode).To(Equal(http.StatusForbidden))
		})
	}
	g := NewWithT(t)
	g.Expect(w.kubelet.queries).To(BeEmpty())
	anonymous := w.newBrowser(t)
	_, response, err := anonymous.dial(t, w.stream, anonymous.base)
	g.Expect(err).To(HaveOccurred())
	g.Expect(response.StatusCode).To(Equal(http.StatusSeeOther))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/terminal/ticket", nil)
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Origin", "https://evil.example")
	g.Expect(b.send(t, request).StatusCode).To(Equal(http.StatusForbidden))
}

func TestPagesWithoutTerminal(t *testing.T) {
	g := NewWithT(t)
	w, _ := newLogWorld(t)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	base := "/instances/" + w.tenant + "/logged"
	g.Expect(shows(t, b, base, "Logs").text).NotTo(ContainSubstring(base + "/terminal"))
	off, unknown := b.get(t, base+"/terminal"), b.get(t, base+"/unknown")
	g.Expect(off.StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(off.text).To(Equal(unknown.text))
	for _, path := range []string{base + "/terminal/stream?pod=wiki-7c9d5-a&container=proxy", "/terminal/ticket"} {
		g.Expect(b.get(t, path).StatusCode).To(Equal(http.StatusNotFound), path)
	}
	g.Expect(b.post(t, "/terminal/ticket", nil).StatusCode).To(Equal(http.StatusNotFound))
}

func TestTerminalOfANodeWithoutPrograms(t *testing.T) {
	g := NewWithT(t)
	w := newTerminalWorld(t, false)
	silent := "silent-" + w.tenant
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: silent}}
	w.create(t, node, func() {
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = 1
	})
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	for _, on := range []string{silent, "none-" + w.tenant} {
		w.addPod(t, w.tenant, on, on+"-7c9d5-a", on)
		w.addInstance(t, w.tenant, on, w.ref, func(i *v1alpha1.AppInstance) {
			i.Status.Inventory.Objects = []v1alpha1.ObjectReference{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: on}}
		})
		s := b.openTerminal(t, "/instances/"+w.tenant+"/"+on+"/terminal/stream?container=proxy&pod="+on+"-7c9d5-a", true)
		g.Eventually(s.ended, "10s").Should(And(ContainSubstring("Node "+on+" does not open a terminal"), ContainSubstring("simulated nodes"), ContainSubstring("detail")))
	}
}

func TestTerminalIsRecorded(t *testing.T) {
	g := NewWithT(t)
	w := newTerminalWorld(t, true)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	shows(t, b, w.path, "This terminal is recorded")
	s := b.openTerminal(t, w.stream, true)
	s.enter("hello\r")
	g.Eventually(s.text, "10s").Should(ContainSubstring("you said hello"))
	s.send(map[string]any{"size": map[string]int{"width": 132, "height": 50}})
	s.enter("exit\r")
	g.Eventually(s.ended, "5s").ShouldNot(BeEmpty())
	casts, err := filepath.Glob(filepath.Join(w.recorded, "*.cast"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(casts).To(HaveLen(1))
	digest := strings.TrimSuffix(filepath.Base(casts[0]), ".cast")
	g.Expect(w.log.String()).To(ContainSubstring(`"recording"="` + digest + `"`))
	content, err := os.ReadFile(casts[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(content)).To(And(ContainSubstring(`"width":90`), ContainSubstring(`"r","132x50"`), ContainSubstring("you said hello"), ContainSubstring(w.tenant+":jane")))
	entry, err := os.ReadFile(filepath.Join(w.recorded, digest+".json"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(entry)).To(And(ContainSubstring(`"pod":"wiki-7c9d5-a"`), ContainSubstring(`"outcome":"Exited"`)))

	open := b.openTerminal(t, w.stream, true)
	g.Eventually(open.text, "10s").Should(HaveSuffix("$ "))
	g.Expect(w.manager.Close(t.Context())).To(Succeed())
	casts, err = filepath.Glob(filepath.Join(w.recorded, "*.cast"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(casts).To(HaveLen(2), "the recordings are complete when the server stops")
	g.Eventually(open.ended, "5s").Should(ContainSubstring("The server stops"))
}

func TestTerminalThatCannotBeRecordedIsRefused(t *testing.T) {
	g := NewWithT(t)
	w := newTerminalWorld(t, true)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	g.Expect(os.RemoveAll(w.recorded)).To(Succeed())
	s := b.openTerminal(t, w.stream, true)
	g.Eventually(s.ended, "5s").Should(ContainSubstring("the recording cannot be started"))
	g.Expect(w.kubelet.queries).To(BeEmpty(), "no command was started")
	g.Expect(w.log.String()).To(ContainSubstring("Refused a terminal"))
}
