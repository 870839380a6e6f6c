package command_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

// dryRuns are the commands with the flag --dry-run, with arguments.
var dryRuns = map[string]string{
	"install": "wiki --name second --input WIKI_LANGUAGE=en", "upgrade": "wiki --version 2.4.0 --set a=1", "configure": "wiki --set a=1", "rollback": "wiki --to-revision 3",
	"clone": "wiki --name second", "adopt": "old --app wiki", "stop": "wiki", "resume": "wiki", "restart": "wiki", "uninstall": "wiki --yes",
	"cancel": "install-wiki-bbbbb", "retry": "install-wiki-bbbbb", "inputs": "install-wiki-bbbbb --input WIKI_LANGUAGE=en", "source add": "other https://charts.example/other", "source sync": "samples",
	"source suspend": "samples", "source resume": "samples", "source remove": "samples --yes",
	"review approve": "wiki", "review draft": "wiki", "review suspend": "wiki", "review withdraw": "wiki",
}

// TestDryRunsWriteNothing runs each command with --dry-run through a gateway that records the requests.
func TestDryRunsWriteNothing(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	p.newFormatsMarket("dry-runs")
	requests := p.startGateway("", nil)
	names := []string{}
	for name, c := range newCommands() {
		if c.Flag("dry-run") != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	g.Expect(names).To(Equal(slices.Sorted(maps.Keys(dryRuns))), "each command with --dry-run is tested")
	for _, name := range names {
		line := name + " " + dryRuns[name] + " -n dry-runs --market dry-runs"
		r := p.run(line + " --dry-run=client")
		g.Expect(r.code).To(BeZero(), "%s: %s", line, r.errOut)
		for _, request := range requests.take() {
			g.Expect(request).To(HavePrefix("GET "), line)
		}
		r = p.run(line + " --dry-run=server")
		g.Expect(r.code).To(BeZero(), "%s: %s", line, r.errOut)
		writes := 0
		for _, request := range requests.take() {
			if !strings.HasPrefix(request, "GET ") {
				g.Expect(request).To(Or(ContainSubstring("dryRun=All"), ContainSubstring(`"dryRun":["All"]`)), line)
				writes++
			}
		}
		g.Expect(writes).To(BeNumerically(">", 0), "%s: the API server checks the request", line)
	}
	task := p.task("dry-runs", "install-wiki-bbbbb")
	g.Expect(task.Spec.Cancel).To(BeNil())
	g.Expect(task.Spec.Action).To(Equal(v1alpha1.ActionInstall))
}
