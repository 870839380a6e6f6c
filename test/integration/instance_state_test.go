package integration_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// siteChart returns a chart with a Deployment, a Service and a ConfigMap.
func siteChart(version string) fixture.Chart {
	return fixture.Chart{Name: "site", Version: version, Files: fixture.Files{
		"values.yaml": "paused: false\ntype: ClusterIP\ntext: hello\n",
		"templates/settings.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {text: {{ .Values.text | quote }}}
`,
		"templates/service.yaml": `apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {type: {{ .Values.type }}, selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
`,
		"templates/site.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  paused: {{ .Values.paused }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: site, image: ` + fixture.Image + `}]}
`,
	}}
}

var _ = Describe("The Ready condition of an instance", func() {
	// expectReady waits until the message of Ready matches.
	expectReady := func(ctx context.Context, t *fixture.Tenant, name string, matcher OmegaMatcher) {
		GinkgoHelper()
		Eventually(func() string {
			for _, c := range t.Instance(ctx, name).Status.Conditions {
				if c.Type == v1alpha1.ConditionReady {
					return string(c.Status) + " " + c.Message
				}
			}
			return ""
		}).WithContext(ctx).Should(matcher)
	}
	requestReconcile := func(ctx context.Context, t *fixture.Tenant, name, value string) {
		t.Kubectl(ctx, "annotate", "appinstance", name, "-n", t.Namespace, "--overwrite", v1alpha1.ReconcileRequestAnnotation+"="+value)
	}

	DescribeTable("reports a deleted object, which is restored on request", func(ctx SpecContext, kind, object string) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		expectReady(ctx, t, "site", Equal("True running version 1.0.0, 3 objects ready"))

		t.Kubectl(ctx, "delete", kind, object, "-n", t.Namespace)
		expectReady(ctx, t, "site", And(HavePrefix("False version 1.0.0, 2 of 3 objects ready: "), ContainSubstring("/"+object+" is gone; change the annotation ")))

		requestReconcile(ctx, t, "site", "now")
		expectReady(ctx, t, "site", Equal("True running version 1.0.0, 3 objects ready"))
	},
		Entry("that is a workload", "deployment", "site"),
		Entry("that is a Service", "service", "site"),
		Entry("that has no status", "configmap", "site-settings"),
	)

	It("reports that the release was deleted manually, and is installed again on request", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		t.Kubectl(ctx, "delete", "deployment,service,configmap", "site", "site-settings", "--ignore-not-found", "-n", t.Namespace)
		t.Kubectl(ctx, "delete", "secrets", "-l", "owner=helm", "-n", t.Namespace)
		expectReady(ctx, t, "site", HavePrefix("False version 1.0.0, 0 of 3 objects ready: "))

		requestReconcile(ctx, t, "site", "now")
		expectReady(ctx, t, "site", Equal("True running version 1.0.0, 3 objects ready"))
	})

	It("is True and reports that a load balancer has no address", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site", fixture.Values(map[string]any{"type": "LoadBalancer"}))
		expectReady(ctx, t, "site", Equal("True running version 1.0.0, 3 objects ready; Service/site has no address yet; a load balancer or an ingress controller assigns it"))
	})

	It("reports that a Deployment is paused, until it is resumed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		task := t.Task(ctx, v1alpha1.ActionInstall, "site", fixture.Values(map[string]any{"paused": true}))
		Eventually(func() error {
			return t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "site"}, &v1alpha1.AppInstance{})
		}).WithContext(ctx).Should(Succeed())
		expectReady(ctx, t, "site", HavePrefix("Unknown version 1.0.0, 2 of 3 objects ready: Deployment/site is paused: run kubectl rollout resume deployment/site"))
		t.Kubectl(ctx, "rollout", "resume", "deployment/site", "-n", t.Namespace)
		Expect(t.WaitEnd(ctx, task).Message).To(Equal("running version 1.0.0, 3 objects ready"))
	})
})

var _ = Describe("The history of an instance", func() {
	It("names the task of an operation only if the task wrote the spec", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		task := t.Task(ctx, v1alpha1.ActionInstall, "site")
		t.WaitEnd(ctx, task)
		t.Kubectl(ctx, "patch", "appinstance", "site", "-n", t.Namespace, "--type=merge", "-p", `{"spec":{"values":{"text":"hi"}}}`)
		Eventually(func() string {
			settings := &corev1.ConfigMap{}
			t.Get(ctx, settings, "site-settings")
			return settings.Data["text"]
		}).WithContext(ctx).Should(Equal("hi"))
		Eventually(func() []string {
			var tasks []string
			for _, entry := range t.Instance(ctx, "site").Status.History {
				tasks = append(tasks, string(entry.Operation.Type)+" "+entry.Operation.Task)
			}
			return tasks
		}).WithContext(ctx).Should(Equal([]string{"Upgrade ", "Install " + task.Name}))
	})
})
