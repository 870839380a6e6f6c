//go:build node

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestALifeOfANode(t *testing.T) {
	if err := checkMachine(); err != nil {
		t.Skipf("left out: %v", err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	c := must(newCluster(dir, &out))
	t.Cleanup(func() {
		if err := c.clear(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	do := func(args ...string) {
		t.Helper()
		out.Reset()
		if err := command(t.Context(), append(args, "--dir", dir), &out); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, &out)
		}
	}
	missing := map[string]bool{}
	for path := range mountPoints {
		_, err := os.Stat(path)
		missing[path] = err != nil
	}
	expectNothing := func(when string) {
		t.Helper()
		if _, err := net.InterfaceByName(hostInterface); err == nil {
			t.Errorf("%s: interface %s is left", when, hostInterface)
		}
		if groups := must(podGroups()); len(groups) > 0 {
			t.Errorf("%s: control groups %v are left", when, groups)
		}
		if mounts := string(must(os.ReadFile("/proc/self/mounts"))); strings.Contains(mounts, dir) {
			t.Errorf("%s: mounts are left:\n%s", when, mounts)
		}
		for path := range mountPoints {
			if _, err := os.Stat(path); missing[path] != (err != nil) {
				t.Errorf("%s: folder %s was made or removed", when, path)
			}
		}
		if _, err := os.Stat(c.node()); err == nil {
			t.Errorf("%s: folder %s is left", when, c.node())
		}
	}

	do("up", "--simulated-nodes=false")
	do("node", "up")
	client := must(c.client())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "real"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever,
	}}}}
	must(client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}))
	if err := poll(t.Context(), func() (bool, error) {
		now, err := client.CoreV1().Pods("default").Get(t.Context(), pod.Name, metav1.GetOptions{})
		return err == nil && now.Status.Phase == corev1.PodRunning, err
	}); err != nil {
		t.Fatal(err)
	}
	do("node", "up")
	if !strings.Contains(out.String(), "already") {
		t.Errorf("got %s", &out)
	}

	// A start that is cut off leaves what a node leaves whose first process is killed.
	first, _ := c.nodeProcess().running()
	if err := syscall.Kill(first.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	do("node", "down")
	expectNothing("after a node that was killed")

	do("node", "up")
	do("down")
	expectNothing("after the cluster")
}
