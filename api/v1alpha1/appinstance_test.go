package v1alpha1_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

const instance = `
spec:
  appRef: {source: market, name: web}
`

var _ = Describe("AppInstance", func() {
	DescribeTable("is accepted", func(c change) {
		o := object("AppInstance", instance)
		c.apply(o)
		Expect(create(o)).To(Succeed())
	},
		Entry("with a reference only", change("")),
		Entry("with the longest name", change("metadata.name: "+letters(40))),
		Entry("with the shortest timeout", change("spec.timeout: 1s")),
		Entry("with the longest timeout", change("spec.timeout: 24h")),
		Entry("with a value that is empty", change(`spec.inputs: [{name: A, value: ""}]`)),
		Entry("with a value from a Secret", change("spec.inputs: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]")),
		Entry("with values of any form", change("spec.values: {a: [1, {b: null}], c: 1.5e0}")),
	)

	DescribeTable("is refused", func(c change, sentence string) {
		o := object("AppInstance", instance)
		c.apply(o)
		Expect(create(o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("with a name too long for its releases", change("metadata.name: "+letters(41)), "metadata.name must have at most 40 characters, because Helm releases are named after it"),
		Entry("without an app", change("spec.appRef:"), "spec.appRef: Required value"),
		Entry("of an app without a source", change("spec.appRef: {name: web}"), "spec.appRef.source: Required value"),
		Entry("with an empty version", change(`spec.version: ""`), "spec.version"),
		Entry("with no time at all", change("spec.timeout: 0s"), "timeout must be between 1s and 24h"),
		Entry("with too little time", change("spec.timeout: 999ms"), "timeout must be between 1s and 24h"),
		Entry("with too much time", change("spec.timeout: 24h1s"), "timeout must be between 1s and 24h"),
		Entry("with a time in words", change("spec.timeout: forever"), "spec.timeout in body should match"),
		Entry("with no history", change("spec.revisionHistoryLimit: 0"), "should be greater than or equal to 1"),
		Entry("with a long history", change("spec.revisionHistoryLimit: 21"), "should be less than or equal to 20"),
		Entry("in a state that is not there", change("spec.desiredState: Broken"), `Unsupported value: "Broken"`),
		Entry("with another data policy", change("spec.dataPolicy: Hide"), `Unsupported value: "Hide"`),
		Entry("with an input without a value", change("spec.inputs: [{name: A}]"), "exactly one of value and valueFrom must be set"),
		Entry("with an input of two values", change("spec.inputs: [{name: A, value: a, valueFrom: {secretKeyRef: {name: s, key: k}}}]"), "exactly one of value and valueFrom must be set"),
		Entry("with an input from nowhere", change("spec.inputs: [{name: A, valueFrom: {}}]"), "exactly one of secretKeyRef, configMapKeyRef and outputRef must be set"),
		Entry("with an input from two places", change("spec.inputs: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}, configMapKeyRef: {name: s, key: k}}}]"), "exactly one of secretKeyRef, configMapKeyRef and outputRef must be set"),
		Entry("with an input given twice", change("spec.inputs: [{name: A, value: a}, {name: A, value: b}]"), "Duplicate value"),
		Entry("with too many inputs", change("spec.inputs: "+list(101, "{name: A%d, value: a}")), "must have at most 100 items"),
		Entry("with an input that is too long", change("spec.inputs: [{name: A, value: "+letters(16385)+"}]"), "may not be more than 16384"),
		Entry("with values from another kind", change("spec.valuesFrom: [{kind: Pod, name: a}]"), `Unsupported value: "Pod"`),
		Entry("with too many values", change("spec.valuesFrom: "+list(21, "{kind: Secret, name: a%d}")), "must have at most 20 items"),
		Entry("with values that are a text", change("spec.values: some"), "must be of type object"),
	)

	It("has its defaults", func() {
		o := typed[v1alpha1.AppInstance](kept(object("AppInstance", instance+`
  valuesFrom: [{kind: Secret, name: a}]
`)))
		Expect(o.Spec.DesiredState).To(Equal(v1alpha1.StateRunning))
		Expect(o.Spec.DataPolicy).To(Equal(v1alpha1.DataRetain))
		Expect(o.Spec.Timeout).To(BeEquivalentTo("10m"))
		Expect(o.Spec.RevisionHistoryLimit).To(BeEquivalentTo(5))
		Expect(o.Spec.ValuesFrom[0].Key).To(Equal("values.yaml"))
		Expect(o.Status.ObservedGeneration).To(BeEquivalentTo(-1))
	})

	DescribeTable("keeps its app", func(c change, sentence string) {
		o := kept(object("AppInstance", instance))
		c.apply(o)
		Expect(server.Client.Update(GinkgoT().Context(), o, client.DryRunAll)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("by name", change("spec.appRef.name: other"), "appRef.source and appRef.name are immutable; create another instance"),
		Entry("by source", change("spec.appRef.source: other"), "appRef.source and appRef.name are immutable; create another instance"),
	)

	It("may be changed otherwise", func() {
		o := kept(object("AppInstance", instance))
		change("spec.version: 2.0.0\nspec.desiredState: Uninstalled\nspec.title: My web").apply(o)
		Expect(server.Client.Update(GinkgoT().Context(), o, client.DryRunAll)).To(Succeed())
	})
})
