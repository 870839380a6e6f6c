package v1alpha1_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

const task = `
spec:
  action: Install
  appRef: {source: market, name: web}
`

var _ = Describe("AppInstallTask", func() {
	DescribeTable("is refused", func(c change, sentence string) {
		o := object("AppInstallTask", task)
		c.apply(o)
		Expect(create(o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("without an action", change("spec.action:"), "spec.action: Required value"),
		Entry("with another action", change("spec.action: Destroy"), `Unsupported value: "Destroy"`),
		Entry("without an app", change("spec.appRef:"), "spec.appRef: Required value"),
		Entry("of an app without a name", change("spec.appRef: {source: market}"), "spec.appRef.name: Required value"),
		Entry("of an app of an empty namespace", change(`spec.appRef: {source: market, name: web, namespace: ""}`), "spec.appRef.namespace"),
		Entry("with an instance named too long", change("spec.instanceName: "+letters(41)), "may not be more than 40"),
		Entry("with an instance that cannot be named so", change("spec.instanceName: My_Web"), "spec.instanceName in body should match"),
		Entry("with a title too long", change("spec.install.title: "+letters(201)), "may not be more than 200"),
		Entry("with no time at all", change("spec.timeout: 0s"), "timeout must be between 1s and 24h"),
		Entry("with too much time", change("spec.timeout: 25h"), "timeout must be between 1s and 24h"),
		Entry("with a deadline that has passed", change("spec.startDeadline: 0s"), "startDeadline must be at least 1s"),
		Entry("with a deadline in words", change("spec.startDeadline: tomorrow"), "spec.startDeadline in body should match"),
		Entry("removed at once", change("spec.ttlSecondsAfterFinished: 59"), "should be greater than or equal to 60"),
		Entry("removed after more than a year", change("spec.ttlSecondsAfterFinished: 31536001"), "should be less than or equal to 31536000"),
		Entry("with another answer to missing inputs", change("spec.onMissingInput: Guess"), `Unsupported value: "Guess"`),
		Entry("with another answer to unmet requirements", change("spec.onUnmetRequirement: Guess"), `Unsupported value: "Guess"`),
		Entry("that cancels when a requirement is met", change("spec.action: Cancel\nspec.onUnmetRequirement: Wait"), "onUnmetRequirement may not be Wait when action is Cancel"),
		Entry("that clones nothing", change("spec.action: Clone\nspec.instanceName: copy"), "clone is required when action is Clone"),
		Entry("that clones without a name", change("spec.action: Clone\nspec.clone: {from: {name: web}}"), "instanceName is required when action is Clone"),
		Entry("that clones an instance to itself", change("spec.action: Clone\nspec.instanceName: web\nspec.clone: {from: {name: web}}"), "instanceName must not be the name of the cloned instance"),
		Entry("that cancels while it installs", change("spec.cancelTask: {name: other}"), "cancelTask may only be set when action is Cancel"),
		Entry("that rolls back to a version", change("spec.action: Rollback\nspec.install: {version: 1.0.0}"), "install may only be set when action is Install"),
		Entry("that rolls back with values", change("spec.action: Rollback\nspec.configure: {values: {a: 1}}"), "configure may only be set when action is Configure"),
		Entry("that stops with inputs", change("spec.action: Stop\nspec.upgrade: {inputs: [{name: A, value: a}]}"), "upgrade may only be set when action is Upgrade"),
		Entry("that removes with a title", change("spec.action: Uninstall\nspec.adopt: {title: Mine}"), "adopt may only be set when action is Adopt"),
		Entry("that sets allowDowngrade for an installation", change("spec.upgrade: {allowDowngrade: true}"), "upgrade may only be set when action is Upgrade"),
		Entry("that installs all", change("spec.uninstall: {dependents: Uninstall}"), "uninstall may only be set when action is Uninstall"),
		Entry("with an input of two values", change("spec.install.inputs: [{name: A, value: a, valueFrom: {secretKeyRef: {name: s, key: k}}}]"), "exactly one of value and valueFrom must be set"),
	)

	It("has its defaults", func() {
		o := typed[v1alpha1.AppInstallTask](kept(object("AppInstallTask", task)))
		Expect(o.Spec.OnMissingInput).To(Equal(v1alpha1.MissingInputWait))
		Expect(o.Spec.OnUnmetRequirement).To(Equal(v1alpha1.UnmetRequirementFail))
		Expect(o.Spec.Timeout).To(BeEquivalentTo("10m"))
		Expect(o.Spec.StartDeadline).To(BeEmpty(), "it waits indefinitely")
		Expect(o.Spec.RequestedDataPolicy()).To(BeEmpty(), "the policy of the instance applies")
		Expect(o.Spec.TTLSecondsAfterFinished).To(BeNil(), "it stays")
		Expect(o.Status.ObservedGeneration).To(BeEquivalentTo(-1))
	})

	DescribeTable("has immutable fields", func(before, after change, sentence string) {
		o := object("AppInstallTask", task)
		before.apply(o)
		o = kept(o)
		after.apply(o)
		Expect(server.Client.Update(GinkgoT().Context(), o, client.DryRunAll)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("its action", change(""), change("spec.action: Uninstall"), "action is immutable; create another task"),
		Entry("its app", change(""), change("spec.appRef.name: other"), "appRef is immutable; create another task"),
		Entry("the namespace of its app", change(""), change("spec.appRef.namespace: other"), "appRef is immutable; create another task"),
		Entry("an instance that is added", change(""), change("spec.instanceName: blog"), "instanceName is immutable; create another task"),
		Entry("an instance that is changed", change("spec.instanceName: blog"), change("spec.instanceName: wiki"), "instanceName is immutable; create another task"),
		Entry("the instance that it clones", change("spec.action: Clone\nspec.instanceName: copy\nspec.clone: {from: {name: web}}"), change("spec.clone.from.name: wiki"), "clone.from is immutable; create another task"),
		Entry("an instance that is taken away", change("spec.instanceName: blog"), change("spec.instanceName:"), "instanceName is immutable; create another task"),
	)

	It("may be given what it lacks", func() {
		o := kept(object("AppInstallTask", task))
		change("spec.install.inputs: [{name: A, value: a}]\nspec.install.version: 2.0.0\nspec.suspend: true").apply(o)
		Expect(server.Client.Update(GinkgoT().Context(), o, client.DryRunAll)).To(Succeed())
	})
})
