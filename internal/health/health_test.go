package health_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

func workloadYAML(kind, name string) string {
	extra := map[string]string{"StatefulSet": "\n  serviceName: web"}[kind]
	return fmt.Sprintf(`apiVersion: apps/v1
kind: %s
metadata: {name: %s}
spec:%s
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec: {containers: [{name: web, image: web}]}
`, kind, name, extra, name, name)
}

func claimYAML(name string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s},
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`, name)
}

const availableStatus = `{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,
"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}`

func TestHealthFollowsObjects(t *testing.T) {
	s := newFixture(t, allPermissions)
	refs := []v1alpha1.ObjectReference{
		s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}"),
		s.applyYAML("{apiVersion: v1, kind: Secret, metadata: {name: keys}}"),
		s.applyYAML("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"),
		s.applyYAML(workloadYAML("Deployment", "web")),
		s.applyYAML(workloadYAML("StatefulSet", "db")),
	}
	web, db := refs[3], refs[4]
	s.trackObjects("blog", refs...)
	s.trackObjects("blog", refs...)
	s.expectHealth("blog", release.Health{Total: 5, Ready: 3, Message: "Deployment/web: Replicas: 0/1"})
	s.patchStatus(web, availableStatus)
	s.expectHealth("blog", release.Health{Total: 5, Ready: 4, Message: "StatefulSet/db: Replicas: 0/1"})
	s.patchStatus(db, `{"observedGeneration":1,"replicas":1,"readyReplicas":1,"currentReplicas":1,"updatedReplicas":1,"availableReplicas":1}`)
	s.expectHealth("blog", release.Health{Total: 5, Ready: 5})

	s.patchStatus(web, `{"readyReplicas":0,"availableReplicas":0,"unavailableReplicas":1,"conditions":[
		{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"took too long"}]}`)
	s.expectHealth("blog", release.Health{Total: 5, Ready: 4, Failed: true, Message: "Deployment/web: Progress deadline exceeded"})
	s.deleteObject(web)
	s.expectHealth("blog", release.Health{Total: 5, Ready: 4, Missing: 1, Failed: true, Message: "Deployment/web is gone"})
}

func TestHealthOfKinds(t *testing.T) {
	s := newFixture(t, allPermissions)
	const jobSpec = "spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}"
	cases := []struct {
		why    string
		object string
		status string
		want   release.Health
	}{{
		why:    "a job that runs is as it should be",
		object: "{apiVersion: batch/v1, kind: Job, metadata: {name: runs}, " + jobSpec + "}",
		status: `{"startTime":"2026-01-01T00:00:00Z","active":1}`,
		want:   release.Health{Total: 1, Ready: 1},
	}, {
		why:    "a job that failed stays so",
		object: "{apiVersion: batch/v1, kind: Job, metadata: {name: fails}, " + jobSpec + "}",
		status: `{"startTime":"2026-01-01T00:00:00Z","failed":1,"conditions":[
			{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]}`,
		want: release.Health{Total: 1, Failed: true, Message: "Job/fails: Job Failed. failed: 1/1"},
	}, {
		why:    "a daemon set waits for its nodes",
		object: workloadYAML("DaemonSet", "agent"),
		status: `{"observedGeneration":1,"desiredNumberScheduled":2,"currentNumberScheduled":2,"updatedNumberScheduled":2,"numberAvailable":1,"numberReady":1}`,
		want:   release.Health{Total: 1, Message: "DaemonSet/agent: Available: 1/2"},
	}, {
		why:    "a volume claim that nobody uses may wait for its first consumer",
		object: claimYAML("photos"),
		status: `{"phase":"Pending"}`,
		want:   release.Health{Total: 1, Ready: 1, Remark: "PersistentVolumeClaim/photos has no volume, and no pod uses it yet"},
	}, {
		why:    "a volume claim that has lost its volume may not",
		object: claimYAML("films"),
		status: `{"phase":"Lost"}`,
		want:   release.Health{Total: 1, Message: "PersistentVolumeClaim/films: PVC is not Bound. phase: Lost"},
	}, {
		why:    "why a deployment has no pods at all",
		object: workloadYAML("Deployment", "none"),
		status: `{"observedGeneration":1,"conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"exceeded quota: small"}]}`,
		want:   release.Health{Total: 1, Message: "Deployment/none: exceeded quota: small"},
	}, {
		why:    "an ingress is ready when it is there",
		object: "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}",
		want:   release.Health{Total: 1, Ready: 1, Remark: "Ingress/web has no address yet; a load balancer or an ingress controller assigns it"},
	}, {
		why:    "an ingress that has its address",
		object: "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: open}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}",
		status: `{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}`,
		want:   release.Health{Total: 1, Ready: 1},
	}, {
		why:    "a load balancer without an address, as on bare metal",
		object: "{apiVersion: v1, kind: Service, metadata: {name: front}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
		want:   release.Health{Total: 1, Ready: 1, Remark: "Service/front has no address yet; a load balancer or an ingress controller assigns it"},
	}, {
		why:    "a deployment that was made paused",
		object: strings.Replace(workloadYAML("Deployment", "paused"), "spec:", "spec:\n  paused: true", 1),
		status: `{"observedGeneration":1}`,
		want: release.Health{Total: 1,
			Message: "Deployment/paused is paused: run kubectl rollout resume deployment/paused -n " + s.namespace,
			Remark:  "Deployment/paused is paused: run kubectl rollout resume deployment/paused -n " + s.namespace},
	}, {
		why:    "a deployment that was paused when it was ready",
		object: strings.Replace(workloadYAML("Deployment", "held"), "spec:", "spec:\n  paused: true", 1),
		status: availableStatus,
		want: release.Health{Total: 1, Ready: 1,
			Remark: "Deployment/held is paused: run kubectl rollout resume deployment/held -n " + s.namespace},
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			s := s.withT(t)
			ref := s.applyYAML(c.object)
			if c.status != "" {
				s.patchStatus(ref, c.status)
			}
			s.trackObjects("one", ref)
			s.expectHealth("one", c.want)
			s.watcher.Untrack(s.instanceName("one"))
		})
	}
}

// in is the scene for a part of a test.
func (s *fixture) withT(t *testing.T) *fixture {
	part := *s
	part.t, part.WithT = t, NewWithT(t)
	return &part
}

func TestHealthOfADeletedJob(t *testing.T) {
	s := newFixture(t, allPermissions)
	const job = "{apiVersion: batch/v1, kind: Job, metadata: {name: %s}, spec: {ttlSecondsAfterFinished: 60, template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}"
	cases := []struct {
		why    string
		name   string
		status string
		want   release.Health
	}{{
		why:  "one that has completed has done what it was for",
		name: "done",
		status: `{"startTime":"2026-01-01T00:00:00Z","completionTime":"2026-01-01T00:00:00Z","succeeded":1,"conditions":[
			{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}`,
		want: release.Health{Total: 1, Ready: 1},
	}, {
		why:  "one that has failed is not mended by that",
		name: "broken",
		status: `{"startTime":"2026-01-01T00:00:00Z","failed":1,"conditions":[
			{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]}`,
		want: release.Health{Total: 1, Failed: true, Message: "Job/broken: Job Failed. failed: 1/1"},
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			s := s.withT(t)
			ref := s.applyYAML(fmt.Sprintf(job, c.name))
			s.patchStatus(ref, c.status)
			s.trackObjects(c.name, ref)
			s.expectHealth(c.name, c.want)
			// The cluster removes it in two steps; nobody takes the second one here.
			s.Expect(apiServer.admin.Delete(context.Background(), toUnstructured(ref), ctrl.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
			s.drainEvents()
			s.expectHealth(c.name, c.want)
			s.Expect(apiServer.admin.Patch(context.Background(), toUnstructured(ref),
				ctrl.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
			s.drainEvents()
			s.expectHealth(c.name, c.want)

			again := s.applyYAML(fmt.Sprintf(job, c.name))
			s.patchStatus(again, `{"startTime":"2026-01-01T00:00:00Z","active":1}`)
			s.expectHealth(c.name, release.Health{Total: 1, Ready: 1})
			s.deleteObject(again)
			s.watcher.Untrack(s.instanceName(c.name))
		})
	}
}

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
		{why: "it ends again and again", status: fmt.Sprintf(waiting, 4, "CrashLoopBackOff"), want: "container web: CrashLoopBackOff: last exit code 3"},
		{why: "its settings are wrong", status: fmt.Sprintf(waiting, 0, "CreateContainerConfigError"), want: "container web: CreateContainerConfigError: back-off 20s"},
		{why: "it is being made", status: fmt.Sprintf(waiting, 0, "ContainerCreating"), want: "container web: ContainerCreating"},
		{why: "it was killed", status: `{"phase":"Running","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":1,"state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}`,
			want: "container web: CrashLoopBackOff: last exit code 137, OOMKilled"},
		{why: "it has failed once", status: `{"phase":"Running","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}`,
			want: "container web: exit code 1"},
		{why: "its probe fails", status: `{"phase":"Running","containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"started":true,"restartCount":0,"state":{"running":{}}}]}`,
			want: "container web: running, not ready"},
		{why: "it was evicted", status: `{"phase":"Failed","reason":"Evicted","message":"The node was low on memory"}`,
			want: "pod failed: Evicted: The node was low on memory"},
		{why: "an init container comes first", status: `{"phase":"Pending","initContainerStatuses":[{"name":"init","image":"init:1","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"InvalidImageName"}}}],"containerStatuses":[{"name":"web","image":"web:1","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"PodInitializing"}}}]}`,
			want: "container init: InvalidImageName: image init:1"},
		{why: "nothing is known of it", status: `{"phase":"Pending"}`, want: "Available: 0/1"},
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
	s.Expect(s.getHealth("blog").Healthy()).To(BeTrue())
	s.applyYAML("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: b}], volumes: [{name: a, persistentVolumeClaim: {claimName: photos}}]}}")
	s.Expect(s.getHealth("blog")).To(Equal(release.Health{Total: 1, Message: "PersistentVolumeClaim/photos: PVC is not Bound. phase: Pending"}))
}

func TestCustomObjectsFollowTheirConditions(t *testing.T) {
	s := newFixture(t, allPermissions)
	kind := fmt.Sprintf("Database%d", namespaces.Load())
	plural := fmt.Sprintf("database%ds", namespaces.Load())
	ref := v1alpha1.ObjectReference{APIVersion: "example.com/v1", Kind: kind, Namespace: s.namespace, Name: "db"}
	s.trackObjects("blog", ref)
	missing := release.Health{Total: 1, Missing: 1, Failed: true, KindMissing: true,
		Message: kind + `/db is gone: no matches for kind "` + kind + `" in version "example.com/v1"`}
	s.expectHealth("blog", missing)

	s.applyYAML(fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %s.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: %s, plural: %s}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`, plural, kind, plural))
	s.Eventually(func() error {
		object := toUnstructured(ref)
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
		return apiServer.admin.Create(context.Background(), object)
	}, "10s").Should(Succeed())
	s.patchStatus(ref, `{"conditions":[{"type":"Ready","status":"False","reason":"Starting","message":"wait"}]}`)
	s.Eventually(func() release.Health { return s.getHealth("blog") }, "10s").
		Should(Equal(release.Health{Total: 1, Message: kind + "/db: wait"}))
	s.patchStatus(ref, `{"conditions":[{"type":"Ready","status":"True","reason":"Started","message":"fine"}]}`)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})

	definition := toUnstructured(v1alpha1.ObjectReference{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition", Name: plural + ".example.com"})
	s.Expect(apiServer.admin.Delete(context.Background(), definition)).To(Succeed())
	s.Eventually(func() release.Health { return s.getHealth("blog") }, "60s").Should(Equal(missing))
}

func TestObjectsInOtherNamespacesArePolled(t *testing.T) {
	s := newFixture(t, allPermissions)
	other := newFixture(t)
	web := other.applyYAML(workloadYAML("Deployment", "shared"))
	role := s.applyYAML(fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: %s}}", s.namespace))
	s.trackObjects("blog", web, role)
	_, known, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
	s.Expect(known).To(BeFalse())
	s.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
	s.Expect(err).To(MatchError(ContainSubstring("service account " + s.namespace + "/installer may not get ")))

	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "installer", Namespace: s.namespace}}
	s.createObject(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "look-" + s.namespace}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list"},
	}}})
	s.createObject(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "look-" + s.namespace}, Subjects: subject,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "look-" + s.namespace}})
	s.Eventually(func() error {
		_, _, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
		return err
	}).Should(Succeed())
	s.Expect(s.getHealth("blog").Ready).To(Equal(1))
	other.patchStatus(web, availableStatus)
	s.expectHealth("blog", release.Health{Total: 2, Ready: 2})
	s.Expect(s.watches.open.Load()).To(BeZero())

	s.drainEvents()
	s.deleteObject(role)
	s.Expect(s.getHealth("blog").Healthy()).To(BeTrue(), "the last look is not old")
	s.Eventually(s.changes, "15s").Should(Receive(), "the controller is told to look again")
	s.Expect(s.getHealth("blog")).To(Equal(release.Health{
		Total: 2, Ready: 1, Missing: 1, Failed: true, Message: "ClusterRole/" + s.namespace + " is gone",
	}))
}

func TestTenantMustBeAllowedToWatch(t *testing.T) {
	s := newFixture(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"*"}})
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.trackObjects("blog", web)
	var err error
	s.Eventually(func() error {
		_, _, err = s.watcher.Health(t.Context(), s.instanceName("blog"))
		return err
	}, "10s").Should(MatchError(fmt.Sprintf(
		"service account %s/installer may not list deployments.apps in namespace %s", s.namespace, s.namespace)))
	s.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonPermissionDenied))
	s.Expect(outcome.IsStalled(err)).To(BeFalse())
	s.Eventually(s.changes, "5s").Should(Receive(), "the controller is told")

	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "installer", Namespace: s.namespace}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list", "watch"},
	}}}
	s.Expect(apiServer.admin.Update(t.Context(), role)).To(Succeed())
	s.patchStatus(web, `{"observedGeneration":1}`)
	s.Eventually(func() (string, error) {
		said, _, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
		return said.Message, err
	}, "40s", "100ms").Should(Equal(fmt.Sprintf(
		"Deployment/web: Replicas: 0/1; service account %s/installer may not list pods in namespace %s", s.namespace, s.namespace)),
		"with the right it goes on, and without pods it says what it can")
}

func TestWatchesAreShared(t *testing.T) {
	s := newFixture(t, allPermissions)
	web, api := s.applyYAML(workloadYAML("Deployment", "web")), s.applyYAML(workloadYAML("Deployment", "api"))
	service := s.applyYAML("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}")
	config := s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
	open := func() int64 { return s.watches.open.Load() }

	s.trackObjects("blog", web, service, config)
	s.getHealth("blog")
	s.Eventually(open).Should(BeEquivalentTo(3), "one for each kind")
	s.trackObjects("shop", api)
	s.getHealth("shop")
	s.Eventually(open).Should(BeEquivalentTo(3), "one for all instances of the tenant")

	s.drainEvents()
	s.patchStatus(api, availableStatus)
	s.expectHealth("shop", release.Health{Total: 1, Ready: 1})
	s.drainEvents()
	s.patchStatus(api, `{"observedGeneration":1}`)
	s.patchStatus(web, `{"observedGeneration":1}`)
	s.expectHealth("blog", release.Health{Total: 3, Ready: 2, Message: "Deployment/web: Replicas: 0/1"})

	s.trackObjects("blog", web)
	s.getHealth("blog")
	s.Eventually(open).Should(BeEquivalentTo(1), "what is not followed any more is not watched")
	s.patchStatus(web, availableStatus)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})

	s.watcher.Untrack(s.instanceName("blog"))
	s.watcher.Untrack(s.instanceName("blog"))
	s.Expect(open()).To(BeEquivalentTo(1))
	s.watcher.Untrack(s.instanceName("shop"))
	s.Eventually(open).Should(BeZero(), "the last one turns off the light")
	_, known, err := s.watcher.Health(t.Context(), s.instanceName("blog"))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(known).To(BeFalse())
}

func TestChangesAreToldOnce(t *testing.T) {
	s := newFixture(t, allPermissions)
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.patchStatus(web, availableStatus)
	s.trackObjects("blog", web)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})
	s.drainEvents()
	for i := range 30 {
		s.patchStatus(web, fmt.Sprintf(`{"collisionCount":%d}`, i))
	}
	s.Consistently(s.changes, "300ms").ShouldNot(Receive(), "what does not change the verdict is no news")
}

func TestAnObjectWithoutAStateThatIsDeleted(t *testing.T) {
	for why, rules := range map[string][]rbacv1.PolicyRule{
		"the tenant may watch it": {allPermissions},
		"the tenant may only get it": {
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}},
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"*"}},
		},
	} {
		t.Run(why, func(t *testing.T) {
			s := newFixture(t, rules...)
			refs := []v1alpha1.ObjectReference{
				s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}"),
				s.applyYAML("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"),
			}
			s.trackObjects("blog", refs...)
			s.expectHealth("blog", release.Health{Total: 2, Ready: 2})
			if len(rules) > 1 {
				return // It is looked at from time to time.
			}
			s.deleteObject(refs[0])
			s.expectHealth("blog", release.Health{Total: 2, Ready: 1, Missing: 1, Failed: true, Message: "ConfigMap/settings is gone"})
			s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
			s.expectHealth("blog", release.Health{Total: 2, Ready: 2})
		})
	}
}

func TestAnObjectThatLostTheLabelOfHelm(t *testing.T) {
	s := newFixture(t, allPermissions)
	web := s.applyYAML(workloadYAML("Deployment", "web"))
	s.patchStatus(web, availableStatus)
	s.trackObjects("blog", web)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})
	s.drainEvents()
	s.Expect(apiServer.admin.Patch(t.Context(), toUnstructured(web),
		ctrl.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null}}`)))).To(Succeed())
	s.Eventually(s.changes, "5s").Should(Receive(), "the watch does not bring it any more")
	s.Expect(s.getHealth("blog")).To(Equal(release.Health{Total: 1, Ready: 1}), "it is there all the same")
}
