package hostile_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// installFails installs the app victim, which must fail with the reason, and returns the message.
func installFails(ctx context.Context, t *fixture.Tenant, reason string, change ...fixture.Change) string {
	GinkgoHelper()
	end := t.Do(ctx, v1alpha1.ActionInstall, "victim", change...)
	Expect(end.Status).To(Equal(metav1.ConditionFalse), "%s: %s", end.Reason, end.Message)
	Expect(end.Reason).To(Equal(reason), end.Message)
	return "task " + reason + ": " + truncateMessage(end.Message)
}

// withLookup returns a template that acts only if it can read an object of the cluster.
func withLookup(text string) string {
	return `{{ if lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt" }}` + text + `{{ end }}`
}

var _ = DescribeTable("A template that passes hydration and, during an installation,", func(ctx SpecContext, reason, template string) {
	t := newTenant(ctx)
	t.Offer(ctx, newChart(fixture.Files{"templates/more.yaml": template}))
	runAttack(ctx, func() string { return installFails(ctx, t, reason) })
},
	Entry("allocates all memory", v1alpha1.ReasonLimitExceeded, withLookup(exhaustMemory)),
	Entry("does not end", v1alpha1.ReasonLimitExceeded, withLookup(runEndlessly)),
	Entry("renders gigabytes", v1alpha1.ReasonLimitExceeded, withLookup(`{{ $x := repeat 100000 "0123456789" }}{{ range until 100000 }}{{ $x }}{{ end }}`)),
	Entry("looks up 10,000 objects", v1alpha1.ReasonLimitExceeded, withLookup(`{{ $r := . }}{{ range until 10000 }}{{ $_ := lookup "v1" "ConfigMap" $r.Release.Namespace (print "c" .) }}{{ end }}`)),
	Entry("looks up the Secrets of another namespace", v1alpha1.ReasonPermissionDenied, withLookup(`{{ range (lookup "v1" "Secret" "kube-system" "").items }}{{ .data | toYaml }}{{ end }}`)),
	Entry("looks up the Secrets of all namespaces", v1alpha1.ReasonPermissionDenied, withLookup(`{{ range (lookup "v1" "Secret" "" "").items }}{{ .data | toYaml }}{{ end }}`)),
)

var _ = Describe("A template that attacks at random", func() {
	It("only affects tasks of its own namespace", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, newChart(fixture.Files{"templates/more.yaml": withLookup(`{{ if eq (randInt 0 2) 1 }}` + exhaustMemory + `{{ end }}`)}))
		runAttack(ctx, func() string {
			for range 3 {
				end := t.Do(ctx, v1alpha1.ActionInstall, "victim")
				if end.Status != metav1.ConditionTrue {
					Expect(end.Reason).To(BeElementOf(v1alpha1.ReasonLimitExceeded, v1alpha1.ReasonAlreadyInstalled), end.Message)
				}
			}
			return "each task finishes: installed, or LimitExceeded"
		})
	})
})

var _ = Describe("A task with values of 100,000 lists", func() {
	It("is read within the limits", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, newChart(nil))
		runAttack(ctx, func() string {
			junk := make([]any, 100_000)
			for i := range junk {
				junk[i] = []any{}
			}
			t.Succeed(ctx, v1alpha1.ActionInstall, "victim", fixture.Values(map[string]any{"junk": junk}))
			return "task Succeeded"
		})
	})
})
