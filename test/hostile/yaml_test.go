package hostile_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// nestedAliases returns YAML whose nested aliases expand to 10^10 strings.
func nestedAliases() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text
}

// inputsWithManyOptions returns the inputs of an app manifest that do not fit into a status: all inputs share
// the options of the first one by an alias.
func inputsWithManyOptions() string {
	var text strings.Builder
	text.WriteString("envs:\n- {envName: INPUT_0, type: string, required: true, editable: true, options: &all [")
	for i := range 100 {
		fmt.Fprintf(&text, "{title: \"Option %d\", value: \"%03d%s\"}, ", i, i, strings.Repeat("x", 1000))
	}
	text.WriteString("]}\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&text, "- {envName: INPUT_%d, type: string, required: true, editable: true, options: *all}\n", i)
	}
	return text.String()
}

var _ = DescribeTable("YAML", func(ctx SpecContext, chart func() hydrationCase) {
	runAttack(ctx, func() string { return hydrateApp(ctx, newTenant(ctx), chart()) })
},
	Entry("with nested aliases in values.yaml", chartCase(v1alpha1.ReasonRenderFailed, fixture.Files{"values.yaml": nestedAliases()})),
	Entry("with nested aliases in Chart.yaml", chartCase(v1alpha1.ReasonInvalidChart, fixture.Files{"Chart.yaml": "apiVersion: v2\nname: victim\nversion: 1.0.0\n" + nestedAliases()})),
	Entry("with 100,000 nested lists in values.yaml", chartCase(v1alpha1.ReasonRenderFailed, fixture.Files{
		"values.yaml": "a: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "\n", "files/noise": randomText(8 << 10),
	})),
	Entry("with 2 MB of empty lists in Chart.yaml", chartCase(v1alpha1.ReasonReady, fixture.Files{
		"Chart.yaml": "apiVersion: v2\nname: victim\nversion: 1.0.0\njunk: [" + strings.Repeat("[],", 2_000_000/3) + "[]]\n", "files/noise": randomText(40 << 10),
	})),
	Entry("with 2 MB of empty lists in values.yaml", chartCase(v1alpha1.ReasonReady, fixture.Files{
		"values.yaml": "junk: [" + strings.Repeat("[],", 2_000_000/3) + "[]]\n", "files/noise": randomText(40 << 10),
	})),
	Entry("with inputs that exceed the size of a status", func() hydrationCase {
		chart := fixture.App("victim", fixture.Files{"files/noise": randomText(40 << 10)}, inputsWithManyOptions())
		return hydrationCase{archive: chart.Archive(), reason: v1alpha1.ReasonReady, change: []func(*v1alpha1.MarketSourceSpec){fixture.AsOlares}}
	}),
)
