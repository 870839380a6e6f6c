package health_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
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

func TestHealthChangesWithObjects(t *testing.T) {
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

func TestUnreadyObjects(t *testing.T) {
	s := newFixture(t, allPermissions)
	var refs []v1alpha1.ObjectReference
	for i := range 22 {
		refs = append(refs, s.applyYAML(workloadYAML("Deployment", fmt.Sprintf("web-%02d", 22-i))))
	}
	late := s.applyYAML(workloadYAML("Deployment", "late"))
	s.patchStatus(late, `{"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"took too long"}]}`)
	settings := s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
	s.deleteObject(settings)
	s.trackObjects("blog", append(refs, late, settings)...)
	s.expectHealth("blog", release.Health{Total: 24, Missing: 1, Failed: true, Message: "ConfigMap/settings is gone"})
	health, _, err := s.watcher.Health(context.Background(), s.instanceName("blog"))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(health.Unready).To(HaveLen(release.MaxUnready))
	s.Expect(health.Unready[:4]).To(Equal([]v1alpha1.UnreadyObject{
		{Object: settings, Status: v1alpha1.ObjectMissing, Message: "is gone"},
		{Object: late, Status: v1alpha1.ObjectFailed, Message: "Progress deadline exceeded"},
		{Object: refs[0], Status: v1alpha1.ObjectInProgress, Message: "Replicas: 0/1"},
		{Object: refs[1], Status: v1alpha1.ObjectInProgress, Message: "Replicas: 0/1"},
	}), "by severity, and then in installation order")
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
		why:    "a running job is ready",
		object: "{apiVersion: batch/v1, kind: Job, metadata: {name: runs}, " + jobSpec + "}",
		status: `{"startTime":"2026-01-01T00:00:00Z","active":1}`,
		want:   release.Health{Total: 1, Ready: 1},
	}, {
		why:    "a failed job",
		object: "{apiVersion: batch/v1, kind: Job, metadata: {name: fails}, " + jobSpec + "}",
		status: `{"startTime":"2026-01-01T00:00:00Z","failed":1,"conditions":[
			{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]}`,
		want: release.Health{Total: 1, Failed: true, Message: "Job/fails: Job Failed. failed: 1/1"},
	}, {
		why:    "a daemon set waits for its pods",
		object: workloadYAML("DaemonSet", "agent"),
		status: `{"observedGeneration":1,"desiredNumberScheduled":2,"currentNumberScheduled":2,"updatedNumberScheduled":2,"numberAvailable":1,"numberReady":1}`,
		want:   release.Health{Total: 1, Message: "DaemonSet/agent: Available: 1/2"},
	}, {
		why:    "an unused volume claim may wait for its first consumer",
		object: claimYAML("photos"),
		status: `{"phase":"Pending"}`,
		want:   release.Health{Total: 1, Ready: 1, Remark: "PersistentVolumeClaim/photos has no volume, and no pod uses it yet"},
	}, {
		why:    "a volume claim that has lost its volume is not ready",
		object: claimYAML("films"),
		status: `{"phase":"Lost"}`,
		want:   release.Health{Total: 1, Message: "PersistentVolumeClaim/films: PVC is not Bound. phase: Lost"},
	}, {
		why:    "a deployment that cannot create pods",
		object: workloadYAML("Deployment", "none"),
		status: `{"observedGeneration":1,"conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"exceeded quota: small"}]}`,
		want:   release.Health{Total: 1, Message: "Deployment/none: exceeded quota: small"},
	}, {
		why:    "an ingress is ready when it exists",
		object: "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}",
		want:   release.Health{Total: 1, Ready: 1, Remark: "Ingress/web has no address yet; a load balancer or an ingress controller assigns it"},
	}, {
		why:    "an ingress with an address",
		object: "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: open}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}",
		status: `{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}`,
		want:   release.Health{Total: 1, Ready: 1},
	}, {
		why:    "a load balancer without an address, as on bare metal",
		object: "{apiVersion: v1, kind: Service, metadata: {name: front}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
		want:   release.Health{Total: 1, Ready: 1, Remark: "Service/front has no address yet; a load balancer or an ingress controller assigns it"},
	}, {
		why:    "a deployment that was created paused",
		object: strings.Replace(workloadYAML("Deployment", "paused"), "spec:", "spec:\n  paused: true", 1),
		status: `{"observedGeneration":1}`,
		want: release.Health{Total: 1,
			Message: "Deployment/paused is paused: run kubectl rollout resume deployment/paused -n " + s.namespace,
			Remark:  "Deployment/paused is paused: run kubectl rollout resume deployment/paused -n " + s.namespace},
	}, {
		why:    "a deployment that was paused after it became ready",
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

// withT returns the fixture for a subtest.
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
		why:  "a completed job stays ready",
		name: "done",
		status: `{"startTime":"2026-01-01T00:00:00Z","completionTime":"2026-01-01T00:00:00Z","succeeded":1,"conditions":[
			{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}`,
		want: release.Health{Total: 1, Ready: 1},
	}, {
		why:  "a failed job stays failed",
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
			// The garbage collector, which does not run here, would remove it after its pods.
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

// definitionYAML is the format of a CustomResourceDefinition: its plural and group, its group, kind and plural.
const definitionYAML = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %s.%s, annotations: {api-approved.kubernetes.io: "unapproved, for a test"}}
spec:
  group: %s
  scope: Namespaced
  names: {kind: %s, plural: %s}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// TestRefusedRoute checks that a route which a Gateway refuses is ready, and that the refusal is reported.
func TestRefusedRoute(t *testing.T) {
	s := newFixture(t, allPermissions)
	s.applyYAML(fmt.Sprintf(definitionYAML, "httproutes", "gateway.networking.k8s.io", "gateway.networking.k8s.io", "HTTPRoute", "httproutes"))
	ref := v1alpha1.ObjectReference{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: s.namespace, Name: "web"}
	s.Eventually(func() error {
		object := toUnstructured(ref)
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
		return apiServer.admin.Create(context.Background(), object)
	}, "10s").Should(Succeed())
	s.trackObjects("blog", ref)
	s.expectHealth("blog", release.Health{Total: 1, Ready: 1})
	s.patchStatus(ref, `{"parents":[{"parentRef":{"name":"public"},"conditions":[{"type":"Accepted","status":"False","message":"no listener has the host"}]}]}`)
	s.Eventually(func() release.Health { return s.getHealth("blog") }, "10s").
		Should(Equal(release.Health{Total: 1, Ready: 1, Remark: `HTTPRoute/web is not accepted by Gateway "public": no listener has the host`}))
}

func TestCustomObjectsFollowTheirConditions(t *testing.T) {
	s := newFixture(t, allPermissions)
	kind := fmt.Sprintf("Database%d", namespaces.Load())
	plural := fmt.Sprintf("database%ds", namespaces.Load())
	ref := v1alpha1.ObjectReference{APIVersion: "example.com/v1", Kind: kind, Namespace: s.namespace, Name: "db"}
	s.trackObjects("blog", ref)
	missing := release.Health{Total: 1, Missing: 1, Failed: true, NoKindMatch: true,
		Message: kind + `/db is gone: no matches for kind "` + kind + `" in version "example.com/v1"`}
	s.expectHealth("blog", missing)

	s.applyYAML(fmt.Sprintf(definitionYAML, plural, "example.com", "example.com", kind, plural))
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

// TestEndpoints checks that the address of a Service is known without a request when it changes, and
// that each change sends an event.
func TestEndpoints(t *testing.T) {
	s := newFixture(t, allPermissions)
	front := s.applyYAML("{apiVersion: v1, kind: Service, metadata: {name: front}, spec: {type: LoadBalancer, ports: [{name: http, port: 80}]}}")
	settings := s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
	_, known := s.watcher.Endpoints(s.instanceName("blog"))
	s.Expect(known).To(BeFalse(), "an instance that is not tracked")
	s.trackObjects("blog", settings, front)
	s.getHealth("blog")
	hostOf := func() string {
		found, known := s.watcher.Endpoints(s.instanceName("blog"))
		s.Expect(known).To(BeTrue())
		s.Expect(found).To(HaveLen(1))
		s.Expect(found[0].Name).To(Equal("front"))
		return found[0].Host
	}
	s.Expect(hostOf()).To(BeEmpty())
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		s.drainEvents()
		s.patchStatus(front, `{"loadBalancer":{"ingress":[{"ip":"`+address+`"}]}}`)
		s.Eventually(s.changes, "5s").Should(Receive(), "the second address does not change the health")
		s.Eventually(hostOf, "5s").Should(Equal(address))
	}
	s.deleteObject(front)
	s.Eventually(func() int {
		found, _ := s.watcher.Endpoints(s.instanceName("blog"))
		return len(found)
	}, "5s").Should(BeZero())
}
