package objects_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/objects"
)

const describedWorkload = `apiVersion: apps/v1
kind: %s
metadata: {name: web}
spec:
  replicas: 3
  template:
    spec:
      initContainers:
      - {name: first, resources: {requests: {cpu: 1}}}
      - {name: sidecar, restartPolicy: Always, resources: {requests: {memory: 64Mi}}}
      containers:
      - {name: web, resources: {requests: {cpu: 0.5, memory: 1Gi}, limits: {nvidia.com/gpu: 1, memory: 2Gi}}}
`

// describe returns the description of documents for the namespace "here".
func describe(t *testing.T, texts ...string) objects.Description {
	t.Helper()
	var docs []objects.Document
	for _, text := range texts {
		docs = append(docs, objects.NewDocument("web/templates/web.yaml", text))
	}
	described, err := objects.DescribeObjects(docs, "here")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return described
}

func TestFootprint(t *testing.T) {
	for _, c := range []struct {
		why  string
		text string
		want objects.Footprint
	}{
		{"the Pods of a Deployment count by its replicas, and an init container only where it requests more",
			fmt.Sprintf(describedWorkload, "Deployment"), objects.Footprint{CPU: "3", Memory: "3264Mi"}},
		{"a DaemonSet counts as one Pod", fmt.Sprintf(describedWorkload, "DaemonSet"), objects.Footprint{CPU: "1", Memory: "1088Mi"}},
		{"claims add up, and the claims of a StatefulSet count by its replicas", `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 5Gi}}}}]`, objects.Footprint{Storage: "10Gi"}},
		{"a quantity that is not valid is ignored", `apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, resources: {requests: {cpu: many, memory: [1]}}}]}`, objects.Footprint{}},
		{"the Pods of a CronJob run only for some time", `apiVersion: batch/v1
kind: CronJob
metadata: {name: job}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: job, resources: {requests: {cpu: 1}}}]}}}}}`, objects.Footprint{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(describe(t, c.text).Footprint).To(Equal(c.want))
		})
	}
}

func TestHooksHaveNoFootprint(t *testing.T) {
	g := NewWithT(t)
	doc := objects.NewDocument("web/templates/job.yaml", strings.Replace(fmt.Sprintf(describedWorkload, "Deployment"), "metadata:", "status: {}\nmetadata:", 1))
	doc.Hook = true
	described, err := objects.DescribeObjects([]objects.Document{doc}, "here")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(described.Footprint).To(Equal(objects.Footprint{}))
}

func TestAccessOfANamespacedApp(t *testing.T) {
	g := NewWithT(t)
	access := describe(t, fmt.Sprintf(describedWorkload, "Deployment"), `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web, namespace: here}
rules: [{apiGroups: [""], resources: [secrets], verbs: [list, get]}]`).Access
	g.Expect(access.IsLimitedToNamespace()).To(BeTrue())
	g.Expect(access.Rules).To(Equal([]string{"get, list secrets in the namespace of the app"}))
	g.Expect(access.RuleCount).To(Equal(1))
	g.Expect(access.Privileged).To(BeEmpty())
}

func TestAccessOutsideTheNamespace(t *testing.T) {
	for _, c := range []struct{ why, text, sentence string }{
		{"a cluster-scoped object", "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}", "Namespace/other"},
		{"an object in another namespace", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: kube-system}", `ConfigMap/a in namespace "kube-system"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			access := describe(t, c.text).Access
			g.Expect(access.IsLimitedToNamespace()).To(BeFalse())
			g.Expect(access.ClusterObjects).To(Equal([]string{c.sentence}))
		})
	}
	g := NewWithT(t)
	access := describe(t, `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Widget}}`, "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}").Access
	g.Expect(access.CRDs).To(Equal([]string{"widgets.example.com"}))
	g.Expect(access.ClusterObjects).To(ConsistOf("CustomResourceDefinition/widgets.example.com", "Widget/one"))
	access = describe(t, `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: here}
roleRef: {kind: ClusterRole, name: view}`).Access
	g.Expect(access.IsLimitedToNamespace()).To(BeTrue(), "a RoleBinding grants permissions in its namespace only")
	g.Expect(access.Rules).To(Equal([]string{`all permissions of ClusterRole "view" in the namespace of the app`}))
}

func TestAccessToNodes(t *testing.T) {
	g := NewWithT(t)
	access := describe(t, `apiVersion: v1
kind: Pod
metadata: {name: agent}
spec:
  hostNetwork: true
  hostPID: true
  volumes: [{name: socket, hostPath: {path: /run/socket}}]
  containers:
  - {name: a, securityContext: {privileged: true}}
  - {name: b, securityContext: {capabilities: {add: [NET_ADMIN, SYS_ADMIN]}}}
  - {name: c, securityContext: {privileged: false, capabilities: {add: [NET_BIND_SERVICE]}}}`).Access
	g.Expect(access.HostNetworks).To(Equal([]string{"Pod/agent"}))
	g.Expect(access.HostPaths).To(Equal([]string{"Pod/agent: /run/socket"}))
	g.Expect(access.Privileged).To(Equal([]string{"Pod/agent: hostPID", `Pod/agent: container "a": privileged`, `Pod/agent: container "b": capability SYS_ADMIN`}))
}

func TestAccessIsBounded(t *testing.T) {
	g := NewWithT(t)
	list := "apiVersion: v1\nkind: List\nitems:\n"
	for i := range 300 {
		list += fmt.Sprintf("- {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %s%d}}\n", strings.Repeat("a", 600), i)
	}
	access := describe(t, list).Access
	g.Expect(access.CRDCount).To(Equal(300))
	g.Expect(access.CRDs).To(HaveLen(200))
	g.Expect(len(access.CRDs[0])).To(BeNumerically("<=", 512))
}

func TestClusterRequirements(t *testing.T) {
	g := NewWithT(t)
	needs := describe(t, fmt.Sprintf(describedWorkload, "Deployment"),
		"apiVersion: monitoring.example.com/v1\nkind: Monitor\nmetadata: {name: a}",
		`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Widget}}`, "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\nspec: {ingressClassName: nginx}",
		"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {storageClassName: fast}",
		"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: b}\nspec: {storageClassName: own}",
		"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: own}",
		"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec: {storageClassName: \"\"}",
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nimagePullSecrets: [{name: pull}, {name: own}]",
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {imagePullSecrets: [{name: hub}, {name: \"\"}]}}}",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: own}").Requirements
	g.Expect(needs).To(Equal(objects.Requirements{
		Kinds:          []objects.RequiredKind{{APIVersion: "monitoring.example.com/v1", Kind: "Monitor"}},
		StorageClasses: []string{"fast"}, IngressClasses: []string{"nginx"}, PullSecrets: []string{"hub", "pull"},
		PodRequests: []objects.ResourceRequest{{Name: "cpu", Amount: "1"}, {Name: "memory", Amount: "1088Mi"}, {Name: "nvidia.com/gpu", Amount: "1"}},
	}))
	g.Expect(describe(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {}").Requirements.NeedsDefaultStorageClass).To(BeTrue())
}
