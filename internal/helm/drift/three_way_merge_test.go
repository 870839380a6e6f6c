package drift

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestPatchTo(t *testing.T) {
	const (
		deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: "
		service    = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: "
		secret     = "{apiVersion: v1, kind: Secret, metadata: {name: a}, "
		widget     = "{apiVersion: test.appmarket.io/v1, kind: Widget, metadata: {name: a}, spec: "
	)
	containers := func(text string) string {
		return deployment + "{template: {spec: {containers: [" + text + "]}}}}"
	}
	env := func(text string) string { return containers("{name: web, env: [" + text + "]}") }
	cases := []struct {
		why                   string
		earlier, target, live string
		want                  string // the JSON merge patch
	}{
		{
			why:     "nothing differs but what others set",
			earlier: deployment + "{replicas: 1}}",
			target:  deployment + "{replicas: 1}}",
			live:    deployment + "{replicas: 1, revisionHistoryLimit: 3}, status: {replicas: 1}}",
			want:    "{}",
		}, {
			why:     "a field is set, another removed",
			earlier: deployment + "{paused: true}}",
			target:  deployment + "{replicas: 2}}",
			live:    deployment + "{paused: true, replicas: 1}}",
			want:    "{spec: {paused: null, replicas: 2}}",
		}, {
			why:     "a null removes what others set",
			earlier: deployment + "{}}",
			target:  deployment + "{paused: null}}",
			live:    deployment + "{paused: true}}",
			want:    "{spec: {paused: null}}",
		}, {
			why:     "a null in an earlier manifest set nothing",
			earlier: deployment + "{paused: null}}",
			target:  deployment + "{}}",
			live:    deployment + "{paused: true}}",
			want:    "{}",
		}, {
			why:     "status and bookkeeping are not the manifest's",
			earlier: deployment + "{}, status: {replicas: 3}}",
			target:  "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, creationTimestamp: null, uid: x}, status: {replicas: 2}}",
			live:    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, creationTimestamp: now, uid: y}, status: {replicas: 1}}",
			want:    "{}",
		}, {
			why:     "a second protocol of a port",
			earlier: service + "{ports: [{name: tcp, port: 53, protocol: TCP}]}}",
			target:  service + "{ports: [{name: tcp, port: 53, protocol: TCP}, {name: udp, port: 53, protocol: UDP}]}}",
			live:    service + "{ports: [{name: tcp, port: 53, protocol: TCP, nodePort: 30053}]}}",
			want:    "{spec: {ports: [{name: tcp, port: 53, protocol: TCP, nodePort: 30053}, {name: udp, port: 53, protocol: UDP}]}}",
		}, {
			why:     "both protocols of a port change, and a port of another client stays",
			earlier: service + "{ports: [{name: tcp, port: 53, targetPort: 1}, {name: udp, port: 53, protocol: UDP, targetPort: 1}]}}",
			target:  service + "{ports: [{name: tcp, port: 53, targetPort: 2}, {name: udp, port: 53, protocol: UDP, targetPort: 2}]}}",
			live: service + "{ports: [{name: own, port: 80, protocol: TCP}, {name: tcp, port: 53, protocol: TCP, targetPort: 1, nodePort: 1}, " +
				"{name: udp, port: 53, protocol: UDP, targetPort: 1, nodePort: 2}]}}",
			want: "{spec: {ports: [{name: own, port: 80, protocol: TCP}, {name: tcp, port: 53, protocol: TCP, targetPort: 2, nodePort: 1}, " +
				"{name: udp, port: 53, protocol: UDP, targetPort: 2, nodePort: 2}]}}",
		}, {
			why:     "one of two protocols goes",
			earlier: service + "{ports: [{name: tcp, port: 53}, {name: udp, port: 53, protocol: UDP}]}}",
			target:  service + "{ports: [{name: tcp, port: 53}]}}",
			live:    service + "{ports: [{name: tcp, port: 53, protocol: TCP}, {name: udp, port: 53, protocol: UDP}]}}",
			want:    "{spec: {ports: [{name: tcp, port: 53, protocol: TCP}]}}",
		}, {
			why:     "a variable that is doubled in the earlier manifest and in the cluster",
			earlier: env("{name: MODE, value: a}, {name: MODE, value: b}, {name: OTHER, value: c}"),
			target:  env("{name: MODE, value: b}, {name: OTHER, value: c}"),
			live:    env("{name: MODE, value: a}, {name: MODE, value: b}, {name: OTHER, value: c}, {name: OWN, value: d}"),
			want:    "{spec: {template: {spec: {containers: [{name: web, env: [{name: MODE, value: b}, {name: OTHER, value: c}, {name: OWN, value: d}]}]}}}}",
		}, {
			why:     "a variable that is doubled in the target",
			earlier: env("{name: MODE, value: a}"),
			target:  env("{name: MODE, value: a}, {name: MODE, value: b}"),
			live:    env("{name: MODE, value: a}"),
			want:    "{spec: {template: {spec: {containers: [{name: web, env: [{name: MODE, value: a}, {name: MODE, value: b}]}]}}}}",
		}, {
			why:     "a doubled variable that is in the cluster as it is wanted",
			earlier: env("{name: MODE, value: a}, {name: MODE, value: b}"),
			target:  env("{name: MODE, value: a}, {name: MODE, value: b}"),
			live:    env("{name: MODE, value: a}, {name: MODE, value: b}"),
			want:    "{}",
		}, {
			why:     "an element of another client, with defaults, keeps its position",
			earlier: containers("{name: web, image: a}, {name: log, image: l}"),
			target:  containers("{name: web, image: b}"),
			live:    containers("{name: mesh, image: m}, {name: web, image: a, imagePullPolicy: Always}, {name: log, image: l}"),
			want:    "{spec: {template: {spec: {containers: [{name: mesh, image: m}, {name: web, image: b, imagePullPolicy: Always}]}}}}",
		}, {
			why:     "the order of the manifest counts",
			earlier: env("{name: A, value: a}, {name: B, value: b}"),
			target:  env("{name: B, value: b}, {name: A, value: a}"),
			live:    env("{name: A, value: a}, {name: B, value: b}"),
			want:    "{spec: {template: {spec: {containers: [{name: web, env: [{name: B, value: b}, {name: A, value: a}]}]}}}}",
		}, {
			why:     "a union keeps nothing of its other members",
			earlier: deployment + "{}}",
			target:  deployment + "{strategy: {type: Recreate}}}",
			live:    deployment + "{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}}",
			want:    "{spec: {strategy: {type: Recreate, rollingUpdate: null}}}",
		}, {
			why:     "a volume becomes one of another kind",
			earlier: deployment + "{template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}}",
			target:  deployment + "{template: {spec: {volumes: [{name: v, secret: {secretName: s}}]}}}}",
			live:    deployment + "{template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}}",
			want:    "{spec: {template: {spec: {volumes: [{name: v, secret: {secretName: s}}]}}}}",
		}, {
			why:     "a variable that another client has given a value",
			earlier: env("{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"),
			target:  env("{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"),
			live:    env("{name: A, value: x}"),
			want:    "{spec: {template: {spec: {containers: [{name: web, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}}}",
		}, {
			why:     "a probe that another client has made one of another kind",
			earlier: containers("{name: web, livenessProbe: {httpGet: {path: /}}}"),
			target:  containers("{name: web, livenessProbe: {httpGet: {path: /}}}"),
			live:    containers("{name: web, livenessProbe: {exec: {command: [true]}, periodSeconds: 10}}"),
			want:    "{spec: {template: {spec: {containers: [{name: web, livenessProbe: {httpGet: {path: /}, periodSeconds: 10}}]}}}}",
		}, {
			why:     "a map has keys of these names",
			earlier: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {exec: a}}, data: {value: a}}",
			target:  "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {exec: a}}, data: {value: a}}",
			live:    "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {exec: a, grpc: own}}, data: {value: a, valueFrom: own}}",
			want:    "{}",
		}, {
			why:     "a custom kind has fields of these names",
			earlier: widget + "{value: 1}}",
			target:  widget + "{value: 1}}",
			live:    widget + "{value: 1, valueFrom: own}}",
			want:    "{}",
		}, {
			why:     "finalizers of others stay",
			earlier: "{apiVersion: v1, kind: Service, metadata: {name: a, finalizers: [old, both]}}",
			target:  "{apiVersion: v1, kind: Service, metadata: {name: a, finalizers: [both, new]}}",
			live:    "{apiVersion: v1, kind: Service, metadata: {name: a, finalizers: [own, old, both]}}",
			want:    "{metadata: {finalizers: [own, both, new]}}",
		}, {
			why:     "nulls in every list that is merged",
			earlier: containers("null"),
			target:  containers("{name: web, env: [null, {name: A, value: a}]}, null"),
			live:    containers("{name: web, env: [{name: A, value: a}]}"),
			want:    "{spec: {template: {spec: {containers: [{name: web, env: [null, {name: A, value: a}]}, null]}}}}",
		}, {
			why:     "lists and maps where the kind has others",
			earlier: containers("[], 1, x"),
			target:  deployment + "{template: {spec: {containers: {a: b}}}, replicas: []}}",
			live:    deployment + "{template: {spec: {containers: []}}, replicas: 1}}",
			want:    "{spec: {template: {spec: {containers: {a: b}}}, replicas: []}}",
		}, {
			why:     "a key that is taken out of stringData",
			earlier: secret + "data: {plain: YQ==}, stringData: {kept: a, revoked: b}}",
			target:  secret + "stringData: {kept: a}}",
			live:    secret + "data: {plain: YQ==, kept: YQ==, revoked: Yg==, own: YQ==}}",
			want:    "{data: {plain: null, revoked: null}}",
		}, {
			why:     "a key that moves from data to stringData",
			earlier: secret + "data: {a: YQ==}}",
			target:  secret + "stringData: {a: b}}",
			live:    secret + "data: {a: YQ==}}",
			want:    "{data: {a: Yg==}}",
		}, {
			why:     "a stringData that the API server refuses is left to it",
			earlier: secret + "stringData: {a: b}}",
			target:  secret + "stringData: {a: 1}}",
			live:    secret + "data: {a: Yg==}}",
			want:    "{data: null, stringData: {a: 1}}",
		}, {
			why:     "a custom kind that was changed in the cluster only",
			earlier: widget + "{teeth: 12, parts: [{name: axle}]}}",
			target:  widget + "{teeth: 12, parts: [{name: axle}]}}",
			live:    widget + "{teeth: 13, parts: [{name: axle}, {name: rim}], own: true}}",
			want:    "{spec: {teeth: 12, parts: [{name: axle}]}}",
		},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			g := NewWithT(t)
			object := func(text string) *unstructured.Unstructured {
				parsed := &unstructured.Unstructured{}
				json, err := yaml.YAMLToJSON([]byte(text))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(parsed.UnmarshalJSON(json)).To(Succeed())
				return parsed
			}
			earlier, target, live := object(one.earlier), object(one.target), object(one.live)
			change, err := NewPatch(target, live, earlier.Object)
			g.Expect(err).NotTo(HaveOccurred())
			body, err := yaml.Marshal(change.body)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(body).To(MatchYAML(one.want))
			g.Expect(live.Object).To(Equal(object(one.live).Object), "the arguments are left as they are")
			g.Expect(target.Object).To(Equal(object(one.target).Object))

			again, err := NewPatch(target, change.expected, earlier.Object)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(again.body).To(BeEmpty(), "once is enough")
		})
	}
}
