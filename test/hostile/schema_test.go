package hostile_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = DescribeTable("A schema", func(ctx SpecContext, reason string, schema func() string) {
	t := newTenant(ctx)
	runAttack(ctx, func() string {
		published := chartCase(v1alpha1.ReasonReady, fixture.Files{
			"values.schema.json": schema(), "values.yaml": "a: {a: {a: {a: x}}}\n", "files/noise": randomText(40 << 10),
		})()
		hydrateApp(ctx, t, published)
		return installFails(ctx, t, reason)
	})
},
	Entry("that refers to an internal address", v1alpha1.ReasonInvalidChart, func() string {
		return `{"$ref": "http://169.254.169.254/latest/meta-data/"}`
	}),
	Entry("that refers to a file", v1alpha1.ReasonInvalidChart, func() string { return `{"$ref": "file:///etc/passwd"}` }),
	Entry("that refers to itself twice", v1alpha1.ReasonLimitExceeded, func() string {
		return `{"additionalProperties": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "allOf": [{"$ref": "#"}, {"$ref": "#"}]}`
	}),
	Entry("of 30,000 nested schemas", v1alpha1.ReasonInvalidChart, func() string {
		return strings.Repeat(`{"not": `, 30_000) + "{}" + strings.Repeat("}", 30_000)
	}),
	Entry("of definitions that are doubled sixty times", v1alpha1.ReasonLimitExceeded, func() string {
		var text strings.Builder
		text.WriteString(`{"$ref": "#/$defs/d0", "$defs": {`)
		for i := range 60 {
			fmt.Fprintf(&text, `"d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}, `, i, i+1, i+1)
		}
		text.WriteString(`"d60": {"type": "object"}}}`)
		return text.String()
	}),
)

var _ = DescribeTable("A schema that is rejected during hydration", func(ctx SpecContext, chart func() hydrationCase) {
	runAttack(ctx, func() string { return hydrateApp(ctx, newTenant(ctx), chart()) })
},
	Entry("with 60,000 patterns of 999 repetitions", func() hydrationCase {
		return chartCase(v1alpha1.ReasonLimitExceeded, fixture.Files{
			"values.schema.json": `{"allOf": [` + strings.Repeat(`{"pattern": "x{999}"},`, 60_000) + `{}]}`, "files/noise": randomText(40 << 10),
		})()
	}),
)
