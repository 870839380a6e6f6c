package command_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// startKubelet registers a node whose kubelet serves a log with the options of the request.
func (p *plugin) startKubelet(node string) {
	p.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		fmt.Fprintf(w, "%s tail=%s previous=%s since=%s\nlast line", filepath.Base(r.URL.Path), query.Get("tailLines"), query.Get("previous"), query.Get("sinceSeconds"))
		if query.Get("follow") != "" {
			_ = http.NewResponseController(w).Flush() // The test fails without the line.
			<-r.Context().Done()
		}
	}))
	p.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	address, err := url.Parse(server.URL)
	NewWithT(p.t).Expect(err).NotTo(HaveOccurred())
	port, err := strconv.Atoi(address.Port())
	NewWithT(p.t).Expect(err).NotTo(HaveOccurred())
	p.createWithStatus(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}, Status: corev1.NodeStatus{
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address.Hostname()}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
	}})
}

// addPods creates the pods of an instance with the StatefulSets web and db, and a pod of another one.
func (p *plugin) addPods(namespace, node string) {
	yes := true
	for _, owner := range []string{"web", "db", "other"} {
		p.createWithStatus(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: owner + "-0", OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: owner, UID: "1", Controller: &yes}},
			},
			Spec: corev1.PodSpec{
				NodeName: node, InitContainers: []corev1.Container{{Name: "migrate", Image: "migrate"}}, Containers: []corev1.Container{{Name: owner, Image: owner}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: owner, RestartCount: int32(len(owner) - 2)}}},
		})
	}
	p.createWithStatus(newInstance(namespace, "wiki", func(i *v1alpha1.AppInstance) {
		i.Status.Inventory = &v1alpha1.Inventory{Total: 2, Objects: []v1alpha1.ObjectReference{
			{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: namespace, Name: "web"}, {APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: namespace, Name: "db"},
		}}
		i.Status.Entrances = []v1alpha1.Entrance{{Name: "hidden", Host: "db", Port: 5432, Hidden: true}, {Name: "web", Host: "wiki", Port: 8080}, {Name: "public", URL: "https://public.wiki.example.com/"}}
	}))
	p.createWithStatus(newInstance(namespace, "empty", func(i *v1alpha1.AppInstance) { i.Status.Inventory, i.Status.Entrances = nil, nil }))
}

func TestLogs(t *testing.T) {
	p := newPlugin(t)
	p.namespace("logs")
	p.startKubelet("node-logs")
	p.addPods("logs", "node-logs")
	expectGolden(t, "logs",
		p.run("logs wiki -n logs"), p.run("logs wiki -n logs --pod web-0 --tail 20 --since 5m"), p.run("logs wiki -n logs --previous"), p.run("logs wiki -n logs -c migrate --tail -1"),
		p.run("logs wiki -n logs --pod other-0"), p.run("logs wiki -n logs -c nothing"), p.run("logs wiki -n logs --pod db-0 -p"), p.run("logs empty -n logs"), p.run("logs nothing -n logs"))
	g := NewWithT(t)
	ctx, interrupt := context.WithTimeout(t.Context(), 2*time.Second)
	defer interrupt()
	p.ctx = ctx
	followed := p.run("logs wiki -n logs --pod web-0 -f")
	g.Expect(followed.out).To(HavePrefix("web tail=500"))
	g.Expect(followed.code).To(BeZero(), followed.errOut)
}

func TestLogsNeedPermissions(t *testing.T) {
	p := newPlugin(t)
	p.namespace("logs-denied")
	p.addPods("logs-denied", "node-logs")
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "joe")
	expectGolden(t, "logs-forbidden", p.run("logs wiki -n logs-denied"))
}

func TestLogsOfANodeWithoutLogs(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	p.namespace("logs-node")
	p.createWithStatus(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-without-address"}})
	p.addPods("logs-node", "node-without-address")
	r := p.run("logs wiki -n logs-node --pod web-0")
	g.Expect(r.errOut).To(And(ContainSubstring("no preferred addresses found"), ContainSubstring("The node of pod web-0 does not return the log")))
	g.Expect(r.code).To(Equal(1))
}

func TestOpen(t *testing.T) {
	p := newPlugin(t)
	p.namespace("open")
	p.addPods("open", "node-open")
	expectGolden(t, "open",
		p.run("open wiki -n open --print"), p.run("open wiki hidden -n open --print --port 8888 --request-timeout 5s"), p.run("open wiki nothing -n open"), p.run("open empty -n open"), p.run("open"),
		p.run("open wiki public -n open --print"), p.run("open wiki public -n open --port-forward"))

	g := NewWithT(t)
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >&2\necho 'Forwarding from 127.0.0.1:43211 -> 8080'\n"
	g.Expect(os.WriteFile(filepath.Join(dir, "kubectl"), []byte(script), 0o755)).To(Succeed())
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	g.Expect(os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\necho \"$@\" > "+filepath.Join(dir, "opened")+"\n"), 0o755)).To(Succeed())
	opened := p.run("open wiki public -n open")
	g.Expect(opened.out).To(Equal("https://public.wiki.example.com/\n"))
	g.Expect(opened.code).To(BeZero(), opened.errOut)
	g.Expect(os.ReadFile(filepath.Join(dir, "opened"))).To(BeEquivalentTo("https://public.wiki.example.com/\n"))

	r := p.run("open wiki -n open --no-browser")
	g.Expect(r.out).To(Equal("http://127.0.0.1:43211\n"))
	g.Expect(r.errOut).To(Equal("port-forward -n open service/wiki :8080\n"))
	g.Expect(r.code).To(BeZero())
	t.Log("the Service decides between http and https")
	https := "https"
	p.env.Create(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "open", Name: "wiki"}, Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "metrics", Port: 9090}, {Name: "web", Port: 8080, AppProtocol: &https}},
	}})
	g.Expect(p.run("open wiki -n open --no-browser").out).To(Equal("https://127.0.0.1:43211\n"))
	g.Expect(p.run("open wiki hidden -n open --no-browser").out).To(Equal("http://127.0.0.1:43211\n"), "the Service cannot be read")
	p.createWithStatus(newInstance("open", "secure", func(i *v1alpha1.AppInstance) {
		i.Status.Entrances = []v1alpha1.Entrance{{Name: "web", Host: "secure", Port: 443}}
	}))
	g.Expect(p.run("open secure -n open --no-browser").out).To(Equal("https://127.0.0.1:43211\n"), "the port is 443")

	g.Expect(os.WriteFile(filepath.Join(dir, "kubectl"), []byte("#!/bin/sh\nexit 1\n"), 0o755)).To(Succeed())
	g.Expect(p.run("open wiki -n open --no-browser").errOut).To(ContainSubstring("kubectl port-forward failed"))
}
