package integration_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// withServiceAccount sets the service account of a task.
func withServiceAccount(name string) fixture.Change {
	return func(s *v1alpha1.AppInstallTaskSpec) { s.ServiceAccountName = name }
}

// applyRemedy applies the remedies of problems as cluster administrator, and deletes cluster-scoped
// ones when the spec ends.
func applyRemedy(ctx context.Context, t *fixture.Tenant, problems []v1alpha1.Problem) {
	GinkgoHelper()
	for _, problem := range problems {
		Expect(problem.Remedy).NotTo(BeEmpty(), problem.Message)
		t.Apply(ctx, problem.Remedy)
		if strings.Contains(problem.Remedy, "kind: ClusterRole\n") {
			DeferCleanup(func(ctx SpecContext) {
				out, err := t.TryKubectl(ctx, strings.NewReader(problem.Remedy), "delete", "--filename", "-")
				Expect(err).NotTo(HaveOccurred(), out)
			})
		}
	}
}

// retryUntilSucceeded repeats a task until the authorizer uses the permissions of a remedy.
func retryUntilSucceeded(ctx context.Context, t *fixture.Tenant, action v1alpha1.Action, change ...fixture.Change) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		end := t.Do(ctx, action, "forms", change...)
		g.Expect(end.Status).To(Equal(metav1.ConditionTrue), end.Message)
	}).WithContext(ctx).Should(Succeed())
}

var _ = Describe("A remedy", func() {
	// The ClusterRole needs a name that no other spec and instance uses.
	chart := templateChart("node: \"\"\n", `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .Release.Namespace }}-{{ .Release.Name }}
  namespace: kube-system
rules:
  - {apiGroups: [""], resources: [nodes], verbs: [get]}
`)

	It("of one instance removes no permission of another instance", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		for _, name := range []string{"first", "second"} {
			end := t.Do(ctx, v1alpha1.ActionInstall, "forms", fixture.As(name))
			Expect(end.Reason).To(Equal(v1alpha1.ReasonClusterPermissionRequired), end.Message)
			Expect(end.Message).To(And(ContainSubstring(fmt.Sprintf("ClusterRole/%s-%s", t.Namespace, name)), Not(ContainSubstring("kube-system")),
				HaveSuffix("a cluster administrator must apply status.preflight[0].remedy")))
			applyRemedy(ctx, t, end.Task.Status.Preflight)
			retryUntilSucceeded(ctx, t, v1alpha1.ActionInstall, fixture.As(name))
		}
		t.Succeed(ctx, v1alpha1.ActionUninstall, "forms", fixture.As("first"))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "forms", fixture.As("second"))
	})

	It("creates a missing service account", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"))
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms", withServiceAccount("absent"))
		Expect(end.Reason).To(Equal(v1alpha1.ReasonServiceAccountNotFound), end.Message)
		Expect(end.Message).To(Equal(fmt.Sprintf(`service account "absent" not found in namespace %q; apply status.preflight[0].remedy`, t.Namespace)))
		applyRemedy(ctx, t, end.Task.Status.Preflight)
		t.Get(ctx, &corev1.ServiceAccount{}, "absent")
		retryUntilSucceeded(ctx, t, v1alpha1.ActionInstall, withServiceAccount("absent"))
	})

	It("is provided if no service account is set, but not for an instance that does not exist", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"))
		message := t.Fail(ctx, v1alpha1.ReasonPermissionDenied, v1alpha1.ActionInstall, "forms", withServiceAccount(""))
		Expect(message).To(MatchRegexp(`^spec.serviceAccountName is not set, and service account "default" lacks \d+ permissions \(create .+ more\) that app "forms" requires; apply status.preflight\[0\].remedy$`))
		message = t.Fail(ctx, v1alpha1.ReasonNotInstalled, v1alpha1.ActionUpgrade, "forms", withServiceAccount(""), fixture.As("nothing"))
		Expect(message).NotTo(ContainSubstring("rights"))
	})
})

// gadgetCRD returns a CRD of a group.
func gadgetCRD(group string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, group)
}

var _ = Describe("A chart with CRDs", func() {
	It("needs no cluster administrator if the CRDs exist", func(ctx SpecContext) {
		t := newTenant(ctx)
		group := t.Namespace + ".example.com"
		t.Offer(ctx, templateChart("", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n").With("1.0.0", fixture.Files{"crds/gadgets.yaml": gadgetCRD(group)}))
		message := t.Fail(ctx, v1alpha1.ReasonClusterPermissionRequired, v1alpha1.ActionInstall, "forms")
		Expect(message).To(ContainSubstring("CustomResourceDefinition/gadgets." + group))

		t.Apply(ctx, gadgetCRD(group))
		DeferCleanup(func(ctx SpecContext) { t.Kubectl(ctx, "delete", "crd", "gadgets."+group) })
		Eventually(func(g Gomega) {
			end := t.Do(ctx, v1alpha1.ActionInstall, "forms", fixture.OnFailure(v1alpha1.FailureRemove))
			g.Expect(end.Message).NotTo(ContainSubstring("an administrator"))
		}).WithContext(ctx).Should(Succeed())
	})
})

var _ = Describe("A chart that contains the namespace of its release", func() {
	DescribeTable("is rejected without a remedy for the namespace", func(ctx SpecContext, template string) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", template))
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms")
		Expect(end.Reason).To(Equal(v1alpha1.ReasonInvalidChart), end.Message)
		Expect(end.Message).To(HavePrefix("Namespace/" + t.Namespace + ": chart \"forms\" contains the namespace that it is installed in"))
		for _, problem := range end.Task.Status.Preflight {
			Expect(problem.Remedy).NotTo(ContainSubstring("namespaces"))
		}
		Expect(t.Leftovers(ctx)).To(BeEmpty())
	},
		Entry("as an object", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ .Release.Namespace }}\n"),
		Entry("in a list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: {{ .Release.Namespace }}\n"),
		Entry("as a hook", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ .Release.Namespace }}\n  annotations:\n    helm.sh/hook: pre-install\n"),
	)
})

var _ = Describe("A hook with its own service account", func() {
	job := `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations: {helm.sh/hook: pre-install}
spec:
  template:
    spec:
      restartPolicy: Never
      serviceAccountName: {{ .Release.Name }}-migrator
      containers: [{name: migrate, image: ` + fixture.Image + `}]
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}-migrator
`
	It("is rejected if the service account is created after the hook", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", job))
		message := t.Fail(ctx, v1alpha1.ReasonServiceAccountNotFound, v1alpha1.ActionInstall, "forms")
		Expect(message).To(HavePrefix(`Job/forms-migrate: service account "forms-migrator" of the pre-install hook is created only after the hook has run`))
	})

	It("runs if the service account is a hook of lower weight", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", job+"  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"-1\"}\n"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms")
	})
})
