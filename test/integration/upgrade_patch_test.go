package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// deploymentWith returns a Deployment with additional lines of its container.
func deploymentWith(lines string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: lists}
spec:
  selector: {matchLabels: {app: lists}}
  template:
    metadata: {labels: {app: lists}}
    spec:
      containers:
      - name: main
        image: ` + fixture.Image + "\n        " + lines + "\n"
}

func serviceWith(ports string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: lists}\nspec: {selector: {app: lists}, ports: " + ports + "}\n"
}

func secretWith(lines string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: lists}\n" + lines + "\n"
}

// gaugeWith returns an object of a custom kind in the group of the spec.
func gaugeWith(spec string) string {
	return "apiVersion: {{ .Release.Namespace }}.example.com/v1\nkind: Gauge\nmetadata: {name: lists}\nspec: " + spec + "\n"
}

var _ = Describe("A change that a patch of Helm loses", func() {
	const (
		servicePorts   = `{range .spec.ports[*]}{.name} {.port}/{.protocol} {.targetPort}; {end}`
		containerPorts = `{range .spec.template.spec.containers[0].ports[*]}{.name} {.containerPort}/{.protocol}; {end}`
		env            = `{range .spec.template.spec.containers[0].env[*]}{.name}={.value}; {end}`
		mounts         = `{range .spec.template.spec.containers[0].volumeMounts[*]}{.name} {.mountPath} {.subPath}; {end}`
	)
	const volume = "\n      volumes: [{name: data, emptyDir: {}}]"

	DescribeTable("is made by an upgrade, reverted by a rollback, and not reported as drift",
		func(ctx SpecContext, object, path, before, initial, after, changed string) {
			t := newTenant(ctx)
			newGauges(ctx, t)
			chart := func(version, text string) fixture.Chart {
				return fixture.Chart{Name: "lists", Version: version, Files: fixture.Files{"templates/all.yaml": text}}
			}
			t.Offer(ctx, chart("1.0.0", before), chart("1.1.0", after))
			if object == "gauge" {
				object = "gauges." + t.Namespace + ".example.com" // Other specs have kinds with this name.
			}
			live := func() string {
				return t.Kubectl(ctx, "get", object, "lists", "--namespace", t.Namespace, "--output", "jsonpath="+path)
			}
			t.Succeed(ctx, v1alpha1.ActionInstall, "lists", fixture.Version("1.0.0"))
			Expect(live()).To(Equal(initial))
			t.Kubectl(ctx, "patch", "appinstance", "lists", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"driftPolicy":"Warn"}}`)
			expectNoDrift := func() {
				GinkgoHelper()
				instance := t.Instance(ctx, "lists")
				t.WaitTrue(ctx, instance, v1alpha1.ConditionReady)
				Expect(instance.Status.Drift).To(BeEmpty())
			}
			expectNoDrift()
			t.Succeed(ctx, v1alpha1.ActionUpgrade, "lists", fixture.Version("1.1.0"))
			Expect(live()).To(Equal(changed))
			expectNoDrift()
			t.Succeed(ctx, v1alpha1.ActionRollback, "lists")
			Expect(live()).To(Equal(initial))
			expectNoDrift()
		},
		Entry("if a Service gets a second protocol for a port", "service", servicePorts,
			serviceWith("[{name: tcp, port: 53, targetPort: 1053}]"), "tcp 53/TCP 1053; ",
			serviceWith("[{name: tcp, port: 53, targetPort: 1053}, {name: udp, port: 53, targetPort: 1053, protocol: UDP}]"), "tcp 53/TCP 1053; udp 53/UDP 1053; "),
		Entry("if both protocols of a Service get another target", "service", servicePorts,
			serviceWith("[{name: tcp, port: 53, targetPort: 1053}, {name: udp, port: 53, targetPort: 1053, protocol: UDP}]"), "tcp 53/TCP 1053; udp 53/UDP 1053; ",
			serviceWith("[{name: tcp, port: 53, targetPort: 2053}, {name: udp, port: 53, targetPort: 2053, protocol: UDP}]"), "tcp 53/TCP 2053; udp 53/UDP 2053; "),
		Entry("if a container gets a second protocol for a port", "deployment", containerPorts,
			deploymentWith("ports: [{name: tcp, containerPort: 53}]"), "tcp 53/TCP; ",
			deploymentWith("ports: [{name: tcp, containerPort: 53}, {name: udp, containerPort: 53, protocol: UDP}]"), "tcp 53/TCP; udp 53/UDP; "),
		Entry("if a container loses one of two protocols", "deployment", containerPorts,
			deploymentWith("ports: [{name: tcp, containerPort: 53}, {name: udp, containerPort: 53, protocol: UDP}]"), "tcp 53/TCP; udp 53/UDP; ",
			deploymentWith("ports: [{name: udp, containerPort: 53, protocol: UDP}]"), "udp 53/UDP; "),
		Entry("if a duplicate variable is removed", "deployment", env,
			deploymentWith("env: [{name: MODE, value: a}, {name: OTHER, value: x}, {name: MODE, value: b}]"), "MODE=a; OTHER=x; MODE=b; ",
			deploymentWith("env: [{name: MODE, value: a}, {name: OTHER, value: x}]"), "MODE=a; OTHER=x; "),
		Entry("if the order of variables changes", "deployment", env,
			deploymentWith("env: [{name: A, value: x}, {name: B, value: $(A)}]"), "A=x; B=$(A); ",
			deploymentWith("env: [{name: B, value: z}, {name: A, value: $(B)}]"), "B=z; A=$(B); "),
		Entry("if a volume is mounted at a second path", "deployment", mounts,
			deploymentWith("volumeMounts: [{name: data, mountPath: /a}]"+volume), "data /a ; ",
			deploymentWith("volumeMounts: [{name: data, mountPath: /a}, {name: data, mountPath: /b, subPath: b}]"+volume), "data /a ; data /b b; "),
		Entry("if a list of a custom resource loses an element", "gauge", "{.spec}",
			gaugeWith("{rules: [{name: a}, {name: b, level: 1}], limit: 3}"), `{"limit":3,"rules":[{"name":"a"},{"level":1,"name":"b"}]}`,
			gaugeWith("{rules: [{name: b, level: 2}]}"), `{"rules":[{"level":2,"name":"b"}]}`),
		Entry("if a key is removed from stringData", "secret", "{.data}",
			secretWith("stringData: {kept: v, revoked: w}"), `{"kept":"dg==","revoked":"dw=="}`,
			secretWith("stringData: {kept: v}"), `{"kept":"dg=="}`),
		Entry("if stringData is removed", "secret", "{.data}",
			secretWith("data: {kept: dg==}\nstringData: {revoked: w}"), `{"kept":"dg==","revoked":"dw=="}`,
			secretWith("data: {kept: dg==}"), `{"kept":"dg=="}`),
		Entry("if a key moves from stringData to data", "secret", "{.data}",
			secretWith("stringData: {moved: v, revoked: w}"), `{"moved":"dg==","revoked":"dw=="}`,
			secretWith("data: {moved: dw==}"), `{"moved":"dw=="}`),
	)

	It("is made after a manual change of the spec, and the rest of the object is not changed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "lists", Version: "1.0.0", Files: fixture.Files{
			"values.yaml":        "revoke: false\n",
			"templates/all.yaml": secretWith("stringData:\n  kept: v\n{{- if not .Values.revoke }}\n  revoked: w\n{{- end }}"),
		}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "lists")
		t.Kubectl(ctx, "patch", "secret", "lists", "--namespace", t.Namespace, "--type=merge", "--patch", `{"stringData":{"other":"o"}}`)
		t.Kubectl(ctx, "patch", "appinstance", "lists", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"values":{"revoke":true}}}`)
		Eventually(func() string {
			return t.Kubectl(ctx, "get", "secret", "lists", "--namespace", t.Namespace, "--output", "jsonpath={.data}")
		}).WithContext(ctx).Should(Equal(`{"kept":"dg==","other":"bw=="}`))
	})
})
