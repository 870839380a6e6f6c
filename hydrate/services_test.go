package hydrate_test

import (
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

func TestFindService(t *testing.T) {
	web := func(name string, ports ...int32) hydrate.Service {
		return hydrate.Service{Name: name, Release: "board-sales", Ports: ports}
	}
	for _, c := range []struct {
		why      string
		services []hydrate.Service
		host     string
		port     int32
		want     string
	}{
		{why: "the Service of that name", services: []hydrate.Service{web("board", 80), web("board-sales", 80)}, host: "board", port: 80, want: "board"},
		{why: "the Service of that name, though its port is another", services: []hydrate.Service{web("board", 8080)}, host: "board", port: 80, want: "board"},
		{why: "the one with the name of the release", services: []hydrate.Service{web("board-sales", 80, 81), web("board-sales-db", 5432)}, host: "board", port: 81, want: "board-sales"},
		{why: "the one that has the name behind the release", services: []hydrate.Service{web("board-sales", 80), web("board-sales-api", 80)}, host: "api", port: 80, want: "board-sales-api"},
		{why: "the one that has the name behind another prefix", services: []hydrate.Service{web("sales-api", 80), web("db", 5432)}, host: "api", port: 80, want: "sales-api"},
		{why: "the only one with the port", services: []hydrate.Service{web("front", 80), web("db", 5432)}, host: "board", port: 80, want: "front"},
		{why: "two with the port", services: []hydrate.Service{web("front", 80), web("back", 80)}, host: "board", port: 80},
		{why: "none with the port", services: []hydrate.Service{web("board-sales", 8080)}, host: "board", port: 80},
		{why: "none at all", host: "board", port: 80},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			found := hydrate.FindService(c.services, c.host, c.port)
			if c.want == "" {
				g.Expect(found).To(BeNil())
				return
			}
			g.Expect(found).To(HaveValue(HaveField("Name", c.want)))
		})
	}
}

func TestServices(t *testing.T) {
	g := NewWithT(t)
	files := []chart.File{{Name: "templates/all.yaml", Data: []byte(`apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}, {port: 81}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: Service}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: api, namespace: demo}, spec: {ports: [{port: 443}, null, {port: http}]}}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere, namespace: other}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: other}
---
apiVersion: v1
kind: Service
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
---
apiVersion: v1
kind: Service
metadata:
spec: [a]
`)}}
	d := &hydrate.Draft{Request: newRequest(newWebChart(nil)), Files: append(newWebChart(nil), files...)}
	d.Chart, d.Request.At = chart.Metadata{Name: "board"}, hydrate.InstallTarget{Namespace: "demo", Instance: "sales"}
	g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
	found := d.AllServices()
	g.Expect(found).To(ConsistOf([]hydrate.Service{
		{Name: "web", Release: "sales", Ports: []int32{80, 81}},
		{Name: "api", Release: "sales", Ports: []int32{443}},
		{Release: "sales"},
	}))
}
