package pages_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// logReader is the rule of a user who reads logs.
var logReader = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "pods/log"}, Verbs: []string{"get", "list"}}

// kubelet serves the logs of containers as a kubelet does.
type kubelet struct {
	mu      sync.Mutex
	queries []url.Values
	// lines are sent to a log that is followed.
	lines chan string
	// kill ends the present shells when it is closed, and shells is the number of shells.
	kill   chan struct{}
	shells int
}

// startKubelet registers a node whose kubelet serves logs and commands.
func startKubelet(t *testing.T, s *site, node string) *kubelet {
	t.Helper()
	k := &kubelet{lines: make(chan string, 10), kill: make(chan struct{})}
	server := httptest.NewTLSServer(http.HandlerFunc(k.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	address, err := url.Parse(server.URL)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	port, err := strconv.Atoi(address.Port())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	o := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
	s.create(t, o, func() {
		o.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address.Hostname()}}
		o.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	})
	return k
}

func (k *kubelet) serveLog(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	k.mu.Lock()
	k.queries = append(k.queries, query)
	k.mu.Unlock()
	container := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	at := func(second int) string {
		if query.Get("timestamps") == "" {
			return ""
		}
		return fmt.Sprintf("2026-01-01T00:00:%02d.000000000Z ", second)
	}
	if query.Get("previous") != "" {
		fmt.Fprintf(w, "%spanic: no database\n", at(0))
		return
	}
	fmt.Fprintf(w, "%s\x1b[32mstarted\x1b[0m %s %s\n", at(1), container, attack)
	if query.Get("follow") == "" {
		return
	}
	control := http.NewResponseController(w)
	_ = control.Flush() // The test fails without the line.
	for second := 2; ; second++ {
		select {
		case line, open := <-k.lines:
			if !open {
				return
			}
			fmt.Fprintf(w, "%s%s\n", at(second), line)
			_ = control.Flush() // The test fails without the line.
		case <-r.Context().Done():
			return
		}
	}
}

// addPod creates a pod of a Deployment of an instance on a node.
func (s *site) addPod(t *testing.T, namespace, deployment, name, node string) {
	t.Helper()
	yes := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{"pod-template-hash": "7c9d5"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-7c9d5", UID: "1", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "web", Image: "registry.example/wiki"}, {Name: "proxy", Image: "registry.example/proxy"}, {Name: "bare", Image: "registry.example/bare"}}},
	}
	s.create(t, pod, func() {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "web", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
			{Name: "proxy", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{Name: "bare", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}
	})
}

// newLogWorld returns a world whose instance wiki has a pod on a node with a kubelet.
func newLogWorld(t *testing.T) (world, *kubelet) {
	t.Helper()
	w := newWorld(t, false)
	w.addInstance(t, w.tenant, "logged", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.Inventory.Objects = []v1alpha1.ObjectReference{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: "wiki"}}
	})
	node := "node-" + w.tenant
	k := startKubelet(t, w.site, node)
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-a", node)
	w.addPod(t, w.tenant, "other", "other-7c9d5-a", node)
	return w, k
}

func TestLogsOfAnInstance(t *testing.T) {
	g := NewWithT(t)
	w, k := newLogWorld(t)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader)
	path := "/instances/" + w.tenant + "/logged/logs"
	page := shows(t, b, path, "started web")
	g.Expect(page.text).To(And(ContainSubstring("wiki-7c9d5-a (not ready)"), ContainSubstring("web, CrashLoopBackOff"), ContainSubstring("Previous container"),
		ContainSubstring("kubectl logs -n "+w.tenant+" wiki-7c9d5-a -c web --tail=500"), ContainSubstring("kubectl market logs logged")))
	g.Expect(page.text).NotTo(Or(ContainSubstring("other-7c9d5-a"), ContainSubstring("<script>alert(1)"), ContainSubstring("\x1b")))
	g.Expect(page.Header.Get("Cache-Control")).To(Equal("no-store"))
	g.Expect(b.get(t, path+"?container=proxy&tail=100&previous=1").text).To(And(ContainSubstring("started proxy"), Not(ContainSubstring("Previous container"))))
	g.Expect(b.get(t, path+"?previous=1").text).To(And(ContainSubstring("panic: no database"), ContainSubstring("--previous")))
	g.Expect(k.queries[len(k.queries)-1]).To(And(HaveKeyWithValue("limitBytes", []string{"524288"}), HaveKeyWithValue("tailLines", []string{"500"})))
	g.Expect(b.get(t, "/parts"+path).text).NotTo(ContainSubstring("started"), "an update does not read the log")
	download := b.get(t, "/instances/"+w.tenant+"/logged/log?pod=wiki-7c9d5-a&container=proxy&tail=100")
	g.Expect(download.Header.Get("Content-Disposition")).To(ContainSubstring("wiki-7c9d5-a-proxy.log"))
	g.Expect(download.text).To(HavePrefix("started proxy"))
	g.Expect(b.get(t, "/instances/"+w.tenant+"/logged/log?pod=other-7c9d5-a").StatusCode).To(Equal(http.StatusNotFound), "the pod of another instance")
	g.Expect(b.get(t, "/instances/"+w.tenant+"/logged/log/stream?pod=other-7c9d5-a").StatusCode).To(Equal(http.StatusNotFound))
}

// followLog opens the stream of a log and returns its lines, without empty ones.
func followLog(t *testing.T, b *browser, path, last string) <-chan string {
	t.Helper()
	g := NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	g.Expect(err).NotTo(HaveOccurred())
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := b.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if scanner.Text() != "" {
				lines <- scanner.Text()
			}
		}
	}()
	g.Eventually(lines, "5s").Should(Receive(Equal(": open")))
	return lines
}

func TestLogIsFollowed(t *testing.T) {
	g := NewWithT(t)
	w, k := newLogWorld(t)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader)
	page := shows(t, b, "/instances/"+w.tenant+"/logged/logs?follow=1&container=proxy", "data-follow")
	g.Expect(page.text).NotTo(ContainSubstring("started proxy"), "the page with the stream has no log of its own")
	stream := "/instances/" + w.tenant + "/logged/log/stream?container=proxy&pod=wiki-7c9d5-a&tail=500"
	g.Expect(strings.ReplaceAll(page.text, "&amp;", "&")).To(ContainSubstring(stream))
	lines := followLog(t, b, stream, "")
	g.Eventually(lines, "5s").Should(Receive(Equal("id: wiki-7c9d5-a+proxy=2026-01-01T00%3A00%3A01.000000000Z")))
	g.Eventually(lines, "5s").Should(Receive(HavePrefix("data: started proxy")))
	k.lines <- "second\rdata: forged"
	g.Eventually(lines, "5s").Should(Receive(Equal("id: wiki-7c9d5-a+proxy=2026-01-01T00%3A00%3A02.000000000Z")))
	g.Eventually(lines, "5s").Should(Receive(Equal("data: seconddata: forged")), "a line cannot contain an event")

	again := followLog(t, b, stream, "wiki-7c9d5-a+proxy=2026-01-01T00%3A00%3A01.000000000Z")
	k.lines <- "third"
	k.lines <- "fourth"
	g.Eventually(again, "5s").Should(Receive(HavePrefix("id: ")))
	g.Eventually(again, "5s").Should(Receive(Or(Equal("data: third"), Equal("data: fourth"))), "lines before the last one are not repeated")
	g.Expect(b.get(t, stream).StatusCode).To(Equal(http.StatusServiceUnavailable), "a session follows 2 logs")
	close(k.lines)
	g.Eventually(lines, "5s").Should(Receive(Equal("event: closed")))
	g.Eventually(lines, "5s").Should(BeClosed())
	g.Eventually(func() int {
		return b.get(t, "/instances/"+w.tenant+"/logged/log/stream?pod=wiki-7c9d5-a&container=proxy").StatusCode
	}, 5*time.Second).Should(Equal(http.StatusOK))
}

func TestLogsNeedPermissions(t *testing.T) {
	g := NewWithT(t)
	w, _ := newLogWorld(t)
	path := "/instances/" + w.tenant + "/logged/logs"
	none := w.signIn(t, w.tenant, "none", viewer)
	g.Expect(shows(t, none, path, "You cannot list pods").text).To(ContainSubstring("--clusterrole=view"))
	lists := w.signIn(t, w.tenant, "lists", viewer, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})
	for _, query := range []string{"", "?follow=1"} {
		g.Expect(shows(t, lists, path+query, "You cannot get pods/log in namespace "+w.tenant).text).NotTo(Or(ContainSubstring("started"), ContainSubstring("data-follow")))
	}
	g.Expect(lists.get(t, "/instances/"+w.tenant+"/logged/log/stream?pod=wiki-7c9d5-a").StatusCode).To(Equal(http.StatusForbidden))
	download := lists.get(t, "/instances/"+w.tenant+"/logged/log?pod=wiki-7c9d5-a")
	g.Expect(download.StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(download.text).To(ContainSubstring("You cannot get pods/log in namespace " + w.tenant))
	other := w.signIn(t, w.Namespace(t, nil), "other", viewer, logReader)
	for _, foreign := range []string{path, "/instances/" + w.tenant + "/logged/log?pod=wiki-7c9d5-a", "/instances/" + w.tenant + "/nothing/log?pod=x"} {
		g.Expect(other.get(t, foreign).StatusCode).To(Equal(http.StatusForbidden), foreign)
	}
}

// TestLogsOfNodesWithoutLogs reads the log of a pod on a node that does not exist, and of one that does
// not respond.
func TestLogsOfNodesWithoutLogs(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	silent := "silent-" + w.tenant
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: silent}}
	w.create(t, node, func() {
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = 1
	})
	b := w.signIn(t, w.tenant, "jane", viewer, logReader)
	for _, on := range []string{silent, "none-" + w.tenant} {
		w.addPod(t, w.tenant, on, on+"-7c9d5-a", on)
		w.addInstance(t, w.tenant, on, w.ref, func(i *v1alpha1.AppInstance) {
			i.Status.Inventory.Objects = []v1alpha1.ObjectReference{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: on}}
		})
		page := shows(t, b, "/instances/"+w.tenant+"/"+on+"/logs", "Node "+on+" does not return the log")
		g.Expect(page.text).To(And(ContainSubstring("Message of the API server"), ContainSubstring("kubectl logs")), "the message is shown below the sentence")
		for _, kind := range []string{"log", "log/stream"} {
			g.Expect(b.get(t, "/instances/"+w.tenant+"/"+on+"/"+kind+"?pod="+on+"-7c9d5-a").StatusCode).To(Equal(http.StatusServiceUnavailable), kind)
		}
	}
}

func TestPodsThatAreNotReadAreReported(t *testing.T) {
	w, _ := newLogWorld(t)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader)
	path := "/instances/" + w.tenant + "/logged/logs"
	NewWithT(t).Expect(shows(t, b, path, "started web").text).NotTo(ContainSubstring("can be missing here"))
	// The names of these pods come before the names of the pods of the instance.
	group := errgroup.Group{}
	group.SetLimit(8)
	for i := range 2000 {
		group.Go(func() error {
			return w.Client.Create(t.Context(), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: fmt.Sprintf("a-%04d", i)}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			})
		})
	}
	NewWithT(t).Expect(group.Wait()).To(Succeed())
	NewWithT(t).Expect(shows(t, b, path, "can be missing here").text).NotTo(ContainSubstring("The instance has no pods"))
}

func TestObjectsThatAreNotReadyComeFirst(t *testing.T) {
	g := NewWithT(t)
	w, _ := newLogWorld(t)
	w.Create(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "waiting"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
	})
	w.addInstance(t, w.tenant, "many", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.Inventory.Objects = []v1alpha1.ObjectReference{
			{APIVersion: "v1", Kind: "ConfigMap", Namespace: w.tenant, Name: "a-config"}, {APIVersion: "v1", Kind: "Pod", Namespace: w.tenant, Name: "waiting"}, {APIVersion: "v1", Kind: "Secret", Namespace: w.tenant, Name: "z"},
		}
	})
	path := "/instances/" + w.tenant + "/many/objects"
	page := shows(t, w.signIn(t, w.tenant, "jane", viewer, logReader), path, "Not ready").text
	g.Expect(strings.Index(page, ">waiting<")).To(And(BeNumerically(">", 0), BeNumerically("<", strings.Index(page, ">a-config<"))))
	g.Expect(shows(t, w.signIn(t, w.tenant, "joe", viewer), path, "waiting").text).NotTo(ContainSubstring("Not ready"), "an object that the user cannot list has no state")
}
