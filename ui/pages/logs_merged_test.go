package pages_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestLogsOfSeveralPods(t *testing.T) {
	g := NewWithT(t)
	w, k := newLogWorld(t)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader)
	path := "/instances/" + w.tenant + "/logged/logs"
	g.Expect(b.get(t, path).text).NotTo(ContainSubstring("All pods"), "one pod")
	node := w.nodeOf(t, "wiki-7c9d5-a")
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-b", node)
	page := shows(t, b, path+"?pod=*&tail=100", `<option value="*" selected>All pods`, "6 containers, merged", "wiki-7c9d5-a web: started web", "wiki-7c9d5-b proxy: started proxy")
	g.Expect(page.text).To(And(ContainSubstring(">Follow<"), Not(ContainSubstring("other-7c9d5-a")), Not(ContainSubstring("left out"))))
	g.Expect(activeMarkup(t, page.text)).To(BeEmpty())
	k.mu.Lock()
	last := k.queries[len(k.queries)-1]
	k.mu.Unlock()
	g.Expect([]string{last.Get("timestamps"), last.Get("tailLines"), last.Get("limitBytes"), last.Get("sinceSeconds")}).To(Equal([]string{"true", "100", "524288", ""}))

	filtered := b.get(t, path+"?pod=*&q=STARTED+Web&since=60m").text
	g.Expect(filtered).To(And(ContainSubstring("wiki-7c9d5-b web: started web"), Not(ContainSubstring("started proxy")), ContainSubstring(`value="STARTED Web"`), ContainSubstring(`<option value="60m" selected>`)))
	k.mu.Lock()
	g.Expect(k.queries[len(k.queries)-1].Get("sinceSeconds")).To(Equal("3600"))
	k.mu.Unlock()
	g.Expect(b.get(t, path+"?pod=*&q=nothing").text).To(ContainSubstring("No matching lines"))
	g.Expect(b.get(t, path+"?pod=wiki-7c9d5-b&container=proxy&q=nothing").text).To(ContainSubstring("No matching lines"))
	g.Expect(b.get(t, path+"?pod=wiki-7c9d5-b&container=proxy&q=started").text).To(And(ContainSubstring("started proxy"), ContainSubstring("q=started")))

	download := b.get(t, strings.TrimSuffix(path, "logs")+"log?pod=*&q=web")
	g.Expect(download.StatusCode).To(Equal(http.StatusOK))
	g.Expect(download.Header.Get("Content-Disposition")).To(ContainSubstring("logged.log"))
	g.Expect(strings.Split(strings.TrimSpace(download.text), "\n")).To(HaveLen(2))

	// At most 20 containers are read, and one that cannot be read does not hide the others.
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-unreachable", "no-such-node")
	for i := range 5 {
		w.addPod(t, w.tenant, "wiki", fmt.Sprint("wiki-7c9d5-c", i), node)
	}
	k.mu.Lock()
	before := len(k.queries)
	k.mu.Unlock()
	g.Expect(b.get(t, path+"?pod=*").text).To(And(ContainSubstring("20 containers, merged"), ContainSubstring("4 other containers are left out")))
	k.mu.Lock()
	g.Expect(len(k.queries) - before).To(BeNumerically("<=", 20))
	k.mu.Unlock()
	b.selectChinese(t)
	shows(t, b, path+"?pod=*&q=nothing", "所有 Pod", "所有容器", "最近 5 分钟", "包含以下文本的行", "20 个容器的日志", "另有 4 个容器未包含", "没有匹配的行")
	reader := w.signIn(t, w.tenant, "reader", viewer)
	g.Expect(reader.get(t, path+"?pod=*").text).To(ContainSubstring("You cannot list pods"))
}

// TestLogsOfSeveralPodsAreFollowed follows the logs of all containers, continues after an interruption without
// repeated lines, and loses no line of another container.
func TestLogsOfSeveralPodsAreFollowed(t *testing.T) {
	g := NewWithT(t)
	w, k := newLogWorld(t)
	b := w.signIn(t, w.tenant, "jane", viewer, logReader)
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-b", w.nodeOf(t, "wiki-7c9d5-a"))
	w.addPod(t, w.tenant, "wiki", "wiki-7c9d5-unreachable", "no-such-node")
	page := shows(t, b, "/instances/"+w.tenant+"/logged/logs?follow=1&pod=*", "9 containers, merged", "Stop following", "Pods that start later")
	stream := "/instances/" + w.tenant + "/logged/log/stream?pod=%2A&tail=500"
	g.Expect(strings.ReplaceAll(page.text, "&amp;", "&")).To(ContainSubstring(stream))
	lines := followLog(t, b, stream, "")
	started := map[string]bool{}
	g.Eventually(func() map[string]bool {
		select {
		case line := <-lines:
			if name, _, found := strings.Cut(line, ": started "); found {
				started[name] = true
			}
		default:
		}
		return started
	}, "10s", "5ms").Should(HaveLen(6))
	g.Expect(started).To(HaveKey("data: wiki-7c9d5-b proxy"))

	again := followLog(t, b, stream, "wiki-7c9d5-a+web=2026-01-01T00%3A00%3A01.000000000Z&other-7c9d5-a+web=2026-01-01T00%3A00%3A09Z&wiki-7c9d5-b+bare=now")
	var seen []string
	g.Eventually(func() []string {
		select {
		case line := <-again:
			seen = append(seen, line)
		default:
		}
		return seen
	}, "10s", "5ms").Should(ContainElement(HavePrefix("data: wiki-7c9d5-b bare: started")))
	g.Consistently(again, "500ms").ShouldNot(Receive(HavePrefix("data: wiki-7c9d5-a web: started")), "the page has received the line")
	g.Expect(seen).NotTo(ContainElement(HavePrefix("data: wiki-7c9d5-a web: started")))
	g.Expect(seen).NotTo(ContainElement(ContainSubstring("other-7c9d5-a")), "the position of another pod is not kept")
	close(k.lines)
	g.Eventually(again, "5s").Should(Receive(Equal("event: closed")))

	lists := w.signIn(t, w.tenant, "lists", viewer, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})
	g.Expect(lists.get(t, stream).StatusCode).To(Equal(http.StatusForbidden))
	shows(t, lists, "/instances/"+w.tenant+"/logged/logs?follow=1&pod=*", "You cannot get pods/log")
}

// nodeOf returns the node of a pod of the tenant.
func (w world) nodeOf(t *testing.T, name string) string {
	t.Helper()
	pod := &corev1.Pod{}
	NewWithT(t).Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.tenant, Name: name}, pod)).To(Succeed())
	return pod.Spec.NodeName
}
