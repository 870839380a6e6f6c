package v1alpha1_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

const appInfo = `
spec:
  sourceRef: {name: market}
  app: web
  offers: [{version: 1.2.0}, {version: 1.1.0}]
`

var _ = Describe("AppInfo", func() {
	DescribeTable("is refused", func(c change, sentence string) {
		o := object("AppInfo", appInfo)
		c.apply(o)
		Expect(create(o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("without a spec", change("spec:"), "spec: Required value"),
		Entry("without a source", change("spec.sourceRef:"), "spec.sourceRef: Required value"),
		Entry("of a source without a name", change("spec.sourceRef: {}"), "spec.sourceRef.name: Required value"),
		Entry("without an app", change("spec.app:"), "spec.app: Required value"),
		Entry("of an app without a name", change(`spec.app: ""`), "spec.app in body should be at least 1 chars"),
		Entry("with an offer without a version", change("spec.offers: [{appVersion: a}]"), "version: Required value"),
		Entry("with equal offers", change("spec.offers: [{version: 1.0.0}, {version: 1.0.0}]"), "Duplicate value"),
		Entry("with too many offers", change("spec.offers: "+list(51, "{version: 1.%d.0}")), "must have at most 50 items"),
		Entry("with a version that is too long", change("spec.offers: [{version: "+letters(129)+"}]"), "may not be more than 128"),
		Entry("with parameters that are a text", change("spec.customParams: some"), "must be of type object"),
	)

	DescribeTable("cannot become another app", func(c change, sentence string) {
		o := kept(object("AppInfo", appInfo))
		c.apply(o)
		Expect(server.Client.Update(GinkgoT().Context(), o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("of another name", change("spec.app: other"), "app is immutable"),
		Entry("of another source", change("spec.sourceRef: {name: other}"), "sourceRef is immutable"),
	)

	It("has observedGeneration -1 before the first reconcile", func() {
		o := kept(object("AppInfo", appInfo))
		Expect(typed[v1alpha1.AppInfo](o).Status.ObservedGeneration).To(BeEquivalentTo(-1))
	})

	It("keeps parameters as they were written", func() {
		o := object("AppInfo", appInfo)
		change("spec.customParams: {replicas: 3, image: {tag: null}, list: [a]}").apply(o)
		Expect(string(typed[v1alpha1.AppInfo](kept(o)).Spec.CustomParams.Raw)).To(MatchJSON(`{"replicas": 3, "image": {"tag": null}, "list": ["a"]}`))
	})

	It("keeps its status apart from its spec", func() {
		o := object("AppInfo", appInfo)
		change(`status: {selectedVersion: 9.9.9, observedGeneration: 7}`).apply(o)
		Expect(typed[v1alpha1.AppInfo](kept(o)).Status).To(And(
			HaveField("SelectedVersion", BeEmpty()), HaveField("ObservedGeneration", BeEquivalentTo(-1))))
	})

	DescribeTable("has a status within bounds", func(c change, sentence string) {
		o := kept(object("AppInfo", appInfo))
		c.apply(o)
		Expect(server.Client.Status().Update(GinkgoT().Context(), o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("of versions", change("status.versions: "+list(51, `{version: 1.%d.0, digest: "sha256:a"}`)), "must have at most 50 items"),
		Entry("of images", change("status.images: "+list(101, "{name: a%d}")), "must have at most 100 items"),
		Entry("of conditions", change("status.conditions: "+list(17, `{type: T%d, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`)), "must have at most 16 items"),
		Entry("of a condition without a reason", change(`status.conditions: [{type: T, status: "True", reason: "", message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]`), "reason"),
		Entry("of inputs", change("status.summary: {inputs: "+list(101, "{name: a%d}")+"}"), "must have at most 100 items"),
	)
})
