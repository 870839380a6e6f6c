package hostile_test

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// The templates exhaust the time or the memory of the process that executes them.
const (
	exhaustMemory = `{{ $all := until 999999999 }}`
	runEndlessly  = `{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}`
)

// templateCase returns a chart with an additional template, which is never published.
func templateCase(reason, template string) func() hydrationCase {
	return chartCase(reason, fixture.Files{"templates/more.yaml": template})
}

var _ = DescribeTable("A template", func(ctx SpecContext, chart func() hydrationCase) {
	runAttack(ctx, func() string { return hydrateApp(ctx, newTenant(ctx), chart()) })
},
	Entry("that does not end", templateCase(v1alpha1.ReasonLimitExceeded, runEndlessly)),
	Entry("that allocates all memory", templateCase(v1alpha1.ReasonLimitExceeded, exhaustMemory)),
	Entry("that renders gigabytes", templateCase(v1alpha1.ReasonLimitExceeded, `{{ $x := repeat 100000 "0123456789" }}{{ range until 100000 }}{{ $x }}{{ end }}`)),
	Entry("that includes itself", templateCase(v1alpha1.ReasonRenderFailed, `{{ define "again" }}{{ include "again" . }}{{ end }}{{ include "again" . }}`)),
	Entry("that expands itself", func() hydrationCase {
		return chartCase(v1alpha1.ReasonLimitExceeded, fixture.Files{
			"values.yaml": "again: \"{{ tpl .Values.again . }}{{ tpl .Values.again . }}\"\n", "templates/more.yaml": "{{ tpl .Values.again . }}",
		})()
	}),
	Entry("that renders 400,000 objects", templateCase(v1alpha1.ReasonLimitExceeded,
		"{{ range until 400000 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c{{ . }}}\n{{ end }}")),
	Entry("that renders 100,000 nested lists", templateCase(v1alpha1.ReasonRenderFailed,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\nextra: {{ repeat 100000 \"[\" }}{{ repeat 100000 \"]\" }}\n")),
	Entry("that resolves a host name", templateCase(v1alpha1.ReasonReady, `{{ if getHostByName "localhost" }}`+exhaustMemory+`{{ end }}`)),
)
