package hydrate_test

import (
	"testing"

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
		{why: "the one that bears the name of the release", services: []hydrate.Service{web("board-sales", 80, 81), web("board-sales-db", 5432)}, host: "board", port: 81, want: "board-sales"},
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
	units := []hydrate.Unit{{Name: "board", Documents: []hydrate.Document{
		{Text: "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}, {port: 81}]}\n"},
		{Text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Service}\n"},
		{Text: "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: api, namespace: demo}, spec: {ports: [{port: 443}, null, {port: http}]}}\n"},
		{Text: "apiVersion: v1\nkind: Service\nmetadata: {name: elsewhere, namespace: other}\n"},
		{Text: "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: other}\n"},
		{Text: "apiVersion: v1\nkind: Service\nmetadata: {name: hook}\n", Hook: true},
		{Text: "apiVersion: v1\nkind: Service\nmetadata:\nspec: [a]\n"},
	}}}
	found, err := hydrate.Services(units, "demo", func(u hydrate.Unit) string { return "sales-" + u.Name })
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(Equal([]hydrate.Service{
		{Name: "web", Release: "sales-board", Ports: []int32{80, 81}},
		{Name: "api", Release: "sales-board", Ports: []int32{443}},
		{Release: "sales-board"},
	}))
}
