package objects_test

import (
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func newDocument(text string) objects.Document {
	return objects.Document{Path: "web/templates/a.yaml", Text: text}
}

func TestObjects(t *testing.T) {
	g := NewWithT(t)
	listed, err := objects.ListObjects([]objects.Document{
		newDocument("apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: other\n"),
		newDocument("# nothing\n"),
		newDocument("just: values\n"),
		newDocument("- a list\n"),
		newDocument("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n- 5\n- {apiVersion: v1, kind: SecretList, items: [{metadata: {name: s}}]}\n"),
		{Path: "a.yaml", Text: "kind: Job\napiVersion: batch/v1\nmetadata: {generateName: x}\nkey: 1\nkey: 2\n", Hook: true},
		newDocument("apiVersion: x.io/v1\nkind: AllowList\nmetadata: {name: w}\nspec: {}\n"),
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listed).To(Equal([]objects.Object{
		{APIVersion: "v1", Kind: "Service", Namespace: "other", Name: "web"},
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "a"},
		{APIVersion: "v1", Kind: "Secret", Name: "s"},
		{APIVersion: "batch/v1", Kind: "Job", Hook: true},
		{APIVersion: "x.io/v1", Kind: "AllowList", Name: "w"},
	}))
}

func TestObjectsRefuses(t *testing.T) {
	for _, c := range []struct{ why, text, reason string }{
		{"no YAML", "a: b: c\n", v1alpha1.ReasonRenderFailed},
		{"too many", "kind: List\nitems:\n" + strings.Repeat("- {kind: A}\n", 5001), v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := objects.ListObjects([]objects.Document{newDocument(c.text)})
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
		})
	}
	g := NewWithT(t)
	_, err := objects.ListObjects([]objects.Document{newDocument("a: b: c\n")})
	g.Expect(err).To(MatchError(HavePrefix("web/templates/a.yaml: ")))
}
