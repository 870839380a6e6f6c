package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestMain lets the test's binary stand for the programs, as the command's does, and for the processes of a node.
func TestMain(m *testing.M) {
	if run, found := programs[filepath.Base(os.Args[0])]; found {
		run()
		return
	}
	if len(os.Args) > 1 && slices.Contains([]string{forwardCommand, strings.Fields(nodeInitCommand)[0]}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestALifeOfACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	dir := t.TempDir()
	var out bytes.Buffer
	c := must(newCluster(dir, &out))
	t.Cleanup(func() {
		if err := c.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	do := func(name string) {
		t.Helper()
		out.Reset()
		if err := command(t.Context(), []string{name, "--dir", dir}, &out); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, &out)
		}
	}

	do("up")
	client := must(c.client())
	runPod(t, client)
	if log, err := os.ReadFile(c.auditLog()); err != nil || !strings.Contains(string(log), `"username":"admin"`) {
		t.Errorf("the audit log says nothing of what this test did: %v", err)
	}
	do("status")
	if !strings.Contains(out.String(), "3 of 3 ready") {
		t.Errorf("got %s", &out)
	}
	do("up")
	if !strings.Contains(out.String(), "already") {
		t.Errorf("a second start is none, got %s", &out)
	}

	scheduler, _ := c.process("kube-scheduler").running()
	if err := syscall.Kill(scheduler.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !gone(t.Context(), scheduler, killAfter) {
		t.Fatal("the scheduler was killed and is there")
	}
	do("up")
	if !strings.Contains(out.String(), "cleaning up") {
		t.Errorf("a cluster that lost a process starts anew, got %s", &out)
	}

	server, _ := c.process("kube-apiserver").running()
	do("down")
	if server.alive() {
		t.Error("the API server outlived the cluster")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "bin" {
		t.Errorf("only the programs are to be left, got %v, %v", left, err)
	}
	if err := command(t.Context(), []string{"status", "--dir", dir}, &out); !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
}

// runPod waits for a pod with a claim, an init container and a readiness gate to become ready.
func runPod(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	pods, claims := client.CoreV1().Pods("default"), client.CoreV1().PersistentVolumeClaims("default")
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *node("", "").Status.Capacity.Memory()}
	must(claims.Create(t.Context(), claim, metav1.CreateOptions{}))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	pod.Spec = corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "first", Image: "none"}},
		Containers:     []corev1.Container{{Name: "web", Image: "none"}},
		ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.org/gate"}},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
		}}},
	}
	must(pods.Create(t.Context(), pod, metav1.CreateOptions{}))
	err := poll(t.Context(), func() (bool, error) {
		now, err := pods.Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, c := range now.Status.Conditions {
			if c.Type == corev1.PodReady {
				return c.Status == corev1.ConditionTrue, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
