package command_test

import (
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// TestHydrate hydrates charts of the samples, with a registry that does not respond.
func TestHydrate(t *testing.T) {
	const charts, mirror = "../../config/samples/charts/", " --registry-mirror samples.appmarket.io=http://127.0.0.1:1"
	p := newPlugin(t)
	p.kubeconfig = filepath.Join(t.TempDir(), "none") // The command needs no cluster.
	expectGolden(t, "hydrate",
		p.run("hydrate "+charts+"hello"+mirror), p.run("hydrate "+charts+"wiki"+mirror), p.run("hydrate "+charts+"hello --profile HELM"+mirror), p.run("hydrate "+charts+"broken"),
		p.run("hydrate "+charts+"hello --profile Other"), p.run("hydrate missing"), p.run("hydrate"))

	out := filepath.Join(t.TempDir(), "repository")
	g := NewWithT(t)
	written := p.run("hydrate " + charts + "hello --out " + out + mirror)
	g.Expect(written.code).To(BeZero())
	g.Expect(written.out).To(HaveSuffix("\nwritten to " + out + "/hello-1.1.0.tgz\n"))
	again := p.run("hydrate " + out + "/hello-1.1.0.tgz" + mirror)
	g.Expect(again.code).To(BeZero(), again.errOut)
	g.Expect(again.out).To(ContainSubstring("hello 1.1.0"))
}
