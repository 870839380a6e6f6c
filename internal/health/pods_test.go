package health_test

import (
	"context"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/release"
)

func TestHealthExplainsPods(t *testing.T) {
	s := newFixture(t, allPermissions)
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.patchStatus(web, `{"observedGeneration":1,"replicas":1,"updatedReplicas":1}`)
	s.trackObjects("blog", web)
	const waiting = `{"phase":"Pending","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":%d,"state":{"waiting":{"reason":"%s","message":"back-off 20s"}},"lastState":{"terminated":{"exitCode":3,"reason":"Error"}}}]}`
	cases := []struct {
		why    string
		status string
		want   string
	}{
		{why: "no node", status: `{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/3 nodes are available"}]}`,
			want: "Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu."},
		{why: "no image", status: fmt.Sprintf(waiting, 0, "ErrImagePull"), want: "container web: ImagePullBackOff: image web:1"},
		{why: "still no image", status: fmt.Sprintf(waiting, 0, "ImagePullBackOff"), want: "container web: ImagePullBackOff: image web:1"},
		{why: "the container crashes repeatedly", status: fmt.Sprintf(waiting, 4, "CrashLoopBackOff"), want: "container web: CrashLoopBackOff: last exit code 3"},
		{why: "the container configuration is invalid", status: fmt.Sprintf(waiting, 0, "CreateContainerConfigError"), want: "container web: CreateContainerConfigError: back-off 20s"},
		{why: "the container is being created", status: fmt.Sprintf(waiting, 0, "ContainerCreating"), want: "container web: ContainerCreating"},
		{why: "the container was killed", status: `{"phase":"Running","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":1,"state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}`,
			want: "container web: CrashLoopBackOff: last exit code 137, OOMKilled"},
		{why: "the container has failed once", status: `{"phase":"Running","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}`,
			want: "container web: exit code 1"},
		{why: "the readiness probe fails", status: `{"phase":"Running","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"started":true,"restartCount":0,"state":{"running":{}}}]}`,
			want: "container web: running, not ready"},
		{why: "the pod was evicted", status: `{"phase":"Failed","reason":"Evicted","message":"The node was low on memory"}`,
			want: "pod failed: Evicted: The node was low on memory"},
		{why: "an init container is reported first", status: `{"phase":"Pending","initContainerStatuses":[{"name":"init","image":"init:1","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"InvalidImageName"}}}],"containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"PodInitializing"}}}]}`,
			want: "container init: InvalidImageName: image init:1"},
		{why: "the pod has no status", status: `{"phase":"Pending"}`, want: "Available: 0/1"},
	}
	for i, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			s := s.withT(t)
			pod := s.applyYAML(fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: web-%d, labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}", i))
			s.patchStatus(pod, c.status)
			s.Expect(s.getHealth("blog")).To(Equal(release.Health{Total: 1, Message: "Deployment/web: " + c.want}))
			s.Expect(apiServer.admin.Delete(context.Background(), toUnstructured(pod), zeroGrace{})).To(Succeed())
		})
	}
}

func TestPodsThatUseAClaim(t *testing.T) {
	s := newFixture(t, allPermissions)
	photos := s.applyYAML(claimYAML("photos"))
	s.trackObjects("blog", photos)
	s.Expect(s.getHealth("blog").IsHealthy()).To(BeTrue())
	s.applyYAML("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: b}], volumes: [{name: a, persistentVolumeClaim: {claimName: photos}}]}}")
	s.Expect(s.getHealth("blog")).To(Equal(release.Health{Total: 1, Message: "PersistentVolumeClaim/photos: PVC is not Bound. phase: Pending"}))
}
