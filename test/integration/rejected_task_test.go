package integration_test

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// storeChart returns a chart with a schema that leaves the value count unrestricted.
func storeChart(version string) fixture.Chart {
	return fixture.Chart{Name: "store", Version: version, Files: fixture.Files{
		"values.yaml": "title: Store\nreplicas: 1\ncount: 1\nservice: {port: 80}\n",
		"values.schema.json": `{"properties": {"replicas": {"type": "integer", "maximum": 5},
			"service": {"additionalProperties": false, "properties": {"port": {"type": "integer"}}}}}`,
		"templates/store.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.count }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: store, image: ` + fixture.Image + `}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-title}
data: {title: {{ .Values.title | quote }}}
`,
	}}
}

var _ = Describe("A task that is rejected", func() {
	type values = map[string]any
	change := func(set func(*v1alpha1.AppInstallTaskSpec)) fixture.Change { return set }
	revision := func(number int32) fixture.Change {
		return change(func(s *v1alpha1.AppInstallTaskSpec) { s.Rollback = &v1alpha1.RollbackParameters{Revision: number} })
	}
	downgrade := change(func(s *v1alpha1.AppInstallTaskSpec) {
		s.EnsureParameters()
		s.Upgrade.AllowDowngrade = new(true)
	})
	clone := func(of string) fixture.Change {
		return change(func(s *v1alpha1.AppInstallTaskSpec) {
			s.InstanceName, s.Clone = "copy", &v1alpha1.CloneParameters{From: v1alpha1.CloneSource{Name: of}}
		})
	}

	DescribeTable("reports the problem and the solution:", func(ctx SpecContext, reason string, action v1alpha1.Action, app, says string, change ...fixture.Change) {
		t := newTenant(ctx)
		t.Offer(ctx, storeChart("1.0.0"), storeChart("1.1.0"), storeChart("1.2.0"), siteChart("1.0.0"),
			fixture.Chart{Name: "faulty", Version: "1.0.0", Files: fixture.Files{"templates/a.yaml": "{{ nothing }}"}})
		t.Succeed(ctx, v1alpha1.ActionInstall, "store", fixture.Version("1.1.0"))
		message := t.Fail(ctx, reason, action, app, change...)
		Expect(message).To(ContainSubstring(says))
	},
		Entry("an instance that does not exist", v1alpha1.ReasonNotInstalled, v1alpha1.ActionStop, "store",
			`instance "absent" not found; set spec.instanceName to an instance of app "store" (store)`, fixture.As("absent")),
		Entry("an instance of another app", v1alpha1.ReasonInvalidSpec, v1alpha1.ActionInstall, "site",
			`belongs to app "store" of source "charts", not to app "site"`, fixture.As("store")),
		Entry("an instance that is installed", v1alpha1.ReasonAlreadyInstalled, v1alpha1.ActionInstall, "store", "use action Upgrade"),
		Entry("a clone of an instance that does not exist", v1alpha1.ReasonNotInstalled, v1alpha1.ActionClone, "store", `instance "absent" not found in namespace `, clone("absent")),
		Entry("a clone of another app", v1alpha1.ReasonInvalidSpec, v1alpha1.ActionClone, "site", `belongs to app "store"`, clone("store")),
		Entry("a version that is not semantic", v1alpha1.ReasonInvalidSpec, v1alpha1.ActionInstall, "store", `spec.install.version: Invalid value: "latest": `,
			fixture.As("other"), fixture.Version("latest")),
		Entry("a version that does not exist", v1alpha1.ReasonVersionNotFound, v1alpha1.ActionInstall, "store",
			`spec.install.version: app "store" has no version that matches "9.0.0"; use another version, the latest is 1.2.0`, fixture.As("other"), fixture.Version("9.0.0")),
		Entry("a range without a version", v1alpha1.ReasonVersionNotFound, v1alpha1.ActionInstall, "store",
			`has no version that matches ">=9 <10"`, fixture.As("other"), fixture.Version(">=9 <10")),
		Entry("an upgrade to the version that is installed", v1alpha1.ReasonVersionNotNewer, v1alpha1.ActionUpgrade, "store", "use action Configure",
			fixture.Version("1.1.0"), downgrade, fixture.Values(values{"title": "New"})),
		Entry("an upgrade to an older version", v1alpha1.ReasonVersionNotNewer, v1alpha1.ActionUpgrade, "store", "set spec.upgrade.version and spec.upgrade.allowDowngrade", fixture.Version("1.0.0")),
		Entry("an app that the source does not have", v1alpha1.ReasonNotFound, v1alpha1.ActionInstall, "stoer", `app "stoer" not found in source `),
		Entry("an app that cannot be published", v1alpha1.ReasonRenderFailed, v1alpha1.ActionInstall, "faulty", "its hydration is stalled: version 1.0.0: chart faulty: templates/a.yaml"),
		Entry("a number that is too large for the schema", v1alpha1.ReasonSchemaViolation, v1alpha1.ActionInstall, "store",
			"replicas: Invalid value: 9: must be at most 5", fixture.As("other"), fixture.Values(values{"replicas": 9})),
		Entry("a value that the schema does not know", v1alpha1.ReasonSchemaViolation, v1alpha1.ActionInstall, "store",
			"service.prot: unknown key (supported keys: port)", fixture.As("other"), fixture.Values(values{"service": values{"prot": 1}})),
		Entry("a string in a number field of an object", v1alpha1.ReasonInvalidObject, v1alpha1.ActionInstall, "store",
			`Deployment/other: spec.replicas: Invalid value: "two": must be a number`, fixture.As("other"), fixture.Values(values{"count": "two"})),
		Entry("a rollback before the first revision", v1alpha1.ReasonRevisionNotFound, v1alpha1.ActionRollback, "store",
			"has no revision before the current one; status.history of the instance has revision 1 with version 1.1.0"),
		Entry("a rollback to a revision that does not exist", v1alpha1.ReasonRevisionNotFound, v1alpha1.ActionRollback, "store",
			`spec.rollback.revision: revision 9 of instance "store" not found; status.history of the instance has revision 1 with version 1.1.0`, revision(9)),
	)

	It("reports its instance, and the inputs to set, correct and remove", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0").With("1.0.0", fixture.Files{"questions.yaml": `questions:
- {variable: text, type: string, required: true, max_length: 3}
- {variable: owner, type: string, required: true}
`}))
		end := t.Do(ctx, v1alpha1.ActionInstall, "site", func(s *v1alpha1.AppInstallTaskSpec) {
			s.OnMissingInput = v1alpha1.MissingInputFail
			s.EnsureParameters().Inputs = []v1alpha1.InputValue{{Name: "text", Value: new("too long")}, {Name: "color", Value: new("red")}}
		})
		Expect(end.Message).To(Equal(`spec.install.inputs: set required "owner"; correct "text" (must have at most 3 characters); ` +
			`remove unknown "color"; see status.requiredInputs`))
		t.RecordMessage(end.Reason + ": " + end.Message)
		Expect(end.Task.Status.InstanceName).To(Equal("site"), "the status has the name of the instance")
		Expect(slices.Collect(func(yield func(string) bool) {
			for _, input := range end.Task.Status.RequiredInputs {
				yield(input.Name)
			}
		})).To(ConsistOf("owner", "text", "color"))
	})
})
